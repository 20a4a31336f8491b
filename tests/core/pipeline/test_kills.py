"""Kills at random moments: no worker survives, nothing is lost, and a rerun ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import ganstrata
import pytest
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.status import read_status
from ganstrata.core.storage.objects import Objects
from processes import ENGINES, children, is_alive, marks, needs_proc, until

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

Start = Callable[..., subprocess.Popen[str]]


def killed(process: subprocess.Popen[str], number: signal.Signals, *, worker: bool) -> str:
    """Send a signal to a command, or to one of its workers; return its output once all of them are gone."""
    family = children(process.pid)
    victims = family if worker and family else [process.pid]
    with suppress(ProcessLookupError):  # it was done
        os.kill(victims[-1], number)
    _, stderr = process.communicate(timeout=60)
    until(lambda: not any(is_alive(child) for child in family))
    assert "Traceback" not in stderr
    return stderr


class Slow(NamedTuple):
    """Hold a command whose run is slow enough to be interrupted."""

    path: Path
    start: Callable[..., subprocess.Popen[str]]  # with so many workers, and further options
    continue_to_end: Callable[
        [], None
    ]  # here, at full speed; asserts that no byte differs from an undisturbed run


@pytest.fixture
def slow(
    fakes,
    finished: Run,
    config,
    tmp_path: Path,
    contents,
    written,
    start: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Slow:
    """Slow down the passes of the fakes until the run is continued."""
    path, file = tmp_path / "run", written(config)
    monkeypatch.setenv("FAKES_SLEEP", "0.02")

    def continue_to_end() -> None:
        monkeypatch.delenv("FAKES_SLEEP")
        ganstrata.run(config, path)
        assert contents(path) == contents(finished.path)

    return Slow(
        path,
        lambda workers, *more: start("run", file, "--out", path, "--set", f"engine.workers={workers}", *more),
        continue_to_end,
    )


@needs_proc
@pytest.mark.parametrize("ways", [2, pytest.param(3, marks=pytest.mark.full)])
def test_a_run_killed_in_several_ways_and_continued_is_the_same(ways: int, slow: Slow) -> None:
    run = slow.path
    moments: list[tuple[Callable[[], bool], signal.Signals, bool]] = [
        (lambda: marks(run, "samples.zarr") > 0, signal.SIGKILL, True),
        # Its workers must not live on and write.
        (lambda: marks(run, "rescoring.zarr") > 0, signal.SIGKILL, False),
        (lambda: marks(run, "rescoring.zarr") > 8, signal.SIGTERM, False),
    ]
    for moment, number, worker in moments[:ways]:
        process = slow.start(2)
        until(lambda moment=moment, process=process: moment() or process.poll() is not None)
        stderr = killed(process, number, worker=worker)
        assert process.returncode == (1 if worker else -number)
        assert ("a worker process ended unexpectedly" in stderr) == worker
        assert not (run / "rescoring.csv").exists()
    slow.continue_to_end()


@pytest.fixture(params=ENGINES)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options of a command that takes another engine than `local`."""
    package, settings = ENGINES[request.param]
    pytest.importorskip(package, reason=f"{package} is not installed; `pip install {package}`")
    monkeypatch.chdir(tmp_path)
    return [word for setting in settings for word in ("--set", setting)]


def killed_with_all_its_workers(process: subprocess.Popen[str], moment: Callable[[], bool]) -> None:
    """Kill a command at a moment, and check that its workers end with it."""
    until(lambda: moment() or process.poll() is not None)
    family = descendants(process.pid)
    assert family
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    until(lambda: not any(is_alive(pid) for pid in family))


