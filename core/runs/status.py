"""Say how far a run is: the process that drives it writes a small file, which anybody may read."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import GanstrataError
from ..messages import quantity, visible
from ..plugins.failures import one_line
from ..storage.disk import write_text
from .engines.run_engine import RunEngine
from .engines.worker import HOST
from .holder import LATEST, process_exists
from .manifest import fault_sentences
from .progress import Progress, duration
from .run import Run
from .stages import STAGES, Stage

FILE = "status.json"
EVERY = 2.0  # seconds between two signs of life
SILENT = 30.0  # seconds without one after which a process is taken for dead; file systems may pass it on late
MOST = 10**15  # of whatever is counted: such a file may be damaged, and numbers without end cannot be told
Time = Annotated[float, Field(ge=0.0, le=LATEST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
State = Literal["complete", "running", "silent", "stopped", "incomplete"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerStatus(_Part):
    """Hold what is known of a worker: where it is, its last task, when that ended, and how long it took."""

    host: str
    pid: Count
    task: Count
    at: Time
    seconds: Time


class DriverStatus(_Part):
    """Hold what the process that drives a run says of itself. Times are seconds since 1970.

    Attributes:
        host, pid: of the process.
        began: when it began.
        beat: its last sign of life.
        stage: what it is doing; empty between stages.
        done, total: of this stage, in samples, images or boundaries.
        rate: done per second, by this process; 0 if nothing is done yet.
        workers: those that have finished a task.
        lost: on workers that were lost, and whose tasks were done again.
        failure: why it ended before the run was complete; empty while it goes on.
    """

    format: Literal[1] = 1
    host: str
    pid: Count
    began: Time
    beat: Time
    stage: str = ""
    done: Count = 0
    total: Count = 0
    rate: Annotated[float, Field(ge=0.0, le=MOST)] = 0.0
    workers: tuple[WorkerStatus, ...] = ()
    lost: tuple[str, ...] = ()
    failure: str = ""


class RunStatus(_Part):
    """Hold how far a run is.

    Attributes:
        path: the run directory.
        state: complete; running; silent (no sign of life of the process that drives it); stopped (by an
            error or an interruption); incomplete (no process has said anything).
        stages: complete stage -> seconds.
        missing: stages that are not complete.
        store: URL at which its arrays lie; None if they lie in its directory.
        driver: what the process that drives or drove the run says; None if nothing can be read.
        fault: why that is damaged; empty if it is not.
    """

    path: str
    state: State
    stages: dict[str, float]
    missing: tuple[str, ...]
    store: str | None = None
    driver: DriverStatus | None = None
    fault: str = ""

    def lines(self) -> list[str]:
        """Return the status in words, one line for each thing."""
        lines = [f"{self.path}: {self._in_words()}"]
        if self.store is not None:
            lines.append(f"  arrays at {visible(self.store)}")
        lines += [f"  {stage}: done in {duration(seconds)}" for stage, seconds in self.stages.items()]
        if self.missing and self.state != "running":
            lines.append(f"  not done: {', '.join(self.missing)}")
        driver = self.driver
        if driver is not None and self.state != "complete":
            if driver.stage and driver.stage not in self.stages:  # its last word on it may be older
                lines.append(f"  {driver.stage}: {_progress(driver)}")
            lines += [
                f"  worker {visible(w.host)} {w.pid}: task {w.task} in {w.seconds:.1f} s, "
                f"{duration(max(0.0, driver.beat - w.at))} before the last sign of life"
                for w in driver.workers
            ]
            lines += [f"  {visible(text, 300)}" for text in driver.lost]
        if self.fault:
            lines.append(f"  {self.fault}")
        if self.state in ("silent", "stopped", "incomplete"):
            lines.append("  the command that began the run continues it: `ganstrata run`")
        return lines

    def _in_words(self) -> str:
        """Return the state in words."""
        driver = self.driver
        if driver is None or self.state in ("complete", "incomplete"):
            return self.state
        process = f"process {driver.pid} on {visible(driver.host)}"
        since = f"{_clock(driver.beat)} ({duration(max(0.0, time.time() - driver.beat))} ago)"
        if self.state == "stopped":
            return f"stopped at {_clock(driver.beat)}: {visible(driver.failure, 500)}"
        if self.state == "silent":
            return f"no sign of life of {process} since {since}"
        return f"running, {process}, since {_clock(driver.began)}"


@contextmanager
def telling(run: Run, engine: RunEngine, progress: Progress) -> Iterator[None]:
    """Write during the block how far a run is, every few seconds; remove the file if the block ends well.

    If the block raises, the file stays, with the reason. A disk that cannot be written to is no error.
    """
    file, began, ended = run.path / FILE, time.time(), threading.Event()

    def write(failure: str = "") -> None:
        with suppress(OSError, GanstrataError):
            write_text(file, _driver(engine, progress, began, failure).model_dump_json(indent=2) + "\n")

    def beat() -> None:
        while not ended.wait(EVERY):
            write()

    write()
    thread = threading.Thread(target=beat, daemon=True, name="status")
    thread.start()
    try:
        yield
    except BaseException as error:
        ended.set()
        thread.join()
        write("interrupted" if isinstance(error, KeyboardInterrupt) else one_line(error))
        raise
    ended.set()
    thread.join()
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _driver(engine: RunEngine, progress: Progress, began: float, failure: str) -> DriverStatus:
    """Return what this process says of itself now."""
    step = progress.current
    return DriverStatus(
        host=HOST,
        pid=os.getpid(),
        began=began,
        beat=time.time(),
        stage="" if step is None else step.label,
        done=0 if step is None else step.done,
        total=0 if step is None else step.total,
        rate=0.0 if step is None else step.rate,
        workers=tuple(
            WorkerStatus(host=host, pid=pid, task=outcome.number, at=at, seconds=outcome.seconds)
            for (host, pid), (at, outcome) in sorted(engine.seen.copy().items())
        ),
        lost=tuple(engine.lost),
        failure=failure,
    )


def read_status(path: Path) -> RunStatus:
    """Read how far a run is. Nothing is locked, and nothing is waited for.

    Raises:
        RunError: the directory holds no run, or its run.json is damaged.
    """
    run = Run.open(path)
    stages = {str(name): run.record.stages[name].seconds for name in STAGES if name in run.record.stages}
    missing = tuple(name for name in STAGES if name not in stages)
    driver, fault = _read(path / FILE)
    return RunStatus(
        path=str(path),
        state=_state(driver, missing),
        stages=stages,
        missing=missing,
        store=None if run.record.store is None else run.record.store.url,
        driver=driver,
        fault=fault,
    )


def _read(file: Path) -> tuple[DriverStatus | None, str]:
    """Read what the process that drives the run says; None without it, and a text if that is damaged."""
    try:
        return DriverStatus.model_validate_json(file.read_bytes()), ""
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        reason = error.strerror or one_line(error)
    except ValidationError as error:
        reason = "; ".join(fault_sentences(error.errors(include_url=False, include_context=False)))
    return None, f"{file} cannot be read ({visible(reason, 300)}); the next sign of life writes it anew"


def _state(driver: DriverStatus | None, missing: tuple[Stage, ...]) -> State:
    """Return the state of a run."""
    if driver is None:
        return "incomplete" if missing else "complete"
    if driver.failure:
        return "stopped"
    if time.time() - driver.beat > SILENT or (driver.host == HOST and not process_exists(driver.pid)):
        return "silent"
    return "running"


def _progress(driver: DriverStatus) -> str:
    """Return the count of a stage in words."""
    text = f"{driver.done} of {driver.total}"
    if driver.rate > 1.0 / MOST:
        left = duration((driver.total - driver.done) / driver.rate)
        text += f", {driver.rate:.3g}/s, {left} left"
    return f"{text}, {quantity(len(driver.workers), 'worker')}" if driver.workers else text


def _clock(seconds: float) -> str:
    """Return a time of day with its date, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
