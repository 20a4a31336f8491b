"""Make workers: processes with the plugins of a run, which do jobs and return errors as text."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...config.schema import RunConfig
from ...conformance.same_everywhere import Made, check_same_as
from ...errors import GanstrataError, MemoryExhausted, UserError
from ...messages import listed, message, visible
from ...plugins.engine import Job, JobOutcome
from ...plugins.failures import one_line
from ...shortage import is_out_of_memory
from ...storage.json_values import JsonObject
from ..malloc import keep_freed_memory
from ..prepare import Prepared, prepare
from ..provenance.changes import changes
from ..provenance.describe import describe
from ..provenance.records import Provenance
from ..spawning import MEMORY

HOST = socket.gethostname()


@dataclass(frozen=True)
class Setup:
    """Hold what the workers of a run are made from; see core.plugins.engine.WorkerSetup.

    Attributes:
        config: of the run.
        batch: samples in one pass.
        device: of the run.
        threads: of torch in each worker.
        driver: host and number of the process that drives the run.
        folder: working directory of that process, where relative paths begin.
        expected: what the plugins of that process make of a few samples; None not to check that.
        provenance: what its numbers depend on; None if workers are of the same installation.
        code: of ganstrata there, see `code_digest`.
    """

    config: JsonObject
    batch: int
    device: str
    threads: int
    driver: tuple[str, int]
    folder: str
    expected: Made | None = None
    provenance: Provenance | None = None
    code: str = ""

    def build(self, device: str | None = None) -> BuiltWorker:
        """Build a worker in this process."""
        is_another = self.driver != (HOST, os.getpid())
        if is_another:
            _settle()
        try:
            if is_another:
                _enter(self.folder)
            config = RunConfig.model_validate(self.config)
            torch.set_num_threads(self.threads)
            # The process that drives the run has checked the plugins.
            prepared = prepare(config, batch=self.batch, check=False, device=device or self.device)
            if self.provenance is not None:
                _check_installation(self.provenance, describe(prepared), self.code)
            if self.expected is not None:
                check_same_as(self.expected, prepared)
        except BaseException as error:
            return BuiltWorker(None, _failed(0, error, before="in a worker process: "))
        return BuiltWorker(prepared)


class BuiltWorker:
    """Do jobs with the plugins of this process.

    Attributes:
        prepared: the plugins; None if they could not be built.
        failure: then what every job ends with.
    """

    def __init__(self, prepared: Prepared | None, failure: JobOutcome | None = None) -> None:
        self.prepared, self.failure = prepared, failure

    def run(self, job: Job) -> JobOutcome:
        """Do a job, and return its result, or its error as text: not every exception can be pickled."""
        began = time.monotonic()
        if self.failure is not None:
            outcome = self.failure
        else:
            try:
                outcome = JobOutcome(job.number, job.function(self.prepared, job.task))
            except BaseException as error:
                outcome = _failed(job.number, error)
        seconds = time.monotonic() - began
        fields = vars(outcome) | {"number": job.number, "host": HOST, "pid": os.getpid(), "seconds": seconds}
        return JobOutcome(**fields)


def _settle() -> None:
    """Make this process one of a worker: what it prints is not a result, and the first one handles Ctrl-C."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, ValueError):  # standard error may be closed
        sys.stdout.flush()
        os.dup2(2, 1)
    keep_freed_memory()


def _enter(folder: str) -> None:
    """Make a folder the working directory, so that relative paths lead to the same files as in the driver.

    Raises:
        UserError: there is none on this machine.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(
            f"{HOST} has no folder {visible(folder)} ({error.strerror}), in which the run was begun: all "
            "machines must see it, the run directory and the files of the config under the same paths"
        ) from None


def code_digest() -> str:
    """Return a digest of the source files of ganstrata, which may differ where its version does not."""
    root = Path(__file__).parents[3]
    digest = hashlib.sha256()
    for file in sorted(file for folder in ("core", "plugins") for file in (root / folder).rglob("*.py")):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _check_installation(there: Provenance, here: Provenance, code: str) -> None:
    """Refuse a worker whose packages, plugins, files or type of device are others than the driver's.

    Raises:
        UserError: they differ; the message names what does.
    """
    differences = changes(there, here)
    if not differences and code != code_digest():
        differences = ["the source of ganstrata is another one"]
    if differences:
        raise UserError(
            f"the worker on {HOST} would compute other numbers than the process that drives the run: "
            f"{listed(differences)} on {HOST}. Install the same versions, and give all machines the same "
            "files and the same type of device"
        )


def _failed(number: int, error: BaseException, before: str = "") -> JobOutcome:
    """Return the outcome of a job for an error."""
    memory = isinstance(error, MemoryExhausted) or is_out_of_memory(error)
    text, code = _as_text(error)
    if memory and torch.cuda.is_available():
        torch.cuda.empty_cache()
    return JobOutcome(number, error=f"{before}{text}", exit_code=code, memory=memory)


def _as_text(error: BaseException) -> tuple[str, int]:
    """Return the message of a worker for an error, and its exit code."""
    if isinstance(error, GanstrataError):
        return message(str(error)), error.exit_code
    if isinstance(error, MemoryError):
        return (
            f"a worker process needs more memory than there is. What was finished is kept; {MEMORY}",
            GanstrataError.exit_code,
        )
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return (
        f"a worker process failed: {one_line(error)}{place}. What was finished is kept",
        GanstrataError.exit_code,
    )


def value_of(outcome: JobOutcome) -> Any:
    """Return the result of a job, or raise its error.

    Raises:
        UserError: the user can correct it.
        MemoryExhausted: memory ran out.
        WorkerError: any other error.
    """
    if not outcome.exit_code:
        return outcome.value
    if outcome.memory:
        raise MemoryExhausted(outcome.error)
    if outcome.exit_code == UserError.exit_code:
        raise UserError(outcome.error)
    raise WorkerError(outcome.error, outcome.exit_code)


class WorkerError(GanstrataError):
    """Represent an error of a worker, with the exit code of the original error."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