def ends_without_one_of_its_workers(process: subprocess.Popen[str], run: Path) -> None:
    """Kill a worker during re-scoring, and check that the command goes on to its end."""
    until(lambda: bool(working(run)) or process.poll() is not None)
    os.kill(working(run)[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert "was done again: " in stderr


@needs_proc
@pytest.mark.full
def test_engines_continue_each_other_and_lose_no_byte(
    slow: Slow, contents, finished: Run, elsewhere: list[str]
) -> None:
    run = slow.path
    killed_with_all_its_workers(slow.start(2, *elsewhere), lambda: marks(run, "samples.zarr") > 0)
    assert not (run / "rescoring.csv").exists()
    killed_with_all_its_workers(slow.start(2), lambda: marks(run, "rescoring.zarr") > 0)
    assert not (run / "rescoring.csv").exists()
    ends_without_one_of_its_workers(slow.start(2, *elsewhere), run)
    assert contents(run) == contents(finished.path)


@needs_proc
@pytest.mark.full
@pytest.mark.parametrize("url", ["s3"], indirect=True)
def test_engines_continue_each_other_with_arrays_at_a_url(
    slow: Slow, contents, finished: Run, elsewhere: list[str], url: str
) -> None:
    run, at_url = slow.path, ("--store", url)

    def has_begun(array: str) -> bool:
        return any(name.startswith("done/0") for name in Objects(f"{url}/{array}").tags())

    killed_with_all_its_workers(slow.start(2, *elsewhere, *at_url), lambda: has_begun("samples.zarr"))
    killed_with_all_its_workers(slow.start(2, *at_url), lambda: has_begun("rescoring.zarr"))
    assert not (run / "rescoring.csv").exists()
    ends_without_one_of_its_workers(slow.start(2, *elsewhere, *at_url), run)
    wanted = contents(finished.path)
    arrays = {name: wanted.pop(name) for name in list(wanted) if ".zarr/" in name}
    assert contents(run) == wanted
    assert arrays
    for array in ("samples.zarr", "rescoring.zarr"):
        there = Objects(f"{url}/{array}")
        here = {name.removeprefix(f"{array}/"): one for name, one in arrays.items() if name.startswith(array)}
        assert set(there.tags()) == set(here)
        # A mark there has the tags of the objects too.
        assert [n for n in here if not n.startswith("done/") and there.get(n) != here[n]] == []


def descendants(pid: int) -> list[int]:
    """All processes that a process and its children have started."""
    below = children(pid)
    return below + [one for child in below for one in descendants(child)]


def working(run: Path) -> list[int]:
    """The workers that have finished a task, once re-scoring has begun."""
    driver = read_status(run).driver
    return [] if driver is None or driver.stage != "rescore" else [worker.pid for worker in driver.workers]


BEFORE = {"synthesize": "", "learn": "synthesize", "rescore": "learn", "report": "edit"}
"""Stage in which a run is killed -> stage that is complete then."""
MOMENTS = [
    (0, ["learn"]),
    *(pytest.param(seed, list(BEFORE), marks=pytest.mark.full) for seed in range(1, 14)),
]
"""Seed, and stages in which a run is killed one after the other."""


def complete(run: Path) -> set[str]:
    """Stages that a run has recorded as complete."""
    with suppress(OSError, ValueError):
        return {"", *json.loads((run / "run.json").read_bytes())["stages"]}
    return set()


@needs_proc
@pytest.mark.parametrize(("seed", "stages"), MOMENTS)
def test_a_run_killed_at_a_random_moment_of_a_stage_is_the_same(
    seed: int, stages: list[str], slow: Slow
) -> None:
    """Fifty-two moments of all stages in `make test-full`, with one and with two workers."""
    chance = random.Random(seed)
    for stage in stages:
        before = BEFORE[stage]
        process = slow.start(1 + seed % 2)
        until(
            lambda before=before, process=process: before in complete(slow.path) or process.poll() is not None
        )
        time.sleep(chance.uniform(0.0, 1.5 if stage in ("synthesize", "rescore") else 0.4))
        killed(process, signal.SIGKILL, worker=False)
        assert process.returncode in (0, -signal.SIGKILL)
    slow.continue_to_end()


@pytest.mark.full
@needs_proc
def test_a_second_interruption_changes_nothing(slow: Slow) -> None:
    process = slow.start(2)
    until(lambda: marks(slow.path, "rescoring.zarr") > 0)
    for _ in range(5):  # as someone impatient does, to the whole group, as a terminal does
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    stderr = killed(process, signal.SIGCONT, worker=False)
    assert process.returncode == 130
    assert stderr.count("Error: interrupted.") == 1
    slow.continue_to_end()


@needs_proc
@pytest.mark.full
@pytest.mark.parametrize("seed", range(8))
def test_a_run_killed_four_times_at_random_and_continued_is_the_same(seed: int, slow: Slow) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        process = slow.start(1 + seed % 2)
        until(lambda process=process: slow.path.exists() or process.poll() is not None)
        time.sleep(chance.uniform(0.0, 6.0))
        worker = chance.random() < 0.3
        # Workers leave Ctrl-C to their parent.
        killed(process, chance.choice(SIGNALS[:2] if worker else SIGNALS), worker=worker)
    slow.continue_to_end()


COMMANDS: dict[str, tuple[str, ...]] = {
    "manipulate": (
        "manipulate",
        "{run}",
        "--along",
        "seen/red",
        "--seeds",
        "0-5",
        "--out",
        "{out}",
        "--as",
        "strip",
        "--as",
        "gif",
        "--quiet",
    ),
    "ranking": ("analysis", "ranking", "{run}", "--out", "{out}", "--quiet"),
    "export": ("boundaries", "export", "{run}", "--samples", "--out", "{out}"),
    "import": (
        "boundaries",
        "import",
        "{lists}",
        "--assume",
        "{run}",
        "--space",
        "w",
        "--level",
        "layout",
        "--out",
        "{out}",
    ),
}


def unfinished(folder: Path, since: float = 0.0) -> list[str]:
    """Return the temporary folders beside a folder that is being written."""
    names = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if ".ganstrata" in path.name and path.stat().st_mtime >= since:
                names.append(path.name)
    return names


@needs_proc
@pytest.mark.full
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("earlier", [False, True])
def test_a_command_that_is_killed_leaves_what_was_there_or_all_that_it_writes(
    name: str, earlier: bool, fakes, invoke, finished: Run, tmp_path: Path, contents, start: Start
) -> None:
    chance, run, out, lists = random.Random(name), tmp_path / "run", tmp_path / "out", tmp_path / "lists"
    shutil.copytree(finished.path, run)
    assert invoke("boundaries", "export", run, "--as", "npy", "--out", lists).exit_code == 0
    command = [part.format(run=run, out=out, lists=lists) for part in COMMANDS[name]]
    assert invoke(*command).exit_code == 0
    wanted = contents(out)
    replaces = name in ("manipulate", "ranking")
    if not earlier:
        shutil.rmtree(out)
    elif not replaces:
        return  # it refuses what is there
    before = contents(out) if earlier else {}
    for _ in range(3):
        since, began = time.time(), time.monotonic()
        process = start(*command)
        # Files that an earlier kill left do not count: this process must have begun work of its own.
        until(
            lambda process=process, since=since, began=began: (
                process.poll() is not None
                or bool(unfinished(tmp_path, since))
                or time.monotonic() - began > 20
            )
        )
        time.sleep(chance.uniform(0.0, 0.05))
        killed(process, chance.choice(SIGNALS), worker=False)
        assert contents(out) in (before, wanted)
        if contents(out) == wanted and not replaces:
            shutil.rmtree(out)
    assert invoke(*command).exit_code == 0
    assert contents(out) == wanted
    assert not unfinished(tmp_path)


FORGETFUL = """
import os, signal, sys
from ganstrata.cli import streams
streams.prepare()
try:
    exec("import os, signal, time\\nos.kill(os.getpid(), signal.SIGINT)\\ntime.sleep(9)")
except KeyboardInterrupt:
    streams.no_more_interruptions()
os.kill(os.getpid(), signal.SIGINT)
sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
def test_an_interruption_that_was_handled_does_not_end_the_process_a_second_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")
