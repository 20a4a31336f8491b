"""The single stages as commands over a run directory."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.stages import STAGES


def test_stages_one_by_one_make_the_same_run(
    invoke, written, config, tmp_path: Path, contents, finished: Run
) -> None:
    run = tmp_path / "run"
    assert invoke("synthesize", run, "--config", written(config)).exit_code == 0
    for stage in STAGES[1:]:
        result = invoke(stage, run, "--quiet")
        assert result.exit_code == 0
        assert result.stderr == ""
    assert result.stdout == f"Report: {run / 'report.html'}\n"
    assert contents(run) == contents(finished.path)


def test_a_stage_names_the_one_that_is_missing(invoke, written, config, tmp_path: Path) -> None:
    run = tmp_path / "run"
    invoke("synthesize", run, "--config", written(config), "--set", "synthesis.samples=320")
    assert ganstrata.open_run(run).config.synthesis.samples == 320
    result = invoke("edit", run)
    assert result.exit_code == 2
    assert f"the stage `learn` is not complete; run `ganstrata learn {run}` first" in result.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_a_folder_without_a_run_is_refused(stage: str, invoke, tmp_path: Path) -> None:
    result = invoke(stage, tmp_path / "none")
    assert result.exit_code == 2
    assert "is not a run directory: there is no such directory" in result.stderr
    assert not (tmp_path / "none").exists()


def test_a_stage_that_was_done_says_so(invoke, copied: Path) -> None:
    result = invoke("synthesize", copied)
    assert result.exit_code == 0
    assert "synthesize: was done before" in result.stderr


def test_values_are_set_with_a_config_only(invoke, copied: Path) -> None:
    result = invoke("synthesize", copied, "--set", "synthesis.samples=3")
    assert result.exit_code == 2
    assert "--set goes with --config" in result.stderr
