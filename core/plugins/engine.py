"""Define the contract of engines, which spread the tasks of a run over workers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from .base import ConfigT, Plugin


@dataclass(frozen=True)
class Job:
    """Hold one task of a stage. It can be pickled, if the engine's workers are other processes.

    Attributes:
        number: of the task in its stage, from 1.
        function: called with the worker's plugins and the task.
        task: plain data.
    """

    number: int
    function: Callable[[Any, Any], Any]
    task: Any


@dataclass(frozen=True)
class JobOutcome:
    """Hold how a job ended. It can be pickled: an error is its text.

    Attributes:
        number: of the job.
        value: what its function returned; None after an error.
        error: message; empty if there was no error.
        exit_code: of the error, 0 without one.
        memory: whether the error is that memory ran out.
        host, pid: of the worker.
        seconds: that the job took.
        lost: why an earlier worker of this job was lost; empty if the first one did it.
    """

    number: int
    value: Any = None
    error: str = ""
    exit_code: int = 0
    memory: bool = False
    host: str = ""
    pid: int = 0
    seconds: float = 0.0
    lost: str = ""


class Worker(Protocol):
    """Do jobs with plugins of its own."""

    def run(self, job: Job) -> JobOutcome:
        """Do a job. It never raises: errors are in what it returns."""


class WorkerSetup(Protocol):
    """Make workers. It can be pickled, and sent to where a worker is to be."""

    @property
    def device(self) -> str:
        """Device of the run, cpu or cuda, with a number only if the config names that GPU."""

    @property
    def threads(self) -> int:
        """Threads of torch in each worker, `engine.threads`."""

    def build(self, device: str | None = None) -> Worker:
        """Build a worker in this process: its plugins, which takes seconds.

        It never raises. If the plugins cannot be built, every job of the worker ends with that error.

        Args:
            device: `cuda:N` where a worker is to have a GPU of its own; None for that of the run.
        """


class Engine(Plugin[ConfigT]):
    """Spread the jobs of a run over workers, each of which builds its plugins once.

    It is built as every plugin is, with a config (`engine.with`) and the device of the run. Results do not
    depend on it: it chooses no batches, and no number is stored under its name.

    The calls are `count`; then, if a stage has more than one task, `begin` and `map`, once per stage; at last
    `end`. Each comes from the process that drives the run.

    Attributes:
        elsewhere: whether workers may be on other machines, or of another installation. Then each is asked
            for the versions and the files of its plugins, and refused if they differ.
        alone_is_here: whether a single worker is the process that drives the run. Then nothing is begun.
    """

    noun = "engine"
    guarded = ("begin", "count", "end")
    elsewhere: ClassVar[bool] = True
    alone_is_here: ClassVar[bool] = False

    def count(self, wanted: int | None, threads: int) -> int:
        """Return the number of workers.

        Args:
            wanted: `engine.workers`; None for `auto`.
            threads: of each.

        Raises:
            UserError: there cannot be so many; or what workers run on cannot be reached.
        """
        from ..device import cores

        return wanted or cores() // threads or 1

    @abstractmethod
    def begin(self, setup: WorkerSetup, workers: int) -> None:
        """Begin workers, or note what they are made from.

        Args:
            setup: makes a worker wherever it is called.
            workers: their number, as `count` gave it.
        """

    @abstractmethod
    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        """Yield an outcome for every job, in any order, as soon as it is there.

        A job may be done again, by another worker, if its worker is lost: it writes the same bytes. Each has
        one outcome. If the caller stops early, what is being done may be finished or given up.

        Raises:
            GanstrataError: workers are lost, or none begins.
        """

    @abstractmethod
    def end(self, *, failed: bool) -> None:
        """End all workers, and leave no process behind. It is called once, also if `begin` was not.

        Args:
            failed: whether the run ends with an error or an interruption: then at once.
        """
