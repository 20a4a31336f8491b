"""Ranking, hierarchy, entanglement, ablation and right layers of a run where every concept has one layer."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from ganstrata.core.analyses.ablation_result import ablation
from ganstrata.core.analyses.entanglement_result import entanglement
from ganstrata.core.analyses.hierarchy import order_rows
from ganstrata.core.analyses.hierarchy_result import hierarchy
from ganstrata.core.analyses.ranking_result import ranking
from ganstrata.core.analyses.request import AnalysisRequest, select_boundaries, select_layer_set
from ganstrata.core.analyses.result import AnalysisResult
from ganstrata.core.analyses.right_layers_result import read_layers
from ganstrata.core.errors import ConfigError, LayerError, UserError
from ganstrata.core.figures.pictures import read_picture
from ganstrata.core.pipeline.analyse import analyse_layers, analyse_run, analyse_runs
from ganstrata.core.plugins.records import LEVELS
from ganstrata.core.rescoring.hierarchy import hierarchy_of
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run

pytestmark = pytest.mark.usefixtures("fakes")
QUIET = Progress(quiet=True)
LAYER = {"seen/left": 1, "seen/checks": 2, "seen/stripes": 5, "seen/red": 7}
GROUP = {"seen/left": "bottom", "seen/checks": "lower", "seen/stripes": "upper", "seen/red": "top"}


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def check_files(result: AnalysisResult, folder: Path) -> None:
    index = json.loads((folder / f"{result.name}.json").read_text(encoding="utf-8"))
    assert {file.name for file in folder.iterdir()} == {*index["files"], f"{result.name}.json"}
    assert index["files"] == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in index["files"]
    }
    assert index["sentences"] == result.sentences
    assert {len(row) for row in result.table.rows} <= {len(result.table.columns)}


def test_ranking_is_that_of_the_report_with_places(copied: Path, effects: Effects) -> None:
    result, folder = analyse_runs([copied], AnalysisRequest(), ranking, "ranking")
    check_files(result, folder)
    assert folder == copied / "analysis/ranking"
    assert (folder / "ranking.csv").read_bytes() == (copied / "figures/ranking.csv").read_bytes()
    table = rows(folder / "places.csv")
    assert [row["concept"] for row in table] == [effects.boundaries[i].name for i in effects.ranking()]
    for place, row in enumerate(table, start=1):
        assert float(row["place_low"]) <= place <= float(row["place_high"])
        assert row["run"] == "copied"
    by_name = {row["concept"]: row for row in table}
    assert float(by_name["seen/chance"]["place_high"]) > 4.0  # the planted four stand before it
    assert all(
        float(by_name[name]["place_high"]) <= 5.0 for name in LAYER
    )  # seen/half is seen/left where it is defined


def test_ranking_at_some_layers_compares_effects_with_chance_there(copied: Path, effects: Effects) -> None:
    _, folder = analyse_runs(
        [copied], AnalysisRequest(layers="6-7", levels=("colour", "layout"), top=2), ranking, "ranking"
    )
    table = rows(folder / "ranking.csv")
    assert table[0]["boundary"] == "seen/red"
    assert len(table) == 2
    place, j = (
        list(effects.sets).index("top"),
        int(effects.own[effects.boundaries.names.index("seen/red")]),
    )
    null = effects.null[0, :, place, j]
    means = null[:, 1] / null[:, 0] / effects.concepts[j].sd
    assert float(table[0]["null_high"]) == pytest.approx(means.mean() + 2.0 * means.std(ddof=1), rel=1e-4)
    assert json.loads((folder / "ranking.json").read_text(encoding="utf-8"))["asked"]["layers"] == "top"


def test_several_rankings_stand_in_one_figure(copied: Path, other, tmp_path: Path) -> None:
    result, folder = analyse_runs(
        [copied, other()], AnalysisRequest(out=tmp_path / "both"), ranking, "ranking"
    )
    check_files(result, folder)
    assert not (copied / "analysis").exists()
    table = rows(folder / "ranking.csv")
    assert {row["run"] for row in table} == {"copied", "other"}
    assert [row["boundary"] for row in table if row["run"] == "other"] == [
        row["boundary"] for row in table if row["run"] == "copied"
    ]
    assert (folder / "ranking.svg").read_text(encoding="utf-8").count(">seen/red</text>") == 2
    (agreement,) = rows(folder / "agreement.csv")
    assert agreement["rank_correlation"] == "1"
    assert (
        "copied and other: 6 of 6 shown concepts are the same; rank correlation over 6 concepts 1.00"
        in " ".join(result.sentences)
    )


def test_depths_and_their_order(copied: Path) -> None:
    result, folder = analyse_runs([copied], AnalysisRequest(), hierarchy, "hierarchy")
    check_files(result, folder)
    for row in rows(folder / "depths.csv"):
        if row["concept"] in LAYER:
            assert float(row["low"]) - 0.2 <= LAYER[row["concept"]] <= float(row["high"]) + 0.2
            assert float(row["mean_depth"]) == pytest.approx(LAYER[row["concept"]], abs=0.3)
    order = {(row["level"], row["other_level"]): row for row in rows(folder / "order.csv")}
    assert set(order) == set(combinations(("layout", "category", "attribute", "colour"), 2))
    for row in order.values():
        assert float(row["low"]) > 0.0
        assert float(row["before_in_share"]) == 1.0
        assert float(row["p_corrected"]) == pytest.approx(6 * 2 / 201, rel=1e-4)  # six pairs, 200 resamplings
    # 200 resamplings cannot tell six pairs apart after the correction, and the sentences know.
    assert "Layout and category do not differ significantly" in " ".join(result.sentences)
    shares = {(row["level"], row["group"]): float(row["share"]) for row in rows(folder / "groups.csv")}
    assert shares["attribute", "upper"] > 0.9
    assert (folder / "hierarchy_groups.svg").read_bytes() == (
        copied / "figures/hierarchy_groups.svg"
    ).read_bytes()


def test_hierarchies_of_several_runs(copied: Path, other, tmp_path: Path) -> None:
    request = AnalysisRequest(levels=("layout", "colour"), top=1, out=tmp_path / "both")
    result, folder = analyse_runs([copied, other()], request, hierarchy, "hierarchy")
    check_files(result, folder)
    assert {(row["run"], row["level"]) for row in rows(folder / "hierarchy.csv")} == {
        (r, v) for r in ("copied", "other") for v in ("layout", "colour")
    }
    depth = {row["level"]: float(row["depth_as_part"]) for row in rows(folder / "hierarchy.csv")}
    assert depth["colour"] == pytest.approx(1.0, abs=0.05)  # of layers 0 to 7
    assert depth["layout"] == pytest.approx(1.0 / 7.0, abs=0.05)
    assert "Colour peaks at the top layers in all 2 runs that have it." in result.sentences


def test_entanglement_is_the_whole_matrix(copied: Path, effects: Effects) -> None:
    result, folder = analyse_run(copied, AnalysisRequest(), entanglement, "entanglement")
    check_files(result, folder)
    table = {(row["boundary"], row["concept"]): row for row in rows(folder / "pairs.csv")}
    assert len(table) == len(effects.boundaries) * len(effects.concepts)
    q = effects.q[:, effects.all_set, 0]
    for (name, concept), row in table.items():
        i, j = effects.boundaries.names.index(name), [c.id for c in effects.concepts].index(concept)
        np.testing.assert_allclose(float(row["q_value"] or "nan"), q[i, j], rtol=1e-4)
        assert (row["own"] == "True") == (concept == effects.boundaries[i].concept)
    assert (folder / "entanglement.csv").read_bytes() == (copied / "figures/entanglement.csv").read_bytes()
    assert float(table["seen/red", "seen/half"]["cosine"]) == pytest.approx(
        float(effects.boundaries.of("seen/red").normal @ effects.boundaries.of("seen/half").normal),
        abs=1e-4,
    )


def test_entanglement_can_be_narrowed_and_clustered(copied: Path) -> None:
    request = AnalysisRequest(concepts=("seen/left", "seen/red", "seen/half"), layers="bottom", cluster=True)
    _, folder = analyse_run(copied, request, entanglement, "entanglement")
    table = rows(folder / "pairs.csv")
    assert {row["boundary"] for row in table} == set(request.concepts)
    order = list(dict.fromkeys(row["boundary"] for row in rows(folder / "entanglement.csv")))
    assert abs(order.index("seen/left") - order.index("seen/half")) == 1  # half is left, where it has a score
    red = {row["concept"]: float(row["mean_in_sd"]) for row in table if row["boundary"] == "seen/red"}
    assert abs(red["seen/red"]) < 0.1  # it lives in the last layer


def test_ablation_sets_three_rankings_side_by_side(copied: Path, effects: Effects) -> None:
    result, folder = analyse_run(copied, AnalysisRequest(), ablation, "ablation")
    check_files(result, folder)
    assert (folder / "ablation.csv").read_bytes() == (copied / "figures/ablation.csv").read_bytes()
    table = rows(folder / "rankings.csv")
    for row in table:
        assert not row["value"] or float(row["low"]) <= float(row["value"]) <= float(row["high"])
    accuracy = {
        row["concept"]: float(row["high"]) - float(row["low"])
        for row in table
        if row["ranking"] == "held-out accuracy"
    }
    # 200 samples, of which 60 are held out: an accuracy near one half is known to a quarter.
    assert 0.2 < accuracy["seen/chance"] < 0.26
    assert {row["rank_correlation"] != "" for row in rows(folder / "agreement.csv")} == {True}
    factors = len(effects.factor_names)
    assert f"{factors} by re-scoring." in result.sentences[-1]


def test_right_and_wrong_layers(copied: Path, effects: Effects) -> None:
    result, folder = analyse_layers(copied, AnalysisRequest(concepts=tuple(LAYER)), progress=QUIET)
    check_files(result, folder)
    table = rows(folder / "sides.csv")
    for name, group in GROUP.items():
        own = {row["layers"]: row for row in table if row["boundary"] == name and row["of"] == "own concept"}
        assert [label for label, row in own.items() if row["right"] == "True"] == [group]
        assert next(iter(own)) == group
        assert float(own[group]["value"]) == pytest.approx(float(own["all"]["value"]), rel=0.1)
        assert all(
            abs(float(row["value"])) < 0.1 * float(own[group]["value"])
            for label, row in own.items()
            if label not in (group, "all")
        )
        picture = read_picture((folder / f"{name.replace('/', '.')}.png").read_bytes())
        assert picture.shape == (
            2 * (128 + 2) - 2 + 32,
            6 * (128 + 2) - 2,
            3,
        )  # two samples; unedited, four groups, all
    assert len(rows(folder / "concepts.csv")) == 4 * 5 * len(effects.concepts)
    page = (copied / "report.html").read_text(encoding="utf-8")
    assert 'id="layers"' in page
    assert result.sentences[0].split(" [")[0] in page
    Run.open(copied).require("synthesize", "learn", "rescore", "edit", "report")


def test_the_right_layers_can_be_named(copied: Path) -> None:
    result, folder = analyse_layers(
        copied, AnalysisRequest(concepts=("seen/red",), layers="0"), progress=QUIET
    )
    table = rows(folder / "layers.csv")
    assert {row["layers"] for row in table if row["right"] == "True"} == {"0"}
    assert (
        "seen/red itself rises most at the top layers: --layers top may be a better choice."
        in result.sentences
    )


def test_the_chapter_follows_the_run_and_says_what_no_longer_fits(copied: Path, effects: Effects) -> None:
    run = Run.open(copied)
    assert read_layers(run, effects) is None
    analyse_layers(copied, AnalysisRequest(concepts=("seen/red",)), progress=QUIET)
    comparison = read_layers(run, effects)
    assert comparison is not None
    assert comparison.fault == ""
    less = replace(effects, factors=np.zeros_like(effects.factors))
    faulty = read_layers(run, less)
    assert faulty is not None
    assert "single layers do not show where colour peaks" in faulty.fault
    (copied / "analysis/layers/layers.json").write_text("{", encoding="utf-8")
    damaged = read_layers(run, effects)
    assert damaged is not None
    assert "is damaged" in damaged.fault


def test_a_layer_set_goes_by_its_name_or_its_numbers(effects: Effects) -> None:
    names = list(effects.sets)
    assert select_layer_set(effects, None) == ("all", names.index("all"))
    assert (
        select_layer_set(effects, "upper")
        == select_layer_set(effects, "4,5")
        == ("upper", names.index("upper"))
    )
    assert select_layer_set(effects, "0-7")[0] == "all"
    with pytest.raises(LayerError, match=r"were not re-scored together\. This run has all, 0, 1"):
        select_layer_set(effects, "3-4")
    with pytest.raises(LayerError, match="several layer sets"):
        select_layer_set(effects, "groups")


def test_all_wrong_names_are_reported_together(effects: Effects) -> None:
    with pytest.raises(ConfigError) as error:
        select_boundaries(effects, AnalysisRequest(concepts=("seen/rde", "seen/*"), levels=("color",)))
    assert len(error.value.faults) == 2
    assert "Did you mean 'seen/red'?" in str(error.value)
    assert "Did you mean 'colour'?" in str(error.value)
    with pytest.raises(
        UserError, match="no boundary is of level layout and matches seen/red; there are boundaries of"
    ):
        select_boundaries(effects, AnalysisRequest(concepts=("seen/red",), levels=("layout",)))


def test_runs_that_stopped_early_are_analysed_too(config, tmp_path: Path) -> None:
    config["rescoring"] |= {"adaptive": True, "samples": 96}
    run = ganstrata.run(config, tmp_path / "adaptive")
    effects = read_effects(run)
    _, folder = analyse_runs([run.path], AnalysisRequest(), hierarchy, "hierarchy")
    depth = {row["concept"]: row for row in rows(folder / "depths.csv")}
    for name in ("seen/left", "seen/red"):
        assert float(depth[name]["low"]) - 0.3 <= LAYER[name] <= float(depth[name]["high"]) + 0.3
    _, folder = analyse_layers(run.path, AnalysisRequest(concepts=("seen/red",)), progress=QUIET)
    own = {
        row["layers"]: float(row["value"]) for row in rows(folder / "sides.csv") if row["of"] == "own concept"
    }
    assert own["top"] == pytest.approx(own["all"], rel=0.2)
    assert all(
        row["random"] for row in rows(folder / "sides.csv") if row["of"] not in ("own concept", "object")
    )
    result, _ = analyse_run(run.path, AnalysisRequest(), entanglement, "entanglement")
    assert result.sentences[0].startswith(
        "Moved at all layers: 0 of 36 effects"
    )  # what is planted is orthogonal
    result, _ = analyse_run(run.path, AnalysisRequest(), ablation, "ablation")
    assert [row[3].split()[0] for row in result.table.rows[:4]] == [
        effects.boundaries[i].name for i in effects.ranking()[:4]
    ]


def test_a_generator_of_one_layer_has_no_hierarchy_but_a_ranking(config, tmp_path: Path) -> None:
    config["generator"] = {"use": "fake_flat"}
    config["rescoring"].pop("groups")
    run = ganstrata.run(config, tmp_path / "flat")
    for analyse, words in (
        (lambda: analyse_runs([run.path], AnalysisRequest(), hierarchy, "hierarchy"), "one layer"),
        (lambda: analyse_layers(run.path, AnalysisRequest(), progress=QUIET), "no right and wrong"),
    ):
        with pytest.raises(UserError, match=words):
            analyse()
    result, _ = analyse_runs([run.path], AnalysisRequest(), ranking, "ranking")
    assert "seen/red" in {row[1] for row in result.table.rows}


def test_of_two_levels_the_shallower_is_named_first(effects: Effects) -> None:
    """The order of the table of levels does not matter."""
    rows = [effects.boundaries.names.index(name) for name in ("seen/left", "seen/red")]
    changes = effects.changes[rows][:, effects.single_layers(), 0]
    for levels in (
        ("colour", "layout"),
        ("layout", "colour"),
    ):  # of the concept at layer 1, and of that at layer 7
        h = hierarchy_of(
            changes, ["seen/left", "seen/red"], levels, LEVELS, effects.groups, bootstrap=100, seed=0
        )
        ((first, second, difference, low, high, before, p, corrected),) = order_rows(h)
        assert (first, second) == levels
        assert 5.0 < low < difference < high < 7.0
        assert before == 1.0
        assert p == corrected == pytest.approx(2.0 / 101.0)
