"""Run tasks in worker processes, or in this process if there is one worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeVar

import torch

from ..config.schema import RunConfig
from ..conformance.same_everywhere import Made, check_same_as, make
from ..device import cores, resolve_device
from ..errors import GanstrataError, UserError
from ..messages import message
from ..plugins import activity
from ..plugins.failures import one_line
from ..storage.interrupts import defer_interrupt
from ..storage.json_values import JsonObject
from .malloc import keep_freed_memory
from .prepare import Prepared, own_plugins, prepare
from .spawning import MEMORY, late_message, why_workers_ended
from .worker_notes import WorkerNotes

T = TypeVar("T")
TaskFunction = Callable[[Prepared, Any], T]
PATIENCE = 5.0  # seconds to wait for a worker to end
LONGEST_START = 900.0  # seconds to wait until some worker has built its plugins

_prepared: Prepared | None = None
_failure: tuple[str, int] | None = (
    None  # message and exit code, if the plugins of this worker could not be built
)


class WorkerError(GanstrataError):
    """Represent an error of a worker, with the exit code of the original error."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def worker_count(config: RunConfig) -> int:
    """Return the number of worker processes; `auto` is one per core on the CPU, and one on a GPU.

    It is one, too, if the config names a class of this process, which other processes do not know.
    """
    workers = config.engine.workers
    if workers != "auto":
        return workers
    if own_plugins(config):
        return 1
    return cores() // config.engine.threads or 1 if resolve_device(config.device).type == "cpu" else 1


class Engine:
    """Run functions of (prepared, task) over tasks; each worker builds its plugins once.

    Use it as a context manager. An interruption stops the workers at once; the next run does their unfinished
    tasks again.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.workers = worker_count(prepared.config)
        self._pool: ProcessPoolExecutor | None = None
        self._notes: WorkerNotes | None = None
        self._threads = torch.get_num_threads()

    def __enter__(self) -> Engine:
        if self.prepared.device.type == "cpu":
            torch.set_num_threads(self.prepared.config.engine.threads)
        return self

    @defer_interrupt()
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.set_num_threads(self._threads)
        pool, self._pool = self._pool, None
        if pool is None:
            return
        workers = _workers(pool)
        if kind is not None:
            pool.shutdown(wait=False, cancel_futures=True)
            _end(workers)
            return
        # A worker whose plugin has started a thread or caught the signal to end would never end by itself.
        impatient = threading.Timer(PATIENCE, _end, [workers])
        impatient.daemon = True
        impatient.start()
        pool.shutdown(wait=True, cancel_futures=True)
        impatient.cancel()

    def map(self, function: TaskFunction[T], tasks: Sequence[Any]) -> Iterator[T]:
        """Yield the results of all tasks, in any order.

        Args:
            function: defined at the top of a module, so that workers can import it.
            tasks: plain data.

        Raises:
            GanstrataError: a task failed, or a worker ended unexpectedly.
        """
        if self.workers == 1 or len(tasks) <= 1:
            for task in tasks:
                yield function(self.prepared, task)
            return
        if self._pool is None:
            self._pool, self._notes = self._start()
        assert self._notes is not None
        started = time.monotonic()
        waiting: set[Future[Any]] = set()
        workers: list[BaseProcess] = []
        queue = iter(tasks)
        try:
            while True:
                for task in queue:
                    with _uninterrupted():  # this may start a worker, which inherits blocked signals
                        waiting.add(self._pool.submit(_run_task, function, task))
                    workers = _workers(self._pool) or workers
                    if len(waiting) >= 2 * self.workers:
                        break
                if not waiting:
                    return
                done, waiting = wait(waiting, 1.0, return_when=FIRST_COMPLETED)
                if not done and time.monotonic() - started > LONGEST_START and not self._notes.has_ready():
                    raise GanstrataError(late_message(LONGEST_START, self._notes.any_call()))
                for future in done:
                    yield _unwrap(future.result())
        except BrokenProcessPool:
            self._pool = None
            _end(workers)
            calls = self._notes.calls()
            ends = [(process.exitcode, calls.get(process.pid or 0, "")) for process in workers]
            raise GanstrataError(why_workers_ended(ends)) from None

    def _start(self) -> tuple[ProcessPoolExecutor, WorkerNotes]:
        """Make the pool, whose processes start with the first tasks, and where they note what they do."""
        context, prepared = multiprocessing.get_context("spawn"), self.prepared
        notes = WorkerNotes(context, self.workers)
        expected = make(prepared) if prepared.config.checks else None
        config = prepared.config.as_data()
        pool = ProcessPoolExecutor(
            self.workers,
            mp_context=context,
            initializer=_begin,
            initargs=(config, prepared.batch, expected, notes),
        )
        return pool, notes


def _workers(pool: ProcessPoolExecutor) -> list[BaseProcess]:
    """Return the processes of a pool, which forgets them when it is shut down or breaks."""
    return list((getattr(pool, "_processes", None) or {}).values())


def _end(workers: Sequence[BaseProcess]) -> None:
    """End these processes, and wait until they are gone."""
    for process in workers:
        process.terminate()
    for process in workers:
        # Not `is_alive`: it may be true for a process that has ended, until another thread has noticed.
        if not connection.wait([process.sentinel], PATIENCE):
            process.kill()
        process.join(PATIENCE)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block; it never reaches processes that are started in the block."""
    # New processes inherit blocked signals. In this one another thread would receive the signal, and
    # a worker that is left half started would complain of the rest of its input.
    with defer_interrupt():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        # Otherwise the tracker would start with the first worker, and unblock the signal again.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: BaseProcess) -> None:
    """End this process as soon as its parent has ended."""
    parent.join()
    os._exit(1)


def _begin(config: JsonObject, batch: int, expected: Made | None, notes: WorkerNotes) -> None:
    """Set up a worker: its threads, and its own plugins on the device.

    Args:
        config: of the run.
        batch: samples in one pass.
        expected: what the plugins of the first process make of a few samples; None not to check that.
        notes: where to note what this process does.
    """
    global _prepared, _failure
    # A killed parent cannot stop its workers, which would go on writing into a run that is then continued.
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interruptions
    with suppress(OSError):  # standard error may be closed
        os.dup2(2, 1)  # what a plugin prints is no result of the command
    keep_freed_memory()
    activity.share(notes.claim())
    validated = RunConfig.model_validate(config)
    torch.set_num_threads(validated.engine.threads)
    try:
        _prepared = prepare(validated, batch=batch, check=False)  # the parent has checked
        if expected is not None:
            check_same_as(expected, _prepared)
    except BaseException as error:
        text, code = _as_text(error)
        _failure = (f"in a worker process: {text}", code)
    notes.is_ready()


def _run_task(function: TaskFunction[T], task: Any) -> tuple[str, int, T | None]:
    """Run one task. Return message, exit code and result.

    Errors are returned as text with an exit code, since not every exception can be pickled.
    """
    if _failure is not None:
        return *_failure, None
    assert _prepared is not None
    try:
        return "", 0, function(_prepared, task)
    except BaseException as error:
        return *_as_text(error), None


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


def _unwrap(result: tuple[str, int, Any]) -> Any:
    """Return the result of a task, or raise its error."""
    text, exit_code, value = result
    if exit_code != 0:
        raise (UserError(text) if exit_code == UserError.exit_code else WorkerError(text, exit_code))
    return value
