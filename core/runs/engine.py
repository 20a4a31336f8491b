"""Spreads tasks over processes on this machine, or does them here if one worker is enough."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeVar

import torch

from ..config.schema import RunConfig
from ..device import cores, resolve_device
from ..errors import GanstrataError, UserError
from ..plugins.failures import one_line
from ..storage.interrupts import defer_interrupt
from ..text import message
from .malloc import keep_freed_memory
from .prepare import Prepared, prepare
from .spawning import MEMORY, why_workers_ended

T = TypeVar("T")
Work = Callable[[Prepared, Any], T]
PATIENCE = 5.0  # seconds that a worker has to end

_prepared: Prepared | None = None
_failure: tuple[str, int] | None = None  # why this worker has no plugins


class WorkerError(GanstrataError):
    """What a worker reported, with the exit code of the original error."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def worker_count(config: RunConfig) -> int:
    """How many processes `auto` means: one per core on the CPU, one on a GPU."""
    asked = config.engine.workers
    if asked != "auto":
        return asked
    return cores() // config.engine.threads or 1 if resolve_device(config.device).type == "cpu" else 1


class Engine:
    """Runs a function of (prepared, task) over tasks; workers build their plugins once.

    Use as a context manager. On an interruption the workers are stopped at once: what they have not
    marked as finished is done again by the next run.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.workers = worker_count(prepared.config)
        self._pool: ProcessPoolExecutor | None = None
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
        pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is not None:
            _end(workers)

    def map(self, function: Work[T], tasks: Sequence[Any]) -> Iterator[T]:
        """Results as they come, in any order.

        Args:
            function: defined at the top of a module, so that workers can import it.
            tasks: plain data.

        Raises:
            GanstrataError: what a task raised, or that a worker died.
        """
        if self.workers == 1 or len(tasks) <= 1:
            for task in tasks:
                yield function(self.prepared, task)
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self.prepared.config.model_dump(mode="json", by_alias=True), self.prepared.batch),
            )
        waiting: set[Future[Any]] = set()
        workers: list[BaseProcess] = []
        queue = iter(tasks)
        try:
            while True:
                for task in queue:
                    with _uninterrupted():  # a worker is started here, and inherits what is blocked
                        waiting.add(self._pool.submit(_work, function, task))
                    workers = _workers(self._pool) or workers
                    if len(waiting) >= 2 * self.workers:
                        break
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield _unwrap(future.result())
        except BrokenProcessPool:
            self._pool = None
            _end(workers)
            raise GanstrataError(why_workers_ended(process.exitcode for process in workers)) from None


def _workers(pool: ProcessPoolExecutor) -> list[BaseProcess]:
    """The processes of a pool. It forgets them when it is shut down or breaks."""
    return list((getattr(pool, "_processes", None) or {}).values())


def _end(workers: Sequence[BaseProcess]) -> None:
    """End the given processes and no others, and wait until they are gone."""
    for process in workers:
        process.terminate()
    for process in workers:
        # Not `is_alive`: that says true of a process that has ended while another thread is about to note it.
        if not connection.wait([process.sentinel], PATIENCE):
            process.kill()
        process.join(PATIENCE)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until this is over, and never reaches processes started meanwhile."""
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
    parent.join()
    os._exit(1)


def _begin(config: dict[str, Any], batch: int) -> None:
    """Set up a worker: one device, its threads, its own plugins."""
    global _prepared, _failure
    # A parent that is killed cannot stop its workers, which would write into a run that is then continued.
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    keep_freed_memory()
    validated = RunConfig.model_validate(config)
    torch.set_num_threads(validated.engine.threads)
    try:
        _prepared = prepare(validated, batch=batch, check=False)  # the parent has
    except BaseException as error:
        _failure = _in_words(error)


def _work(function: Work[T], task: Any) -> tuple[str, int, T | None]:
    """Run one task; errors travel back as words with an exit code, because not every exception survives the journey."""
    if _failure is not None:
        return *_failure, None
    assert _prepared is not None
    try:
        return "", 0, function(_prepared, task)
    except BaseException as error:
        return *_in_words(error), None


def _in_words(error: BaseException) -> tuple[str, int]:
    """What a worker says of an error, and the exit code that it means."""
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
    words, exit_code, value = result
    if exit_code != 0:
        raise (UserError(words) if exit_code == UserError.exit_code else WorkerError(words, exit_code))
    return value
