"""Raw margins that do not vary: no command divides by their standard deviation, and all say so."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import ganstrata
import pytest
from ganstrata.core.analyses.ablation_result import ablation
from ganstrata.core.analyses.entanglement_result import entanglement
from ganstrata.core.analyses.hierarchy_result import hierarchy
from ganstrata.core.analyses.ranking_result import ranking
from ganstrata.core.analyses.request import AnalysisRequest
from ganstrata.core.pipeline.analyse import analyse_layers, analyse_run, analyse_runs
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.progress import Progress

SENTENCE = "These concepts do not vary here, so their changes have no unit: still/margin, still/place."


@pytest.fixture
def still(fakes, config, tmp_path: Path) -> Path:
    """Return a run with two constant margins; it has one worker, so that its warnings are errors here."""
    config["scorers"].append({"use": "fake_still", "as": "still"})
    config["rescoring"] |= {"samples": 16, "layers": ["all", "each", "groups"]}
    config["editing"] = {"samples": 1, "steps": 2}
    config["engine"] = {"workers": 1}
    return ganstrata.run(config, tmp_path / "still").path


def test_every_analysis_does_without_a_unit(still: Path) -> None:
    effects = read_effects(ganstrata.open_run(still))
    assert effects.constant == ["still/margin", "still/place"]
    assert "does not vary here" in (still / "report.html").read_text(encoding="utf-8")
    with (still / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["concept"].startswith("still/")]
    assert {(row["mean"], row["mean_in_sd"]) for row in rows} == {("0", "")}

    result, folder = analyse_run(still, AnalysisRequest(), entanglement, "entanglement")
    assert SENTENCE in result.sentences
    with (folder / "pairs.csv").open(encoding="utf-8", newline="") as file:
        assert {row["mean_in_sd"] for row in csv.DictReader(file) if row["concept"] == "still/margin"} == {""}
    result, _ = analyse_layers(still, AnalysisRequest(), progress=Progress(quiet=True))
    assert SENTENCE in result.sentences
    for analyse, name in ((ranking, "ranking"), (hierarchy, "hierarchy")):
        analyse_runs([still], AnalysisRequest(), analyse, name)
    analyse_run(still, AnalysisRequest(), ablation, "ablation")


def test_edited_pictures_show_their_scores_without_a_change(still: Path) -> None:
    edits = ganstrata.manipulate(
        still, ["seen/red"], kinds=("strip", "html"), search=True, start=-4.0, end=4.0, samples=[0, 1]
    )
    assert (edits.path / "manipulate.html").is_file()
    shutil.rmtree(edits.path)
