"""How far a run is, as anybody may read it: while it goes on, when it stopped, and when it is silent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ganstrata.core.plugins.engine import JobOutcome
from ganstrata.core.runs import status
from ganstrata.core.runs.manifest import StoreRecord
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.status import DriverStatus, read_status, telling
from processes import marks, until


@pytest.fixture
def copied(finished: Run, tmp_path: Path) -> Run:
    """A finished run, which a test may change."""
    shutil.copytree(finished.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def stated(**change: str) -> str:
    """Return what a process says of itself, with some values as JSON has them."""
    known = {"host": '"far"', "pid": "1", "began": "1e9", "beat": "1e9"} | change
    return "{" + ", ".join(f'"{key}": {value}' for key, value in known.items()) + "}"


def engine() -> Any:
    outcomes = {("far", 7): (time.time(), JobOutcome(5, host="far", pid=7, seconds=1.5))}
    return SimpleNamespace(seen=outcomes, lost=["task 3 was done again: gone"])


def test_a_finished_run_has_no_file_and_is_complete(copied: Run) -> None:
    found = read_status(copied.path)
    assert (found.state, found.missing, found.driver) == ("complete", (), None)
    assert list(found.stages) == ["synthesize", "learn", "rescore", "edit", "report"]
    assert found.stages["learn"] == copied.record.stages["learn"].seconds
    assert found.lines()[0] == f"{copied.path}: complete"


def test_while_it_goes_on_the_stage_its_rate_and_its_workers_are_told(copied: Run) -> None:
    copied.drop(["edit", "report"])
    copied.save()
    progress = Progress(quiet=True)
    with telling(copied, engine(), progress), progress.stage("edit", total=50, done=10) as step:
        step(20)
        (copied.path / status.FILE).unlink()
        until(lambda: (copied.path / status.FILE).exists())
        found = read_status(copied.path)
        assert found.state == "running"
        assert found.driver is not None
        assert (found.driver.stage, found.driver.done, found.driver.total) == ("edit", 30, 50)
        assert found.driver.rate > 20 / step.seconds > 0.0  # it was written before
        assert found.driver.pid == os.getpid()
        text = "\n".join(found.lines())
        assert f"running, process {os.getpid()} on " in text
        assert "edit: 30 of 50, " in text
        assert "worker far 7: task 5 in 1.5 s" in text
        assert "task 3 was done again: gone" in text
        assert "rescore: done in" in text
    assert not (copied.path / status.FILE).exists()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "EVERY", 0.01)


@pytest.mark.parametrize(
    ("error", "words"),
    [(ValueError("no more\nof this"), "ValueError: no more of this"), (KeyboardInterrupt(), "interrupted")],
)
def test_why_it_stopped_is_told(copied: Run, error: BaseException, words: str) -> None:
    copied.drop(["report"])
    copied.save()
    with pytest.raises(type(error)), telling(copied, engine(), Progress(quiet=True)):
        raise error
    found = read_status(copied.path)
    assert found.state == "stopped"
    assert f": {words}" in found.lines()[0]
    assert "  not done: report" in found.lines()
    with telling(copied, engine(), Progress(quiet=True)):  # it is continued
        assert read_status(copied.path).state == "running"


def driver(**changed: Any) -> DriverStatus:
    return DriverStatus(**({"host": "far", "pid": 1, "began": time.time(), "beat": time.time()} | changed))


def write(run: Run, **changed: Any) -> None:
    (run.path / status.FILE).write_text(driver(**changed).model_dump_json(), encoding="utf-8")


def test_a_process_elsewhere_is_silent_when_its_last_sign_of_life_is_old(copied: Run) -> None:
    write(copied, beat=time.time() - status.SILENT / 2)
    assert read_status(copied.path).state == "running"
    write(copied, beat=time.time() - status.SILENT - 61)
    found = read_status(copied.path)
    assert found.state == "silent"
    assert "no sign of life of process 1 on far since " in found.lines()[0]
    assert "(1 min 31 s ago)" in found.lines()[0]


def test_a_process_of_this_machine_that_is_gone_is_silent_at_once(copied: Run) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    write(copied, host=status.HOST, pid=ended.pid)
    assert read_status(copied.path).state == "silent"
    write(copied, host="far", pid=ended.pid)
    assert read_status(copied.path).state == "running"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ('{"format": 2}', "format: Input should be 1"),
        ("[]", "Input should be an object"),
        ('{"format": 1, "host": 3}', "host: Input should be a valid string"),
        (stated(beat="1e300"), "beat: Input should be less than or equal to"),
        (stated(began="NaN"), "began: Input should be "),
        (stated(pid=f"1{'0' * 30}"), "pid: Input should be "),
        (stated(total="-1"), "total: Input should be greater than or equal to 0"),
    ],
)
def test_a_damaged_file_is_said_to_be_one(copied: Run, content: str, why: str) -> None:
    copied.drop(["report"])
    copied.save()
    (copied.path / status.FILE).write_text(content, encoding="utf-8")
    found = read_status(copied.path)
    assert found.state == "incomplete"
    (line,) = (line for line in found.lines() if "status.json cannot be read" in line)
    assert f"status.json cannot be read ({why}" in line
    assert "http" not in line
    assert line.endswith("; the next sign of life writes it anew")


def test_a_rate_of_next_to_nothing_tells_no_time(copied: Run) -> None:
    copied.drop(["report"])
    copied.save()
    text = stated(stage='"report"', total="10", rate="1e-300")
    (copied.path / status.FILE).write_text(text, encoding="utf-8")
    assert "  report: 0 of 10" in read_status(copied.path).lines()


def test_a_status_that_is_no_file_is_said_to_be_one(copied: Run) -> None:
    (copied.path / status.FILE).mkdir()
    assert "status.json cannot be read (Is a directory)" in read_status(copied.path).fault


def test_the_command_reads_a_locked_run_and_refuses_what_is_none(copied: Run, invoke, tmp_path: Path) -> None:
    from ganstrata.core.runs.lock import locked

    with locked(copied.path):
        done = invoke("status", copied.path, "--json")
    assert json.loads(done.stdout)["state"] == "complete"
    assert "report: done in" in invoke("status", copied.path, "--watch").stdout
    none = invoke("status", tmp_path)
    assert none.exit_code in (1, 2)
    assert "is not a run directory" in none.stderr


def test_a_killed_run_is_silent_and_complete_when_it_was_continued(
    fakes, config, written, start, invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, run = written(config), tmp_path / "run"
    monkeypatch.setenv("FAKES_SLEEP", "0.02")
    process = start("run", file, "--out", run)
    until(lambda: marks(run, "samples.zarr") > 0 or process.poll() is not None)
    until(lambda: (run / status.FILE).exists())
    assert "running" in invoke("status", run).stdout
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "no sign of life of process" in invoke("status", run, "--watch").stdout
    monkeypatch.delenv("FAKES_SLEEP")
    assert invoke("run", file, "--out", run).exit_code == 0
    assert invoke("status", run).stdout.startswith(f"{run}: complete\n")
    assert not (run / status.FILE).exists()


def test_watching_prints_what_has_changed_until_nothing_drives_the_run(
    copied: Run, invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = read_status(copied.path)
    stages = {name: seconds for name, seconds in complete.stages.items() if name not in ("edit", "report")}
    running = complete.model_copy(
        update={"state": "running", "stages": stages, "driver": driver(stage="edit", done=1, total=9)}
    )
    further = running.model_copy(update={"driver": driver(stage="edit", done=2, total=9)})
    looks = [running, running, complete, running]
    monkeypatch.setattr(status, "read_status", lambda _: looks.pop(0))
    shown = invoke("status", copied.path, "--watch", "--every", "0.1").stdout
    assert shown.count("running, process 1 on far") == 1
    assert shown.count(": complete") == 1
    assert len(looks) == 1
    looks[:] = [running, further, complete]
    shown = invoke("status", copied.path, "--watch", "--every", "0.1").stdout
    assert shown.count("learn: done in") == 1
    assert shown.index("edit: 1 of 9") < shown.index("edit: 2 of 9") < shown.index("edit: done in")
    looks[:] = [running, running, complete]
    lines = invoke("status", copied.path, "--watch", "--every", "0.1", "--json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["running", "running", "complete"]
    looks[:] = [running, complete]
    assert "running" in invoke("status", copied.path).stdout


def test_a_stage_that_is_done_is_not_said_to_go_on(copied: Run) -> None:
    copied.drop(["report"])
    copied.save()
    write(copied, stage="edit", done=9, total=9)
    assert not any("edit: 9 of 9" in line for line in read_status(copied.path).lines())
    write(copied, stage="report", done=1, total=3)
    assert any("report: 1 of 3" in line for line in read_status(copied.path).lines())


def test_where_the_arrays_lie_is_told_and_not_asked(
    copied: Run, invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_status(copied.path).store is None
    copied.record.store = StoreRecord(url="s3://bucket/runs/far", id="1")
    copied.save()
    monkeypatch.setattr("ganstrata.core.storage.objects.Objects.__init__", None)  # no request is made
    assert (
        f"{copied.path}: complete\n  arrays at s3://bucket/runs/far\n" in invoke("status", copied.path).stdout
    )
    assert json.loads(invoke("status", copied.path, "--json").stdout)["store"] == "s3://bucket/runs/far"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("run.json", "it is a file; give its directory, {run}"),
        ("report.html", "it is a file; give a directory"),
        ("nowhere", "there is no such directory. `ganstrata run CONFIG --out"),
        ("edits", "it has no run.json. `ganstrata run CONFIG --out"),
    ],
)
def test_what_is_no_run_is_said_to_be_what_it_is(finished: Run, invoke, what: str, words: str) -> None:
    result = invoke("status", finished.path / what)
    assert result.exit_code == 2
    assert f"{what} is not a run directory: {words.format(run=finished.path)}" in result.stderr


def test_a_url_is_not_taken_for_a_directory(invoke) -> None:
    result = invoke("status", "s3://bucket/run")
    assert "it is a URL, where at most its arrays lie; give the directory, which" in result.stderr
