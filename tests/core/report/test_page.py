"""report.html: one well-formed file that opens anywhere and agrees with the tables."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from conftest import CONFIG, _on_path
from ganstrata.core.analyses.request import AnalysisRequest
from ganstrata.core.decimals import number
from ganstrata.core.pipeline.analyse import analyse_layers
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.seal import sealed_text
from html_pages import Page


@pytest.fixture(scope="session")
def page(finished: Run) -> Page:
    return Page(finished.path / "report.html")


@pytest.fixture(scope="module")
def marked(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run whose concepts have names full of metacharacters. Tests must not change it."""
    config = deepcopy(CONFIG) | {"scorers": [{"use": "fake_markup"}]}
    with _on_path(site):
        return ganstrata.run(config, tmp_path_factory.mktemp("marked") / "run")


def test_it_asks_nothing_of_the_network(page: Page, finished: Run) -> None:
    for _, attributes in page.elements:
        for name in ("src", "srcset", "poster", "data", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    assert page.all("link", "iframe", "object", "embed") == []
    assert all("src" not in attributes for attributes in page.all("script"))
    text = (finished.path / "report.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert not re.search(r"url\(\s*['\"]?(?!\$\{)(?!data:)", text)
    outside = set(re.findall(r"https?://[^\s\"'<>]+", text)) - {"http://www.w3.org/2000/svg"}
    assert outside <= {attributes.get("href") for attributes in page.all("a")}


def test_ids_are_unique_and_links_arrive(page: Page, finished: Run) -> None:
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(ids.values()) == 1
    links = [attributes["href"] for attributes in page.all("a")]
    assert len(links) > 15
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        elif not link.startswith("http"):
            assert (finished.path / link).is_file()
    for _, attributes in page.elements:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)


def test_pictures_and_figures_are_described(page: Page) -> None:
    assert len(page.all("img")) == 4 + 5 * 2 + 1  # samples, two per found factor, the joint edit
    assert all(len(attributes.get("alt", "")) > 10 for attributes in page.all("img"))
    figures = [attributes for attributes in page.all("svg") if attributes.get("role") == "img"]
    assert len(figures) == 8
    assert all(len(attributes["aria-label"]) > 10 for attributes in figures)
    assert len({attributes["aria-label"] for attributes in figures}) == 8


def test_headings_go_down_by_one(page: Page) -> None:
    depths = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert depths[0] == 1
    assert depths.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(depths))


def test_controls_have_labels_and_tables_have_heads(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en"
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.all("th"))
    assert len(page.all("label")) == len(page.all("input", "select"))
    assert all(
        attributes.get("aria-label") or attributes.get("aria-labelledby")
        for attributes in page.all("nav", "section")
    )


def test_the_table_of_concepts_is_that_of_the_run(page: Page, finished: Run) -> None:
    with (finished.path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["layers"] == "all" and r["boundary"] == r["concept"]]
    forward = {r["boundary"]: r for r in rows if float(r["step"]) > 0}
    back = {r["boundary"]: r for r in rows if float(r["step"]) < 0}
    head, *body = page.cells[0]
    assert len(body) == len(forward) == 6
    strengths = []
    for cells in body:
        shown = dict(zip(head, cells, strict=True))
        row = forward[shown["Concept"]]
        low, high = shown["95 % interval"].split(" to ")
        for text, key, digits in (
            *(
                (shown["Change, sd"], "mean_in_sd", 2),
                (shown["Change"], "mean", 3),
                (low, "low", 3),
                (high, "high", 3),
            ),
            *(
                (shown["Clipped mean"], "clipped_mean", 3),
                (shown["p"], "p_value", 3),
                (shown["q"], "q_value", 3),
                (shown["Rank p"], "rank_p", 3),
            ),
        ):
            assert float(text.replace("−", "-")) == pytest.approx(float(row[key]), abs=0.51 * 10.0**-digits)
        assert float(shown["Backwards, sd"].replace("−", "-")) == pytest.approx(
            float(back[shown["Concept"]]["mean_in_sd"]), abs=0.0051
        )
        assert int(shown["Pairs without a score"]) == int(row["undefined"])
        assert (shown["Factor"] == "yes") == (shown["Concept"] != "seen/chance")
        strengths.append(float(row["mean_in_sd"]))
    assert strengths == sorted(strengths, reverse=True)


def test_the_page_states_the_findings(page: Page) -> None:
    text = " ".join(page.words)
    assert "5 of 6 concepts are variation factors" in text
    for level, group in (
        ("Layout", "bottom"),
        ("Category", "lower"),
        ("Attribute", "upper"),
        ("Colour", "top"),
    ):
        assert f"{level} peaks at the {group} layers" in text
    assert "The paper's order, layout, category, attribute, colour, is the order of these depths." in text
    assert "seen/constant: does not vary here" in re.sub(r"\s+:", ":", text)
    assert not re.search(r"\b(nan|NaN|None|inf)\b", text)
    assert "Assumed in reading it noise was <made> up" in text


def test_names_are_escaped_everywhere(marked: Run) -> None:
    page = Page(marked.path / "report.html")
    assert {cells[0] for cells in page.cells[0][1:]} == {
        f"fake_markup/{name}" for name in ("<b>&\"'left", "a<b", "a>b", "</script>")
    }
    assert not [attributes for attributes in page.all("b") if attributes]
    assert len(page.all("script")) == 1
    alts = [attributes["alt"] for attributes in page.all("img")]
    assert any("edited along fake_markup/<b>&\"'left" in alt for alt in alts)
    assert "fakes & <more>" in "".join(page.words)


def test_the_chapter_of_an_analysis_is_built_like_the_others(invoke, refurnished: Path) -> None:
    assert (
        invoke(
            "analysis",
            "objects",
            refurnished,
            "--along",
            "seen/red",
            "--along",
            "seen/left",
            "--layers",
            "all",
            "--samples",
            32,
        ).exit_code
        == 0
    )
    page = Page(refurnished / "report.html")
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(ids.values()) == 1
    links = [attributes["href"] for attributes in page.all("a")]
    assert "#objects" in links
    for name in ("flow.svg", "flow.csv", "transitions.csv", "masks.png"):
        assert f"analysis/objects/{name}" in links
        assert (refurnished / "analysis/objects" / name).is_file()
    masks = [attributes for attributes in page.all("img") if attributes["src"].startswith("data:image/png")]
    assert len(masks) == 1
    assert "after moving along seen/red, and after moving along seen/left" in masks[0]["alt"]
    assert any(
        "What becomes of each class of pixels" in attributes.get("aria-label", "")
        for attributes in page.all("svg")
    )
    table = next(cells for cells in page.cells if cells[0][:3] == ["Hop", "From", "To"])
    assert ["1", "sofa", "bed"] in [row[:3] for row in table]
    depths = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(depths))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.all("th"))


