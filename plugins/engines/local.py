"""Run tasks in processes of this machine: one per core, or one per GPU."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess

import torch

from ...core.device import cores
from ...core.errors import GanstrataError, UserError
from ...core.plugins import activity
from ...core.plugins.base import PluginConfig
from ...core.plugins.engine import Engine, Job, JobOutcome, Worker, WorkerSetup
from ...core.plugins.failures import one_line
from ...core.runs.spawning import late_message, why_workers_ended
from ...core.runs.worker_notes import WorkerNotes
from ...core.shortage import shortage
from ...core.storage.interrupts import defer_interrupt

PATIENCE = 5.0  # seconds to wait for a worker to end
LONGEST_START = 900.0  # seconds to wait until some worker has built its plugins

_worker: Worker | None = None  # of this process


def devices_of(device: torch.device) -> list[str]:
    """Return the devices over which workers are spread: every GPU, unless the config names one.

    >>> devices_of(torch.device("cpu")), devices_of(torch.device("cuda:1"))
    (['cpu'], ['cuda:1'])
    """
    if str(device) != "cuda":
        return [str(device)]
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or [str(device)]


class Local(Engine[PluginConfig]):
    """Run tasks in processes of this machine, each with its plugins, or in the first one if it is one.

    `workers: auto` is one process per core on the CPU, and one per GPU. Workers beyond the GPUs share them.
    """

    elsewhere = False
    alone_is_here = True

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self._pool: ProcessPoolExecutor | None = None
        self._notes: WorkerNotes | None = None
        self._setup: WorkerSetup | None = None
        self._workers = 1

    def count(self, wanted: int | None, threads: int) -> int:
        """Return the number of processes: one per core, or one per GPU."""
        if wanted is not None:
            return wanted
        return cores() // threads or 1 if self.device.type == "cpu" else len(devices_of(self.device))

    def begin(self, setup: WorkerSetup, workers: int) -> None:
        """Note what the processes are made from; they begin with the first jobs."""
        self._setup, self._workers = setup, workers

    def end(self, *, failed: bool) -> None:
        """End the processes: at once after an error, else when they have finished."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        workers = _processes(pool)
        if failed:
            pool.shutdown(wait=False, cancel_futures=True)
            _end(workers)
            return
        # A worker whose plugin has started a thread or caught the signal to end would never end by itself.
        impatient = threading.Timer(PATIENCE, _end, [workers])
        impatient.daemon = True
        impatient.start()
        pool.shutdown(wait=True, cancel_futures=True)
        impatient.cancel()

    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        """Yield the outcomes of all jobs, in the order in which they end.

        Raises:
            GanstrataError: a process ended unexpectedly, or none began.
            UserError: this machine lets no process begin.
        """
        if self._pool is None:
            with _startable():
                self._pool, self._notes = self._start()
        assert self._notes is not None
        started = time.monotonic()
        waiting: set[Future[JobOutcome]] = set()
        workers: list[BaseProcess] = []
        queue = iter(jobs)
        try:
            while True:
                for job in queue:
                    # This may start a worker, which inherits blocked signals.
                    with _uninterrupted(), _startable():
                        waiting.add(self._pool.submit(_run, job))
                    workers = _processes(self._pool) or workers
                    if len(waiting) >= 2 * self._workers:
                        break
                if not waiting:
                    return
                done, waiting = wait(waiting, 1.0, return_when=FIRST_COMPLETED)
                if not done and time.monotonic() - started > LONGEST_START and not self._notes.has_ready():
                    raise GanstrataError(late_message(LONGEST_START, self._notes.any_call()))
                for future in done:
                    yield future.result()
        except BrokenProcessPool:
            self._pool = None
            _end(workers)
            calls = self._notes.calls()
            ends = [(process.exitcode, calls.get(process.pid or 0, "")) for process in workers]
            raise GanstrataError(why_workers_ended(ends)) from None

    def _start(self) -> tuple[ProcessPoolExecutor, WorkerNotes]:
        """Make the pool, whose processes start with the first jobs, and where they note what they do."""
        context = multiprocessing.get_context("spawn")
        notes = WorkerNotes(context, self._workers)
        assert self._setup is not None
        pool = ProcessPoolExecutor(
            self._workers,
            mp_context=context,
            initializer=_begin,
            initargs=(self._setup, devices_of(self.device), notes),
        )
        return pool, notes


def _processes(pool: ProcessPoolExecutor) -> list[BaseProcess]:
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
def _startable() -> Iterator[None]:
    """Say what is wrong where processes or what they share cannot be made: small containers lack /dev/shm.

    Raises:
        UserError: the system refuses.
    """
    try:
        yield
    except (OSError, ImportError) as error:  # a Python without semaphores raises an ImportError
        reason = shortage(error) or getattr(error, "strerror", None) or one_line(error)
        raise UserError(
            f"no worker processes can be started here: {reason}. They need "
            "semaphores, which lie in /dev/shm, and a folder for temporary files; with engine.workers=1 "
            "nothing of that is needed"
        ) from error


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


def _begin(setup: WorkerSetup, devices: Sequence[str], notes: WorkerNotes) -> None:
    """Make this process a worker.

    Args:
        setup: makes it.
        devices: over which the workers are spread in turn.
        notes: where to note what this process does.
    """
    global _worker
    # A killed parent cannot stop its workers, which would go on writing into a run that is then continued.
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interruptions, from now on
    activity.share(notes.claim())
    _worker = setup.build(devices[notes.place % len(devices)])
    notes.is_ready()


def _run(job: Job) -> JobOutcome:
    """Do a job with the worker of this process."""
    assert _worker is not None
    return _worker.run(job)
