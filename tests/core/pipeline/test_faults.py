"""Failures are reported in words and with the right exit code, and earlier results stay usable."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import pytest
from ganstrata.core.errors import DataError, GanstrataError, RunError, ScoreError
from ganstrata.core.plugins.registry import registry
from ganstrata.core.runs.lock import locked
from ganstrata.core.runs.run import Run
from processes import until


class FullDisk:
    """Lets a number of writes pass, then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.refused = 0, 0
        monkeypatch.setattr(os, "fsync", self._guarded(os.fsync))

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if self.left <= 0:
                self.refused += 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.left -= 1
            return function(*arguments)

        return call


def test_a_disk_that_fills_up_anywhere_stops_the_run_and_no_more(
    invoke, written, config, tmp_path: Path, contents, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, run, room, attempts = FullDisk(monkeypatch), tmp_path / "run", 0, 0
    while True:
        disk.left, attempts = room, attempts + 1
        result = invoke("run", written(config), "--out", run)
        if result.exit_code == 0:
            break
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert "Error: cannot write" in result.stderr
        assert "No space left on device" in result.stderr
        assert "make room, then run the same command again" in result.stderr
        assert not list(run.rglob("*.part"))
        room = room * 5 // 3 + 1
    assert attempts > 8
    assert contents(run) == contents(finished.path)


def test_too_little_disk_space_is_reported_before_the_run(
    invoke, written, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ganstrata.core.pipeline.forecast.shutil.disk_usage", lambda _: type("Usage", (), {"free": 10_000})()
    )
    result = invoke("run", written(config), "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "the samples need about 1 MiB, but 0 MiB are free" in result.stderr
    assert not (tmp_path / "run" / "samples.zarr").exists()


def test_a_directory_that_is_in_use_is_refused(invoke, written, config, copied: Path, contents) -> None:
    lines = (
        "from pathlib import Path",
        "from ganstrata.core.runs.lock import locked",
        f"with locked(Path({str(copied)!r})):",
        "    print('held', flush=True)",
        "    input()",
    )
    program = "\n".join(lines)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        before = contents(copied)
        for command in (("run", written(config), "--out", copied), ("report", copied)):
            result = invoke(*command)
            assert result.exit_code == 2
            assert f"{copied} is in use by another process" in result.stderr
        assert contents(copied) == before
        other.communicate("\n")
    with locked(copied):
        pass


def test_a_run_without_its_manifest_is_named_and_left_alone(
    fakes, finished: Run, config, tmp_path: Path, contents
) -> None:
    path = tmp_path / "run"
    shutil.copytree(finished.path, path)
    (path / "run.json").unlink()
    before = contents(path)
    with pytest.raises(RunError, match=r"it has no run\.json; put it back"):
        ganstrata.run(config, path)
    assert contents(path) == before


def test_a_directory_that_cannot_be_made_leaves_none_above_it(tmp_path: Path) -> None:
    with pytest.raises(GanstrataError, match="cannot write"), locked(tmp_path / "new" / ("a" * 300)):
        pass
    assert not (tmp_path / "new").exists()


def test_a_directory_that_holds_something_else_is_refused(fakes, config, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(RunError, match="exists and is not a run directory"):
        ganstrata.run(config, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(RunError, match="exists and is not a run directory"):
        ganstrata.run(config, tmp_path / "mine.txt")


def test_interrupting_leaves_a_run_that_continues(
    fakes, written, config, start, tmp_path: Path, contents, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setenv("FAKES_SLEEP", "0.05")
    process = start("run", written(config), "--out", run, "--set", "engine.workers=2")
    until(lambda: (run / "samples.zarr" / "done" / "stamp").exists())
    os.killpg(
        process.pid, signal.SIGINT
    )  # as a terminal does: the workers, which are just starting, get it too
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Error: interrupted. The same command continues the run in {run}." in stderr
    assert "Traceback" not in stderr
    monkeypatch.delenv("FAKES_SLEEP")
    ganstrata.run(config, run)
    assert contents(run) == contents(finished.path)


def test_interrupting_one_worker_leaves_a_run_that_continues(
    invoke, written, config, tmp_path: Path, contents, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, passes = tmp_path / "run", iter(range(10**6))

    def interrupt(*_: object) -> object:
        if next(passes) == 150:
            raise KeyboardInterrupt
        return sums_of(*_)

    sums_of = ganstrata.core.rescoring.measure.sums_of
    monkeypatch.setattr("ganstrata.core.rescoring.measure.sums_of", interrupt)
    result = invoke("run", written(config), "--out", run)
    assert result.exit_code == 130
    assert "continues the run" in result.stderr
    assert invoke("rescore", run).exit_code == 0
    every = 2 * ((6 + 12) * 13 + 6)  # batches, directions, layer sets, and backwards at `all`
    assert (
        next(passes) <= every + 14 + 1
    )  # of what was done before, only the unit that was interrupted was done again
    assert invoke("run", written(config), "--out", run).exit_code == 0
    assert contents(run) == contents(finished.path)


def test_a_worker_that_dies_is_reported(
    invoke, written, compact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKES_DEADLY", "1")
    compact["engine"]["workers"] = 2
    result = invoke("run", written(compact), "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "Error: a worker process ended unexpectedly" in result.stderr
    assert "engine.workers" in result.stderr
    monkeypatch.delenv("FAKES_DEADLY")
    assert (
        invoke("run", written(compact), "--out", tmp_path / "run", "--set", "engine.workers=1").exit_code == 0
    )


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (
            "nan",
            r"scorer 'fake_unsound' from ganstrata-fakes .* gave nan as the score of 'ill' for 1 of 2 images",
        ),
        ("inf", r"gave inf as the score of 'ill'"),
        ("shape", r"returned scores of shape \(2, 1\); \(2, 2\) was expected"),
    ],
)
def test_scores_that_break_the_contract_are_a_failure(
    gives: str, words: str, fakes, config, tmp_path: Path
) -> None:
    config["scorers"] = [{"use": "fake_unsound", "with": {"gives": gives}}]
    with pytest.raises(ScoreError, match=words) as caught:
        ganstrata.run(config, tmp_path / "run")
    assert caught.value.exit_code == 1


def test_too_few_samples_for_the_positives_are_refused_before_anything_is_written(
    fakes, config, tmp_path: Path
) -> None:
    config["boundary"]["with"]["positives"] = 321
    with pytest.raises(
        GanstrataError,
        match=r"boundary -> with: every concept: 321 positives were requested.*2 to 320 are possible",
    ):
        ganstrata.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_concept_with_too_few_scores_is_left_out_with_its_reason(fakes, config, tmp_path: Path) -> None:
    config["boundary"]["with"] = {
        "positives": 300,
        "negatives": 300,
    }  # enough samples, but half of `half` is undefined
    run = ganstrata.run(config, tmp_path / "run")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "<b>seen/half</b>: 300 positives were requested" in page
    assert "seen/left" in run.manifest["stages"]["rescore"]["factors"]


def test_a_condition_in_the_span_of_its_own_is_a_user_error(fakes, config, tmp_path: Path) -> None:
    config["boundary"] = {"use": "fake_axes"}
    config["conditions"] = [{"edit": "seen/left", "keep": ["seen/left"]}]
    with pytest.raises(DataError, match="nothing is left to move along"):
        ganstrata.run(config, tmp_path / "run")


def broken(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    section, name = key.split(".")
    return {**config, section: {**config[section], name: value}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("synthesis.samples", 10_000_000_000_000),
        ("synthesis.batch_size", 100_000_000_000),
        ("boundary.with", {"positives": 10**9}),
    ],
)
def test_a_run_that_could_not_begin_leaves_nothing_behind(
    key: str, value: Any, invoke, written, compact, tmp_path: Path
) -> None:
    out = tmp_path / "runs/of/mine"
    result = invoke("run", written(broken(compact, key, value)), "--out", out)
    assert result.exit_code in (1, 2)
    assert not (tmp_path / "runs").exists()
    assert invoke("synthesize", out).exit_code == 2
    assert not (tmp_path / "runs").exists()
    out.mkdir(parents=True)
    invoke("run", written(broken(compact, key, value)), "--out", out)
    assert list(out.iterdir()) == []
    assert invoke("run", written(compact), "--out", out).exit_code == 0


def test_a_run_that_is_renamed_under_the_command_is_said_to_be(
    invoke, written, compact, tmp_path: Path, contents, compacted: Run
) -> None:
    class Mover:
        @ganstrata.hookimpl
        def ganstrata_stage_started(self, stage: str) -> None:
            if stage == "learn":
                (tmp_path / "run").rename(tmp_path / "elsewhere")

    mover = Mover()
    registry().hooks.register(mover)
    result = invoke("run", written(compact), "--out", tmp_path / "run")
    registry().hooks.unregister(mover)
    assert result.exit_code == 2
    assert f"Error: {tmp_path / 'run'} was removed or renamed while this command worked" in result.stderr
    assert invoke("run", written(compact), "--out", tmp_path / "elsewhere").exit_code == 0
    assert contents(tmp_path / "elsewhere") == contents(compacted.path)
