"""Each broken promise of an engine is found by its own check."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from ganstrata import Engine, Job, JobOutcome, WorkerSetup
from ganstrata.testing import check_plugin, engine_checks


class Inline(Engine):
    """Does the jobs in this process."""

    def begin(self, setup: WorkerSetup, workers: int) -> None:
        self.worker = setup.build()

    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        yield from map(self.worker.run, jobs)

    def end(self, *, failed: bool) -> None:
        """Nothing is to be ended."""


class Dropping(Inline):
    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        yield from super().map(jobs[:-1])


class Repeating(Inline):
    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        yield from super().map([*jobs, jobs[0]])


class Swallowing(Inline):
    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        for outcome in super().map(jobs):
            yield replace(outcome, error="", exit_code=0)


class Once(Inline):
    used = False

    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        if not self.used:
            self.used = True
            yield from super().map(jobs)


class Miscounting(Inline):
    def count(self, wanted: int | None, threads: int) -> int:
        return 1


class Leaving(Inline):
    left: subprocess.Popen[bytes] | None = None

    def begin(self, setup: WorkerSetup, workers: int) -> None:
        super().begin(setup, workers)
        type(self).left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def failed(engine: type[Engine]) -> list[str]:
    return [each.check.name for each in check_plugin("engine", engine) if each.verdict == "failed"]


def test_an_engine_that_keeps_its_promises_passes() -> None:
    assert {each.verdict for each in check_plugin("engine", Inline)} <= {"ok", "skipped"}


@pytest.mark.parametrize("engine", [Dropping, Repeating, Swallowing, Once])
def test_lost_repeated_and_changed_outcomes_are_found(engine: type[Engine]) -> None:
    assert failed(engine) == ["every job has one outcome"]


def test_a_wrong_number_of_workers_is_found() -> None:
    assert failed(Miscounting) == ["workers can be counted"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_is_left_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_checks, "PATIENCE", 0.1)
    started = []
    begin = Leaving.begin

    def noted(self: Leaving, setup: WorkerSetup, workers: int) -> None:
        begin(self, setup, workers)
        started.append(self.left)

    monkeypatch.setattr(Leaving, "begin", noted)
    try:
        assert failed(Leaving) == ["no process is left behind"]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "package", "options"),
    [("local", "", {}), ("ray", "ray", {}), ("slurm", "submitit", {"cluster": "local"})],
)
def test_the_built_in_engines_keep_their_promises(name: str, package: str, options: dict[str, str]) -> None:
    if package:
        pytest.importorskip(package, reason=f"{package} is not installed; `pip install {package}`")
    assert {each.verdict for each in check_plugin("engine", name, options)} == {"ok"}
