"""Listeners hear how every stage ends, and cannot disturb each other or the run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from ganstrata import Results, RunError, hookimpl, open_run
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import DataError
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.plugins.registry import registry
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.stages import STAGES


class Diary:
    """Records the events that it receives."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    @hookimpl
    def ganstrata_stage_started(self, stage: str) -> None:
        self.heard.append(("started", stage))

    @hookimpl
    def ganstrata_stage_finished(self, stage: str, run: Results) -> None:
        self.heard.append(("finished", stage, "seconds" in run.manifest["stages"][stage]))

    @hookimpl
    def ganstrata_stage_failed(self, stage: str, error: BaseException) -> None:
        self.heard.append(("failed", stage, type(error)))


class Broken:
    """Damages its arguments, then raises."""

    def __init__(self, error: BaseException, at: str) -> None:
        self.error, self.at = error, at

    @hookimpl
    def ganstrata_stage_started(self, stage: str, run: Results) -> None:
        self._spoil(run, "started")

    @hookimpl
    def ganstrata_stage_finished(self, stage: str, run: Results) -> None:
        self._spoil(run, "finished")

    @hookimpl
    def ganstrata_stage_failed(self, stage: str, run: Results) -> None:
        self._spoil(run, "failed")

    def _spoil(self, run: Results, event: str) -> None:
        run.manifest.clear()
        if event == self.at:
            raise self.error


@pytest.fixture
def worked(fakes, config, copied: Path):
    """Return a function worked(listener, ...) that writes the report again and returns standard error."""

    def run_with(*listeners: object) -> str:
        for listener in listeners:
            registry().hooks.register(listener)
        (copied / "report.html").unlink()
        stderr = io.StringIO()
        perform(
            validate(config, "test"),
            copied,
            STAGES,
            source="test",
            progress=Progress(quiet=True, stream=stderr),
        )
        return stderr.getvalue()

    return run_with


HEARD = [("started", "report"), ("finished", "report", True)]


@pytest.mark.parametrize(
    "error", [ValueError("x" * 5000), SystemExit(3), RuntimeError("two\nlines \x1b[31m")]
)
@pytest.mark.parametrize("at", ["started", "finished"])
def test_a_listener_that_raises_is_named_and_the_run_goes_on(
    worked, copied: Path, error: BaseException, at: str, contents, finished: Run
) -> None:
    first, last = Diary(), Diary()
    stderr = worked(first, Broken(error, at), last)
    assert first.heard == last.heard == HEARD
    assert f"failed in ganstrata_stage_{at} of `report`: {type(error).__name__}" in stderr
    assert f"({__file__}:" in stderr
    assert stderr.count("\n") == 1
    assert len(stderr) < 1000
    assert "\x1b" not in stderr
    assert contents(copied) == contents(finished.path)
    assert Run.open(copied).is_done("report")


def test_a_plugin_is_named_with_its_distribution(worked, fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    (plugin,) = [p for p in registry().hooks.get_plugins() if getattr(p, "__name__", "") == "ganstrata_fakes"]
    name = registry().hooks.get_name(plugin)
    registry().hooks.unregister(plugin)
    registry().hooks.register(Broken(ValueError("no"), "started"), name=name)
    assert "listener ganstrata-fakes 1.0:fakes failed" in worked()


@pytest.mark.parametrize("error", [DataError("no"), ZeroDivisionError(), KeyboardInterrupt(), SystemExit(4)])
def test_a_failure_is_heard_and_raised_again(
    worked, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("ganstrata.core.report.stage.gather", fail)
    diary = Diary()
    with pytest.raises(type(error)):
        worked(Broken(ValueError("no"), "failed"), diary)
    assert diary.heard == [("started", "report"), ("failed", "report", type(error))]


def test_a_listener_reads_the_results_of_complete_stages(worked, copied: Path) -> None:
    """As open_run gives them; those of a stage that is not complete are an error."""
    seen: list[tuple[int, int]] = []

    class Reader:
        @hookimpl
        def ganstrata_stage_started(self, run: Results) -> None:
            seen.append((len(run.samples.w), len(run.boundaries)))
            del run.record.stages["rescore"]
            with pytest.raises(RunError):
                _ = run.effects

    assert not worked(Reader())
    run = open_run(copied)
    assert seen == [(len(run.samples.w), len(run.boundaries))]


def test_interrupting_a_listener_interrupts_the_run(worked) -> None:
    with pytest.raises(KeyboardInterrupt):
        worked(Broken(KeyboardInterrupt(), "started"))
