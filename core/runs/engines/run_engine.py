"""Run the tasks of a stage on the engine of a run, or in this process if there is one worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, TypeVar, cast

import torch

from ...conformance.same_everywhere import make
from ...plugins.base import owner_of
from ...plugins.engine import Engine, Job, JobOutcome
from ...plugins.failures import plugin_call
from ...storage.interrupts import defer_interrupt
from ..loading import build
from ..prepare import Prepared, own_plugins
from ..provenance.describe import describe
from .worker import HOST, Setup, code_digest, value_of

T = TypeVar("T")
TaskFunction = Callable[[Prepared, Any], T]


class RunEngine:
    """Run functions of (prepared, task) over tasks; each worker builds its plugins once.

    Use it as a context manager. An interruption stops the workers at once; the next run does their unfinished
    tasks again.

    Attributes:
        prepared: plugins of this process.
        seen: host and number of each other worker -> when its last task ended, and how.
        lost: sentences on workers that were lost, and whose tasks were done again.
    """

    def __init__(self, prepared: Prepared, say: Callable[[str], None] = lambda _: None) -> None:
        self.prepared = prepared
        self._begun = False
        self._threads = torch.get_num_threads()
        self._say = say
        self.seen: dict[tuple[str, int], tuple[float, JobOutcome]] = {}
        self.lost: list[str] = []

    @cached_property
    def plugin(self) -> Engine:
        """The engine of the config, built when it is needed.

        Raises:
            GanstrataError: there is no such plugin, it does not load, or its config does not fit.
        """
        used, device = self.prepared.config.engine, str(self.prepared.device)
        return cast("Engine", build("engine", used.use, used.options, device=device))

    @cached_property
    def workers(self) -> int:
        """Number of workers; `auto` is for the engine to decide.

        It is one if the config names a class of this process, which other processes do not know.
        """
        used = self.prepared.config.engine
        if used.workers == "auto" and own_plugins(self.prepared.config):
            return 1
        return self.plugin.count(None if used.workers == "auto" else used.workers, used.threads)

    def __enter__(self) -> RunEngine:
        if self.prepared.device.type == "cpu":
            torch.set_num_threads(self.prepared.config.engine.threads)
        return self

    @defer_interrupt()
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.set_num_threads(self._threads)
        if "plugin" in vars(self):
            self.plugin.end(failed=kind is not None)

    def map(self, function: TaskFunction[T], tasks: Sequence[Any]) -> Iterator[T]:
        """Yield the results of all tasks, in any order.

        Args:
            function: defined at the top of a module, so that workers can import it.
            tasks: plain data.

        Raises:
            GanstrataError: a task failed, or a worker ended unexpectedly.
        """
        # No worker is worth its start for one task.
        if len(tasks) <= 1 or (self.workers == 1 and self.plugin.alone_is_here):
            for task in tasks:
                yield function(self.prepared, task)
            return
        if not self._begun:
            self.plugin.begin(self._setup(), self.workers)
            self._begun = True
        jobs = [Job(number, function, task) for number, task in enumerate(tasks, 1)]
        for outcome in self._outcomes(jobs):
            yield value_of(outcome)

    def _outcomes(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        """Yield the outcomes of all jobs; an exception of the engine is reported as the plugin's."""
        plugin = self.plugin
        outcomes = iter(plugin.map(jobs))
        while True:
            with plugin_call(owner_of(plugin), "map", home=type(plugin).__module__):
                outcome = next(outcomes, None)
            if outcome is None:
                return
            self.seen[outcome.host, outcome.pid] = time.time(), outcome
            if outcome.lost:
                self.lost.append(f"task {outcome.number} was done again: {outcome.lost}")
                self._say(self.lost[-1])
            yield outcome

    def _setup(self) -> Setup:
        """Return what workers are made from."""
        prepared = self.prepared
        config = prepared.config
        expected = make(prepared) if config.checks else None
        if prepared.device.type == "cuda":
            torch.cuda.empty_cache()  # a worker may be on the same GPU
        return Setup(
            config=config.as_data(),
            batch=prepared.batch,
            device=str(prepared.device),
            threads=config.engine.threads,
            driver=(HOST, os.getpid()),
            folder=os.getcwd(),
            expected=expected,
            provenance=describe(prepared) if self.plugin.elsewhere else None,
            code=code_digest() if self.plugin.elsewhere else "",
        )
