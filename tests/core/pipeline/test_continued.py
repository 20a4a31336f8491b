"""A run continued after its config changed equals one that had it from the start, and does no more again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import pytest
from ganstrata.core.analyses.entanglement_result import entanglement
from ganstrata.core.analyses.request import AnalysisRequest
from ganstrata.core.errors import GanstrataError
from ganstrata.core.pipeline.analyse import analyse_run
from ganstrata.core.runs.stages import STAGES
from ganstrata.core.storage.seal import sealed_text

Config = dict[str, Any]


def soft(config: Config) -> None:
    config["scorers"][1]["with"] = {"soft": True}


def reordered(config: Config) -> None:
    config["scorers"] = [config["scorers"][i] for i in (0, 2, 1)]


def removed(config: Config) -> None:
    del config["scorers"][1]


def added(config: Config) -> None:
    config["scorers"].insert(1, {"use": "fake_constant"})


def swapped(config: Config) -> None:
    config["scorers"][1]["as"], config["scorers"][2]["as"] = "parts", "colour"


def fewer(config: Config) -> None:
    config["concepts"]["include"] = ["seen/red"]


def conditional(config: Config) -> None:
    config["conditions"] = [{"edit": "seen/red", "keep": ["seen/left"]}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (soft, "scorer 'colour': its config changed"),
        (reordered, "scorers stand in another order"),
        (removed, "scorer 'colour' was taken out"),
        (added, "scorer 'fake_constant' is new"),
        (swapped, "scorer 'colour': was 'hue' from"),
    ],
)
def test_scorers_that_changed_are_heard_again(
    change: Callable[[Config], None], words: str, continued_as_fresh, compact: Config
) -> None:
    stderr = continued_as_fresh(compact, change)
    assert words in stderr
    assert "Done again: synthesize, learn, rescore, edit, report; the samples and " in stderr


@pytest.mark.parametrize(
    ("change", "words"), [(fewer, "concepts changed"), (conditional, "conditions changed")]
)
def test_other_boundaries_leave_the_samples(
    change: Callable[[Config], None], words: str, continued_as_fresh, compact: Config
) -> None:
    stderr = continued_as_fresh(compact, change, again=STAGES[1:])
    assert f"{words}. Done again: learn, rescore, edit, report; the samples and scores stay" in stderr


@pytest.mark.parametrize(
    ("section", "value", "again"),
    [("editing", {"samples": 2, "steps": 3}, STAGES[3:]), ("report", {"samples": 3}, STAGES[4:])],
)
def test_what_comes_late_makes_nothing_early_due(
    section: str, value: Config, again: tuple[str, ...], continued_as_fresh, compact: Config
) -> None:
    stderr = continued_as_fresh(compact, lambda config: config.update({section: value}), again=again)
    assert f"{section} changed. Done again: {', '.join(again)}; the samples and scores stay" in stderr


def test_a_default_that_is_written_out_is_not_a_change(
    compact: Config, worked: list[str], tmp_path: Path
) -> None:
    ganstrata.run(compact, tmp_path / "run")
    worked.clear()
    compact["scorers"][1]["with"] = {"soft": False}
    ganstrata.run(compact, tmp_path / "run")
    assert worked == []


def test_a_batch_size_edited_by_hand_mixes_no_pieces(
    fakes, compact: Config, tmp_path: Path, contents, worked: list[str]
) -> None:
    compact["synthesis"]["batch_size"] = "auto"
    ganstrata.run(compact, tmp_path / "run")
    text = json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))
    assert text["batch_size"] == 64
    text["batch_size"] = 16
    (tmp_path / "run/run.json").write_text(sealed_text(text), encoding="utf-8")
    worked.clear()
    continued = ganstrata.run(compact, tmp_path / "run")
    assert worked == list(STAGES)
    assert continued.batch == 16
    compact["synthesis"]["batch_size"] = 16
    fresh = ganstrata.run(compact, tmp_path / "fresh")
    assert (continued.path / "rescoring.csv").read_bytes() == (fresh.path / "rescoring.csv").read_bytes()


def test_results_computed_from_an_earlier_state_are_named(
    fakes, compact: Config, tmp_path: Path, capsys
) -> None:
    run = ganstrata.run(compact, tmp_path / "run")
    analyse_run(run.path, AnalysisRequest(), entanglement, "entanglement")
    ganstrata.manipulate(run.path, "seen/red", kinds="strip", seeds="0")
    (edit,) = (run.path / "manipulations").iterdir()
    ganstrata.run(compact, tmp_path / "run", quiet=False)
    assert "computed from an earlier state of the run" not in capsys.readouterr().err
    fewer(compact)
    ganstrata.run(compact, tmp_path / "run", quiet=False)
    assert (
        f"analysis/entanglement, manipulations/{edit.name} in {run.path}: "
        "computed from an earlier state of the run" in capsys.readouterr().err
    )


def test_files_of_boundaries_that_are_gone_are_gone(fakes, compact: Config, tmp_path: Path) -> None:
    run = ganstrata.run(compact, tmp_path / "run")
    mine = run.path / "edits/mine.txt"
    mine.write_text("kept", encoding="utf-8")
    assert (run.path / "edits/seen.left.all.png").is_file()
    fewer(compact)
    run = ganstrata.run(compact, tmp_path / "run")
    assert not (run.path / "edits/seen.left.all.png").exists()
    assert (run.path / "edits/seen.red.all.png").is_file()
    assert mine.is_file()
    assert run.record.leftovers == {}


def test_a_change_that_cannot_begin_keeps_what_is_there(
    fakes, compact: Config, tmp_path: Path, contents
) -> None:
    run = ganstrata.run(compact, tmp_path / "run")
    before, manifest = contents(run.path), (run.path / "run.json").read_bytes()
    compact["scorers"].append({"use": "fake_unsound"})
    with pytest.raises(GanstrataError, match="gave nan as the score"):
        ganstrata.run(compact, tmp_path / "run")
    assert contents(run.path) == before
    assert (run.path / "run.json").read_bytes() == manifest
