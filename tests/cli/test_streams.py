"""Closed, full, broken and limited standard streams: no traceback, the right exit code, no result lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ganstrata
import pytest
from ganstrata.cli.outermost import exit_code
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
PROGRAM = [sys.executable, "-m", "ganstrata.cli.main"]


def shell(line: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line for a shell in which "$@" is ganstrata with these arguments."""
    command = ["sh", "-c", line, "sh", *PROGRAM, *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, **environment},
    )


@posix
@full
@pytest.mark.parametrize("arguments", [("plugins", "list"), ("--help",), ("model", "list", "--json")])
def test_output_that_cannot_be_written_fails_with_one_line(arguments: tuple[str, ...]) -> None:
    done = shell('"$@" > /dev/full', *arguments)
    assert done.returncode == 1
    assert (
        done.stderr == "Error: cannot write the output: No space left on device. Earlier results are kept.\n"
    )


@posix
@full
def test_errors_that_cannot_be_written_leave_their_exit_code() -> None:
    assert shell('"$@" 2> /dev/full', "run", "absent.yaml").returncode == 2
    assert shell('"$@" 2> /dev/full', "run").returncode == 2


@posix
@pytest.mark.parametrize(("closed", "code"), [("2>&-", 2), (">&-", 2), (">&- 2>&-", 2), ("<&- >&- 2>&-", 2)])
def test_closed_streams_change_no_exit_code(closed: str, code: int) -> None:
    done = shell(f'"$@" {closed}', "run", "absent.yaml")
    assert done.returncode == code
    assert done.stderr in ("", "Error: no config file absent.yaml\n")


@posix
def test_a_closed_stream_is_not_a_failure() -> None:
    assert shell('"$@" >&-', "plugins", "list").returncode == 0
    listed = shell('"$@" 2>&-', "plugins", "list")
    assert listed.returncode == 0
    assert "Generators:" in listed.stdout


@posix
def test_a_pipe_closed_by_its_reader_ends_the_command_silently() -> None:
    done = shell('("$@"; echo $? >&2) | (exec 0<&-; sleep 0.1)', "model", "list", "--json")
    assert done.stderr == "141\n"  # as a shell says of whoever ends by SIGPIPE


@posix
def test_another_broken_pipe_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with (tmp_path / "out").open("w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert exit_code(broken, own_process=False, quiet=False) == 1
    assert capsys.readouterr().err.startswith("Error: cannot write the output: Broken pipe.")


@posix
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_messages_survive_letters_that_a_stream_cannot_encode(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [*PROGRAM, "boundaries", "list", str(tmp_path / "rämme")],
        capture_output=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert done.stderr.startswith(b"Error: there is no folder ")


@posix
@full
@pytest.mark.parametrize(
    "silenced",
    [
        "> /dev/full",
        pytest.param("2>&1 >/dev/null | true", marks=pytest.mark.full),
        pytest.param("2> /dev/full", marks=pytest.mark.full),
        pytest.param("2>&-", marks=pytest.mark.full),
    ],
)
def test_results_survive_output_that_cannot_be_written(
    silenced: str, written, compact, fakes, tmp_path: Path, compacted: Run, contents
) -> None:
    done = shell(f'"$@" {silenced}', "run", written(compact), "--out", tmp_path / "run")
    assert done.returncode == (1 if silenced == "> /dev/full" else 0)
    assert "Traceback" not in done.stdout + done.stderr
    assert contents(tmp_path / "run") == contents(compacted.path)


def test_a_run_goes_on_when_progress_cannot_be_written() -> None:
    class Broken:
        def isatty(self) -> bool:
            return False

        def write(self, _: str) -> int:
            raise BrokenPipeError

    progress = Progress(stream=Broken())  # type: ignore[arg-type]
    with progress.stage("rescore", total=3) as step:
        step(3)
    assert step.done == 3


def test_progress_without_standard_error_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with Progress().stage("rescore", total=3) as step:
        step(3)


@posix
@pytest.mark.full  # test_kills.py interrupts a run again and again too, at a later moment
@pytest.mark.parametrize("gap", [0.02, 0.3, 1.0])
def test_ctrl_c_again_and_again_ends_a_run_of_two_workers_once(
    gap: float,
    start: Callable[..., subprocess.Popen[str]],
    written,
    config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    finished: Run,
    contents,
) -> None:
    monkeypatch.setenv("FAKES_SLEEP", "0.05")
    process = start("run", written(config), "--out", tmp_path / "run", "--set", "engine.workers=2")
    while not (tmp_path / "run" / "samples.zarr" / "done" / "stamp").exists():
        assert process.poll() is None
        time.sleep(0.02)
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(gap)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.count("Error: interrupted. The same command continues the run in") == 1
    monkeypatch.delenv("FAKES_SLEEP")
    ganstrata.run(config, tmp_path / "run")
    assert contents(tmp_path / "run") == contents(finished.path)