def test_a_chapter_that_is_out_of_date_says_so_and_shows_no_number(invoke, refurnished: Path) -> None:
    assert (
        invoke(
            "analysis", "objects", refurnished, "--along", "seen/red", "--layers", "all", "--samples", 32
        ).exit_code
        == 0
    )
    index = refurnished / "analysis/objects/objects.json"
    content = json.loads(index.read_text(encoding="utf-8"))
    content["stamp"]["boundaries.json"] = "0"
    index.write_text(sealed_text(content), encoding="utf-8")
    (refurnished / "report.html").unlink()
    assert invoke("report", refurnished).exit_code == 0
    page = Page(refurnished / "report.html")
    text = re.sub(r"\s+", " ", " ".join(page.words))
    assert "The boundaries of this run were learnt again since, or its segmenter has changed." in text
    assert "ganstrata analysis objects RUN --along 'seen/red'" in text
    assert "sofa" not in text.split("Objects")[-1].split("Entanglement")[0]


def test_names_that_differ_by_metacharacters_keep_their_own_strips(marked: Run) -> None:
    stages = ganstrata.open_run(marked.path).manifest["stages"]
    strips = [name for name in stages["edit"]["files"] if name.endswith(".png")]
    assert len(strips) == len(set(strips)) == 4 * 5 + 1
    assert len(list((marked.path / "edits").glob("*.png"))) == 4 * 5 + 1


@pytest.mark.parametrize(
    ("value", "digits", "wanted"),
    [
        (None, 2, "–"),
        (np.nan, 2, "–"),
        (0.0, 2, "0.00"),
        (-1.234, 2, "−1.23"),
        (0.004, 2, "0.004"),
        (-2.5e-12, 3, "−2 × 10⁻¹²"),
        (0.01, 2, "0.01"),
    ],
)
def test_numbers_are_short(value: float | None, digits: int, wanted: str) -> None:
    assert number(value, digits) == wanted


def test_the_chapter_on_layers_is_well_built_and_says_what_the_files_say(fakes, copied: Path) -> None:
    analyse_layers(copied, AnalysisRequest(concepts=("seen/red", "seen/left")), progress=Progress(quiet=True))
    page = Page(copied / "report.html")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in page.all("a")]
    assert {"#layers", "figures/layers.svg", "figures/layers.csv"} <= set(links)
    assert all((copied / link).is_file() for link in links if not link.startswith(("#", "http")))
    sheets = [
        attributes["alt"]
        for attributes in page.all("img")
        if "unedited; moved along" in attributes.get("alt", "")
    ]
    assert set(sheets) == {
        f"Rows are samples. Columns: unedited; moved along {name} at these layers: {layers}."
        for name, layers in (
            ("seen/left", "bottom, lower, upper, top, all"),
            ("seen/red", "top, bottom, lower, upper, all"),
        )
    }
    with (copied / "analysis/layers/layers.csv").open(encoding="utf-8", newline="") as file:
        table = {
            (row["boundary"], row["layers"]): row
            for row in csv.DictReader(file)
            if row["of"] == "own concept"
        }
    (cells,) = [rows for rows in page.cells if rows[0][:3] == ["Concept", "Layers", "Own concept"]]
    assert len(cells) == 11
    for name, where, own, *_ in cells[1:]:
        row = table[name, where.removesuffix(", right")]
        assert own.split()[0] == number(float(row["value"]))
        assert where.endswith(", right") == (row["right"] == "True")


def test_one_level_is_not_compared_with_others(fakes, config, page: Page, tmp_path: Path) -> None:
    config["concepts"] = {"include": ["seen/left"]}
    alone = " ".join(Page(ganstrata.run(config, tmp_path / "run").path / "report.html").words)
    several = " ".join(page.words)
    assert "Mean depths in numbers" in alone
    assert "How deep they lie" in alone
    for words in ("Holm's correction", "In which order they come"):
        assert words in several
        assert words not in alone


def test_depths_stand_in_a_table(page: Page, finished: Run) -> None:
    (cells,) = [rows for rows in page.cells if rows[0][:3] == ["Level or concept", "Level", "Mean depth"]]
    with (finished.path / "figures/depth.csv").open(encoding="utf-8", newline="") as file:
        expected = {
            (row["concept"] or f"{row['level']}, all"): number(float(row["mean_depth"] or "nan"))
            for row in csv.DictReader(file)
        }
    assert {row[0]: row[2] for row in cells[1:]} == expected
