"""Check what engines promise: an outcome for every job, errors as text, and no process left behind."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..core.errors import GanstrataError
from ..core.plugins.engine import Engine, Job, JobOutcome
from ..core.runs.engines.worker import BuiltWorker
from .kit import DoesNotApply, NotConforming
from .subject import Subject

JOBS = 7
PATIENCE = 20.0  # seconds that processes may take to end


@dataclass(frozen=True)
class Rehearsal:
    """Make workers without plugins, whose jobs need none."""

    device: str = "cpu"
    threads: int = 1

    def build(self, device: str | None = None) -> BuiltWorker:
        """Build such a worker."""
        return BuiltWorker(None)


def doubled(_: object, task: int) -> int:
    """Return twice the task; refuse task 3."""
    if task == 3:
        raise GanstrataError("task 3 cannot be done")
    return 2 * task


@contextmanager
def _begun(subject: Subject) -> Iterator[Engine]:
    """Build the engine anew, and let it begin two workers."""
    engine = cast("Engine", subject.build())
    failed = True
    try:
        engine.begin(Rehearsal(), engine.count(2, 1))
        yield engine
        failed = False
    finally:
        engine.end(failed=failed)


def workers_can_be_counted(subject: Subject) -> None:
    """It gives as many workers as are asked for, and at least one for `auto`."""
    engine = cast("Engine", subject.build())
    try:
        wanted, auto = engine.count(2, 1), engine.count(None, 1)
    finally:
        engine.end(failed=False)
    if wanted != 2 or auto < 1:
        raise NotConforming(
            f"count(2, 1) is {wanted}, which must be 2; count(None, 1) is {auto}, which must be at least 1"
        )


def every_job_has_one_outcome(subject: Subject) -> None:
    """It yields one outcome for every job, with its result or its error, and goes on with the next jobs."""
    with _begun(subject) as engine:
        for first in (1, 11):  # the second time without an error among them
            jobs = [Job(number, doubled, number) for number in range(first, first + JOBS)]
            outcomes = list(engine.map(jobs))
            _check(outcomes, jobs)


def _check(outcomes: list[JobOutcome], jobs: list[Job]) -> None:
    """Check that each job has its own outcome.

    Raises:
        NotConforming: one has not.
    """
    times = Counter(outcome.number for outcome in outcomes)
    wrong = [job.number for job in jobs if times[job.number] != 1]
    if wrong or len(outcomes) != len(jobs):
        raise NotConforming(
            f"map() gave {len(outcomes)} outcomes for {len(jobs)} jobs; job {(wrong or [0])[0]} has "
            f"{times[(wrong or [0])[0]]}. Each must have one"
        )
    for outcome in outcomes:
        expected = (None, 1) if outcome.number == 3 else (2 * outcome.number, 0)
        if (outcome.value, outcome.exit_code) != expected:
            raise NotConforming(
                f"job {outcome.number} ended with {outcome.value!r} and exit code {outcome.exit_code}, not "
                f"{expected}; yield what `worker.run(job)` returns, unchanged"
            )


def no_process_is_left_behind(subject: Subject) -> None:
    """When it has ended, also in the middle of its jobs, the processes that it began are gone."""
    own = Path("/proc/self/task")
    if not own.exists():
        raise DoesNotApply("which processes there are is read from /proc, which this system lacks")
    before = _children(own)
    with _begun(subject) as engine:
        next(iter(engine.map([Job(number, doubled, number) for number in range(4, 4 + JOBS)])))
    until = time.monotonic() + PATIENCE
    while left := _children(own) - before:
        if time.monotonic() > until:
            raise NotConforming(
                f"{len(left)} processes that it began were still there {PATIENCE:.0f} seconds after end(); "
                "end() must end them, and wait for them"
            )
        time.sleep(0.05)


def _children(own: Path) -> set[int]:
    """Return the processes that this one has started, but for the tracker of Python's multiprocessing."""
    from multiprocessing import resource_tracker

    texts = [file.read_text(encoding="utf-8") for file in own.glob("*/children")]
    tracker = getattr(resource_tracker, "_resource_tracker")._pid  # noqa: B009 - mypy does not know it
    return {int(pid) for text in texts for pid in text.split()} - {tracker}
