"""Run tasks in actors of Ray, on a cluster of this machine or on an existing one."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from pydantic import Field

from ...core.device import cores
from ...core.errors import GanstrataError, UserError
from ...core.messages import visible
from ...core.plugins.base import PluginConfig
from ...core.plugins.engine import Engine, Job, JobOutcome, WorkerSetup
from ...core.plugins.failures import one_line

INSTALL = "the engine `ray` needs Ray, which is not installed: pip install 'ganstrata[ray]'"
AUTO = "auto"  # address of the cluster to which this machine belongs
LOCAL = "local"  # address for a new cluster of this machine


class Actor:
    """Hold the worker of one actor."""

    def __init__(self, setup: WorkerSetup, device: str) -> None:
        self._worker = setup.build(device)

    def run(self, job: Job) -> JobOutcome:
        """Do a job."""
        return self._worker.run(job)

    def ready(self) -> None:
        """Return as soon as the worker is built."""


@dataclass(frozen=True)
class Assignment:
    """Hold what an actor was asked for: to build its worker, or to do a job.

    Attributes:
        actor: its handle.
        job: the job; None to build the worker.
        losses: how many workers were lost with this job.
        lost: why the last of them was.
    """

    actor: Any
    job: Job | None = None
    losses: int = 0
    lost: str = ""


class Ray(Engine["Ray.Config"]):
    """Run tasks in actors of Ray, each of which builds its plugins once and takes one task after the other.

    By default the cluster is one of this machine, begun and ended by the command. `workers: auto` is an actor
    per GPU of the cluster, or per core on the CPU. All machines must see the run directory and the files that
    the config names under the same paths.
    """

    class Config(PluginConfig):
        """Options of Ray."""

        address: str | None = Field(
            default=None,
            pattern=r"^(auto|[^\s:/]+:\d+|\[[0-9a-fA-F:]+\]:\d+)$",
            description="HOST:PORT of an existing cluster, or auto for that of this machine; "
            "none: begin a cluster of this machine",
            examples=["auto"],
        )
        patience: float = Field(
            default=60.0, gt=0.0, le=86_400.0, description="seconds that the cluster may take to answer"
        )
        longest_start: float = Field(
            default=900.0, gt=0.0, description="seconds until some worker must have built its plugins"
        )
        retries: int = Field(
            default=3, ge=0, le=100, description="how often a task is done again after its worker was lost"
        )

    def __init__(self, config: Ray.Config, device: torch.device) -> None:
        super().__init__(config, device)
        self._ray: Any = None  # the module, once a cluster is connected
        self._owned = False  # whether the connection is to be ended
        self._actor_class: Any = None
        self._arguments: tuple[Any, ...] = ()
        self._actors: list[Any] = []
        self._idle: list[Any] = []

    def count(self, wanted: int | None, threads: int) -> int:
        """Connect to the cluster, and return the number of actors.

        Raises:
            UserError: Ray is not installed, the cluster cannot be reached, or it is too small.
        """
        if self._ray is None:
            self._connect(max(cores(), (wanted or 1) * threads))
        resources = self._ray.cluster_resources()
        processors, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        on_gpu = self.device.type != "cpu"
        most = min(gpus, processors // threads) if on_gpu else processors // threads
        if most < (wanted or 1):
            raise UserError(
                f"the Ray cluster has {processors} processors and {gpus} GPUs; {wanted or 1} workers with "
                f"engine.threads={threads} on {self.device.type} need {(wanted or 1) * threads} and "
                f"{(wanted or 1) if on_gpu else 0}; set engine.workers or engine.threads lower"
            )
        return wanted or most

    def begin(self, setup: WorkerSetup, workers: int) -> None:
        """Ask for the actors; they build their plugins at once, where the cluster has room for them."""
        if self._ray is None:
            self.count(workers, setup.threads)
        on_gpu = self.device.type != "cpu"
        options = {"num_cpus": setup.threads, "num_gpus": int(on_gpu), "max_restarts": 0}
        self._actor_class = self._ray.remote(**options)(Actor)
        # Ray shows each actor its own GPU alone.
        self._arguments = (self._ray.put(setup), self.device.type)
        self._actors = [self._actor_class.remote(*self._arguments) for _ in range(workers)]
        self._idle = []

    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        """Yield the outcomes of all jobs; those of a lost worker are done again, by a new one.

        Raises:
            GanstrataError: one job has lost too many workers, or no worker begins.
        """
        ray = self._ray
        # An actor that is not known to be idle is asked; it may still do a job of a map that was given up.
        waiting = deque(Assignment(None, job) for job in jobs)
        doing = {actor.ready.remote(): Assignment(actor) for actor in self._actors if actor not in self._idle}
        idle, left = list(self._idle), len(jobs)
        self._idle = []
        losses, deadline = 0, time.monotonic() + self.config.longest_start
        has_begun = bool(idle)
        while left:
            while idle and waiting:
                assigned = replace(waiting.popleft(), actor=idle.pop())
                doing[assigned.actor.run.remote(assigned.job)] = assigned
            done, _ = ray.wait(list(doing), num_returns=1, timeout=1.0)
            if not done and not has_begun and time.monotonic() > deadline:
                raise GanstrataError(
                    f"no worker of the Ray cluster was ready after {self.config.longest_start:.0f} seconds; "
                    "perhaps others use its processors (`ray status`). What was finished is kept"
                )
            for reference in done:
                assigned = doing.pop(reference)
                try:
                    outcome = ray.get(reference)
                except ray.exceptions.RayError as error:
                    reason = _reason(error)
                    losses += assigned.job is None
                    self._check_losses(assigned.losses + 1 if assigned.job else losses, reason)
                    if assigned.job is not None:
                        waiting.append(replace(assigned, losses=assigned.losses + 1, lost=reason))
                    actor = self._replaced(assigned.actor)
                    doing[actor.ready.remote()] = Assignment(actor)
                    continue
                has_begun = True
                idle.append(assigned.actor)
                if assigned.job is not None:
                    left -= 1
                    yield replace(outcome, lost=assigned.lost)
        self._idle = idle

    def end(self, *, failed: bool) -> None:
        """End the actors, and the cluster if it is one of this machine that began with them."""
        ray, self._ray = self._ray, None
        if ray is None:
            return
        for actor in self._actors:
            ray.kill(actor)
        self._actors, self._idle = [], []
        if self._owned:
            ray.shutdown()

    def _check_losses(self, losses: int, reason: str) -> None:
        """Give up after too many lost workers.

        Raises:
            GanstrataError: there are too many.
        """
        if losses > self.config.retries:
            raise GanstrataError(
                f"a task was given up after {losses} lost workers of the Ray cluster; the last: {reason}. "
                "What was finished is kept; run the same command again, if memory was short with a smaller "
                "synthesis.batch_size or fewer engine.workers"
            )

    def _replaced(self, actor: Any) -> Any:
        """Return a new actor in place of one that was lost."""
        self._ray.kill(actor)
        new = self._actor_class.remote(*self._arguments)
        self._actors = [new if each is actor else each for each in self._actors]
        return new

    def _connect(self, processors: int) -> None:
        """Begin a cluster of this machine, or connect to an existing one, unless the program is connected.

        Raises:
            UserError: Ray is not installed, or there is no cluster at the address.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        address = self.config.address
        if address is None:
            os.environ.setdefault("RAY_worker_niceness", "0")  # else workers give way to all other programs
        try:
            import ray
        except ImportError:
            raise UserError(INSTALL) from None
        if not ray.is_initialized():
            quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "ganstrata"}
            if address is None:
                # Without an address Ray would join the cluster that RAY_ADDRESS, or a file of an earlier
                # one, names, and that may be gone.
                own = {"address": LOCAL, "num_cpus": processors, "include_dashboard": False}
                self._begin(ray, own | quiet)
            else:
                self._join(ray, address, quiet)
            self._owned = True
        self._ray = ray

    def _begin(self, ray: Any, options: dict[str, Any]) -> None:
        """Begin a cluster of this machine.

        Raises:
            UserError: Ray cannot begin one, such as where it may start no processes or has no room for files.
        """
        try:
            _call_init(ray, options)
        except Exception as error:
            raise UserError(
                f"the engine `ray` cannot begin a cluster of this machine: {one_line(error)}. Set "
                "engine.with.address to one that runs, or engine.use to local"
            ) from error

    def _join(self, ray: Any, address: str, quiet: dict[str, Any]) -> None:
        """Connect to an existing cluster.

        Raises:
            UserError: it does not answer in time, or refuses.
        """
        where = f"engine.with.address: {address}"
        if address != AUTO:
            host, _, port = address.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), self.config.patience).close()
            except (OSError, OverflowError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise UserError(
                    f"{where}: no Ray cluster can be reached there ({reason}). `ray start --head` begins one "
                    "and prints its address; without an address, one of this machine is begun"
                ) from None
        ended: list[BaseException | None] = []

        def connect() -> None:
            try:
                _call_init(ray, {"address": address, **quiet})
                ended.append(None)
            except BaseException as error:
                ended.append(error)

        # What listens there may be something else, for which Ray would wait forever.
        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        thread.join(self.config.patience)
        if not ended:
            raise UserError(
                f"{where}: what listens there did not answer as a Ray cluster within "
                f"engine.with.patience: {self.config.patience:g} seconds"
            )
        if ended[0] is not None:
            raise UserError(
                f"{where}: cannot connect to this Ray cluster: {one_line(ended[0])}. Python and Ray must "
                "have the versions of the cluster; if that asks for a token, set RAY_AUTH_MODE=token and "
                "RAY_AUTH_TOKEN as there"
            ) from None


def _call_init(ray: Any, options: dict[str, Any]) -> None:
    """Call ray.init, and keep this program's own way to be ended by SIGTERM."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(**options)
    if main:
        signal.signal(signal.SIGTERM, before)


def _reason(error: BaseException) -> str:
    """Return why a worker was lost, in one line."""
    text = " ".join(str(error).split())
    for sentence in ("Worker exit detail: ", "The actor is dead because "):
        text = text.partition(sentence)[2] or text
    return visible(text, 200)
