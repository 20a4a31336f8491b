"""Figures: well-formed drawings, with tables of the numbers they show."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from ganstrata.core.figures import matrices
from ganstrata.core.figures.matrices import heat
from ganstrata.core.figures.rankings import RankedConcept, ranking, three_rankings
from ganstrata.core.runs.run import Run
from PIL import Image

SVG = "{http://www.w3.org/2000/svg}"
NAMES = {
    "ranking",
    "hierarchy_groups",
    "hierarchy_layers",
    "hierarchy_at_once",
    "depth",
    "entanglement",
    "cosines",
    "ablation",
}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rescored(run: Run) -> dict[tuple[str, str, str, bool], dict[str, str]]:
    return {
        (r["boundary"], r["layers"], r["concept"], float(r["step"]) > 0): r
        for r in table(run.path / "rescoring.csv")
    }


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_every_figure_is_a_drawing_and_a_table(finished: Run) -> None:
    folder = finished.path / "figures"
    assert {file.name for file in folder.iterdir()} == {
        f"{name}.{kind}" for name in NAMES for kind in ("svg", "csv")
    }


@pytest.mark.parametrize("name", sorted(NAMES))
def test_drawings_are_well_formed_and_stand_alone(name: str, finished: Run) -> None:
    root = ET.fromstring((finished.path / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert len(root.get("aria-label", "")) > 10
    _, _, width, height = (float(part) for part in root.get("viewBox", "").split())
    assert root.find(f"{SVG}style") is not None
    for element in root.iter():
        for key, value in element.attrib.items():
            assert "nan" not in value
            assert "inf" not in value
            if (
                element.tag != f"{SVG}svg"
                and key in ("x", "cx", "x1", "x2")
                and element.get("width") != "100%"
            ):
                assert -1.0 <= float(value) <= width + 1.0
            if (
                element.tag != f"{SVG}svg"
                and key in ("y", "cy", "y1", "y2")
                and element.get("height") != "100%"
            ):
                assert -1.0 <= float(value) <= height + 1.0
    assert texts(root)


def test_names_with_metacharacters_are_well_formed(fakes, config, tmp_path: Path) -> None:
    config["scorers"] = [{"use": "fake_markup"}]
    run = ganstrata.run(config, tmp_path / "run")
    names = {f"fake_markup/{name}" for name in ("<b>&\"'left", "a<b", "a>b", "</script>")}
    for name in ("ranking", "entanglement", "depth", "ablation"):
        root = ET.fromstring((run.path / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
        assert names <= set(texts(root))
    assert {row["boundary"] for row in table(run.path / "figures" / "ranking.csv")} == names


def test_the_ranking_is_that_of_the_table(finished: Run) -> None:
    effects = rescored(finished)
    rows = table(finished.path / "figures" / "ranking.csv")
    assert [float(r["mean_in_sd"]) for r in rows] == sorted(
        (float(r["mean_in_sd"]) for r in rows), reverse=True
    )
    for row in rows:
        effect = effects[row["boundary"], "all", row["boundary"], True]
        assert row["mean_in_sd"] == effect["mean_in_sd"]
        assert row["q_value"] == effect["q_value"]
        unit = float(effect["mean"]) / float(effect["mean_in_sd"])
        assert float(row["low"]) == pytest.approx(float(effect["low"]) / unit, rel=1e-3)
        assert (row["variation_factor"] == "True") == (float(row["q_value"]) < 0.05 and float(row["low"]) > 0)


def test_the_layer_curves_are_those_of_the_table(finished: Run) -> None:
    effects = rescored(finished)
    rows = {(r["level"], r["layer"]): r for r in table(finished.path / "figures" / "hierarchy_layers.csv")}
    assert len(rows) == 4 * 8
    for layer in map(str, range(8)):
        red = effects["seen/red", layer, "seen/red", True]["mean_in_sd"]
        assert float(rows["colour", layer]["mean_in_sd"]) == pytest.approx(float(red), abs=2e-5)
        assert float(rows["colour", layer]["low"]) <= float(red) + 2e-5
    assert sum(float(rows["colour", layer]["share"]) for layer in map(str, range(8))) == pytest.approx(
        1.0, abs=1e-4
    )


def test_groups_at_once_are_those_of_the_table(finished: Run) -> None:
    effects = rescored(finished)
    for row in table(finished.path / "figures" / "hierarchy_at_once.csv"):
        if row["level"] == "category":
            wanted = float(effects["seen/checks", row["group"], "seen/checks", True]["mean_in_sd"])
            assert float(row["value"]) == pytest.approx(wanted, abs=2e-5)


def test_the_entanglement_matrix_is_that_of_the_table(finished: Run) -> None:
    effects = rescored(finished)
    rows = table(finished.path / "figures" / "entanglement.csv")
    assert len(rows) == 6 * 6
    for row in rows:
        effect = effects[row["boundary"], "all", row["concept"], True]
        assert row["mean_in_sd"] == effect["mean_in_sd"]
        assert (row["significant"] == "True") == (float(effect["q_value"]) < 0.05)


def test_the_three_rankings_hold_the_same_concepts(finished: Run) -> None:
    rows = table(finished.path / "figures" / "ablation.csv")
    by_title = {
        title: [r for r in rows if r["ranking"] == title]
        for title in dict.fromkeys(r["ranking"] for r in rows)
    }
    assert list(by_title) == ["share of positive samples", "held-out accuracy", "re-scoring"]
    concepts = {row["concept"] for row in by_title["re-scoring"]}
    for part in by_title.values():
        assert {row["concept"] for row in part} == concepts
        assert [int(row["place"]) for row in part] == list(range(1, 7))
        values = [float(row["value"]) for row in part if row["value"]]
        assert values == sorted(values, reverse=True)
    shares = {r["id"]: r["positive_share"] for r in finished.manifest["concepts"]}
    for row in by_title["share of positive samples"]:
        wanted = shares[row["concept"]]
        assert row["value"] == ("" if wanted is None else f"{wanted:.6g}")


def test_numbers_that_are_missing_leave_gaps() -> None:
    nothing = math.nan
    ranked = ranking(
        [
            RankedConcept("a", "layout", *[nothing] * 8, False),
            RankedConcept("b", "colour", 1.0, 0.5, 1.5, *[nothing] * 4, 0.01, True),
        ]
    )
    assert "nan" not in ranked.inline.lower()
    assert ranked.csv.splitlines()[1] == "a,layout,,,,,,,,,False,False"
    empty = heat("h", ["a"], ["a"], np.array([[nothing]]), np.array([[False]]), description="d", entry="e")
    assert "nan" not in empty.inline.lower()
    assert empty.csv == "boundary,concept,e,significant\na,a,,False\n"
    ablated = three_rankings([("t", [("a", "layout", nothing, False)])])
    assert "nan" not in ablated.inline.lower()
    for figure in (ranked, empty, ablated):
        ET.fromstring(figure.file)


def test_the_interval_over_learning_samples_is_a_thin_whisker_around_the_thick_one() -> None:
    row = RankedConcept("a", "layout", 1.0, 0.8, 1.2, 0.6, 1.5, math.nan, math.nan, 0.01, True)
    (thick,) = re.findall(
        r'<line x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)" y2="[\d.]+" class="whisker thick"/>',
        (drawn := ranking([row]).inline),
    )
    thin = [
        float(x)
        for pair in re.findall(
            r'<line x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)" y2="[\d.]+" class="whisker"/>', drawn
        )
        for x in pair
    ]
    scale = (float(thick[1]) - float(thick[0])) / 0.4  # pixels per unit
    assert min(thin) == pytest.approx(float(thick[0]) - 0.2 * scale, abs=0.2)
    assert max(thin) == pytest.approx(float(thick[1]) + 0.3 * scale, abs=0.2)
    assert "over learning samples too [0.60, 1.50]" in drawn
    alone = RankedConcept("a", "layout", 1.0, 0.8, 1.2, *[math.nan] * 4, 0.01, True)
    assert 'class="whisker thick"' not in ranking([alone]).inline
    assert 'class="whisker"' in ranking([alone]).inline
    assert ranking([row]).csv.splitlines()[0].split(",")[3:7] == ["low", "high", "low_total", "high_total"]


def test_a_large_matrix_is_one_picture_with_names_and_all_numbers(monkeypatch):
    monkeypatch.setattr(matrices, "WRITTEN", 5)
    values = np.array([[1.0, -1.0, 0.5], [np.nan, 0.01, -0.5]])
    marks = np.array([[True, False, False], [True, False, True]])
    figure = heat("h", ["a", "b"], ["x", "<y>", "z"], values, marks, description="Numbers.", entry="e")
    assert figure.inline.count("<rect") == 0
    assert [figure.inline.count(f">{name}</text>") for name in ("a", "b", "x", "&lt;y&gt;", "z")] == [1] * 5
    assert "h.csv" in figure.description
    assert len(figure.csv.splitlines()) == 7
    png = base64.b64decode(re.search(r'href="data:image/png;base64,([^"]+)"', figure.inline).group(1))
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(int)
    assert pixels.shape == (6, 9, 4)
    corners, centres = pixels[::3, ::3], pixels[1::3, 1::3]
    warm, cold, dark = (tuple(colour) for colour in (matrices.WARM, matrices.COLD, matrices.DARK))
    assert [tuple(cell[:3]) for cell in corners[0]] == [warm, cold, warm]
    assert tuple(corners[1, 2, :3]) == cold
    assert corners[0, 0, 3] == corners[0, 1, 3] > corners[0, 2, 3] > corners[1, 1, 3] > 0
    assert corners[1, 0, 3] == centres[1, 0, 3] == 0  # NaN is empty, marked or not
    assert [tuple(cell[:3]) == dark for cell in centres.reshape(-1, 4)] == [True, *[False] * 4, True]


def test_hundreds_of_rows_take_little():
    rng = np.random.default_rng(0)
    names = [f"mixed/c{i:03d}" for i in range(300)]
    values = rng.standard_normal((300, 300))
    figure = heat("h", names, names, values, values > 2.0, description="d", entry="e")
    assert len(figure.file) < 10**6
