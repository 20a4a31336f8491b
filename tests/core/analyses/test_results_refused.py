"""Runs that cannot be compared are refused, and a result that cannot be written leaves what was there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ganstrata.core.analyses.ablation_result import ablation
from ganstrata.core.analyses.hierarchy_result import hierarchy
from ganstrata.core.analyses.ranking_result import ranking
from ganstrata.core.analyses.request import AnalysisRequest
from ganstrata.core.errors import ConfigError, GanstrataError, RunError, UserError
from ganstrata.core.pipeline.analyse import analyse_run, analyse_runs
from ganstrata.core.runs.progress import Progress
from ganstrata.core.storage.seal import sealed_text

pytestmark = pytest.mark.usefixtures("fakes")
QUIET = Progress(quiet=True)


def changed_scorer(manifest: dict) -> None:
    manifest["config"]["scorers"][0]["with"] = {"noise": 1.0}


def other_checkpoint(manifest: dict) -> None:
    manifest["checkpoints"]["seen"] = "0" * 64


def other_distance(manifest: dict) -> None:
    manifest["config"]["rescoring"]["distance"] = 3.0


def other_concepts(manifest: dict) -> None:
    manifest["config"]["scorers"][0]["as"] = "looked"
    for row in manifest["concepts"]:
        row["id"] = row["id"].replace("seen/", "looked/")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            changed_scorer,
            "the scorer 'seen' is not the same: "
            'fake_readings {} in copied, fake_readings {"noise": 1.0} in other',
        ),
        (other_checkpoint, "the checkpoint of the scorer 'seen' is not the same"),
        (other_distance, "samples were moved different distances: 2.0 in copied, 3.0 in other"),
        (other_concepts, "no concept is scored in both: seen/chance, seen/checks"),
    ],
)
@pytest.mark.parametrize("analysis", [ranking, hierarchy])
def test_runs_that_are_not_comparable_are_refused(
    copied: Path, other, tmp_path: Path, change, words: str, analysis
) -> None:
    path = other(change)
    if change is other_concepts:
        text = (path / "boundaries.json").read_text(encoding="utf-8")
        (path / "boundaries.json").write_text(text.replace("seen/", "looked/"), encoding="utf-8")
        manifest = json.loads((path / "run.json").read_text(encoding="utf-8"))
        digest = hashlib.sha256((path / "boundaries.json").read_bytes()).hexdigest()
        manifest["stages"]["learn"]["files"]["boundaries.json"] = digest
        (path / "run.json").write_text(sealed_text(manifest), encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be compared in one figure") as error:
        analyse_runs([copied, path], AnalysisRequest(out=tmp_path / "both"), analysis, "x")
    assert words in str(error.value)
    assert "copied and other" in str(error.value)
    assert not (tmp_path / "both").exists()


def test_groups_of_other_names_are_refused(copied: Path, other, tmp_path: Path) -> None:
    def change(manifest: dict) -> None:
        manifest["groups"] = {"early": [0, 1, 2, 3], "late": [4, 5, 6, 7]}

    with pytest.raises(
        ConfigError,
        match="the layer groups differ: bottom, lower, upper, top in copied, early, late in other",
    ):
        analyse_runs([copied, other(change)], AnalysisRequest(out=tmp_path / "both"), hierarchy, "hierarchy")


def test_where_a_result_may_be_written(copied: Path, other, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 runs: give --out"):
        analyse_runs([copied, other()], AnalysisRequest(), ranking, "ranking")
    with pytest.raises(UserError, match="the same run is named twice"):
        analyse_runs([copied, copied / "."], AnalysisRequest(out=tmp_path / "x"), ranking, "ranking")
    with pytest.raises(RunError, match="is not a run directory"):
        analyse_runs([tmp_path / "missing"], AnalysisRequest(), ranking, "ranking")
    assert not (tmp_path / "missing").exists()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="did not write there"):
        analyse_runs([copied], AnalysisRequest(out=taken), ranking, "ranking")
    (taken / "thesis.tex").unlink()
    for top in (1, 2):  # an earlier result is replaced
        analyse_runs([copied], AnalysisRequest(out=taken, top=top), ranking, "ranking")
        assert len((taken / "ranking.csv").read_text().splitlines()) == 1 + top
    (taken / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="did not write there"):
        analyse_runs([copied], AnalysisRequest(out=taken), ranking, "ranking")
    with pytest.raises(RunError, match="did not write there"):
        analyse_run(copied, AnalysisRequest(out=copied), ablation, "ablation")


def test_a_write_that_fails_leaves_what_was_there(copied: Path, fill_disk_at) -> None:
    _, folder = analyse_run(copied, AnalysisRequest(), ablation, "ablation")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    fill_disk_at("rankings.csv")
    with pytest.raises(GanstrataError, match="the disk is full"):
        analyse_run(copied, AnalysisRequest(top=1), ablation, "ablation")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
