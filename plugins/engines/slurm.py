"""Run tasks in jobs of Slurm, which submitit submits."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, StringConstraints

from ...core.errors import GanstrataError, UserError
from ...core.messages import visible
from ...core.plugins.base import PluginConfig
from ...core.plugins.engine import Engine, Job, JobOutcome, WorkerSetup
from ...core.plugins.failures import one_line
from .links import Event, Invitation, Links, work

INSTALL = "the engine `slurm` needs submitit, which is not installed: pip install 'ganstrata[slurm]'"
PATIENCE = 30.0  # seconds to wait for a worker of this machine to end
WARNING = "SUBMITIT_PREEMPT_SIGNAL"  # names the signal with which submitit warns of the end of a job's time
# They become lines of a script.
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,:/@%=*+\[\]&|!-]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


@dataclass(frozen=True)
class Task:
    """Hold a job, how many workers were lost with it, and why the last of them was."""

    job: Job
    losses: int = 0
    lost: str = ""


class Slurm(Engine["Slurm.Config"]):
    """Run tasks in jobs of Slurm, each of which builds its plugins once and takes one task after the other.

    Workers connect to the process that drives the run. All machines must see the run directory, the working
    directory and the files that the config names under the same paths.
    """

    class Config(PluginConfig):
        """Options of the jobs."""

        cluster: Literal["slurm", "local"] = Field(
            default="slurm",
            description="slurm; or local: the same without Slurm, as processes of this machine, to try it",
        )
        partition: Word | None = Field(default=None, description="partition; default: that of the cluster")
        time: int = Field(
            default=240, ge=1, le=100_000, description="minutes that each job may take; others follow it"
        )
        memory: float | None = Field(
            default=None, gt=0.0, description="GB of each worker; default: that of the partition"
        )
        gpus: int | None = Field(
            default=None, ge=0, le=64, description="GPUs of each worker; default: 1 on CUDA, else none"
        )
        parameters: dict[Name, Word | int | bool] = Field(
            default_factory=dict,
            description="further options of sbatch, without their hyphens",
            examples=[{"account": "vision", "exclusive": True}],
        )
        folder: str = Field(
            default=".",
            min_length=1,
            description="folder that all machines see, in which files of the jobs lie while the run goes on",
        )
        host: Word | None = Field(
            default=None,
            description="name or address at which workers reach this machine; default: its host name",
        )
        longest_start: float = Field(
            default=86_400.0, gt=0.0, description="seconds until some worker must have begun"
        )
        retries: int = Field(
            default=3, ge=0, le=100, description="how often a task is done again after its worker was lost"
        )

    def __init__(self, config: Slurm.Config, device: torch.device) -> None:
        super().__init__(config, device)
        self._links: Links | None = None
        self._setup: WorkerSetup | None = None
        self._folder = Path()
        self._executor: Any = None
        self._submitted: dict[int, Any] = {}  # number of a worker -> its job of submitit
        self._last = 0  # number that was given to a worker
        self._idle: list[int] = []
        self._doing: dict[int, Task | None] = {}  # None: of a map that was given up

    def count(self, wanted: int | None, threads: int) -> int:
        """Return the number of workers, each a job.

        Raises:
            UserError: submitit is not installed, this machine does not know Slurm, or there is no number.
        """
        _submitit()
        if self.config.cluster == "slurm":
            if not (shutil.which("sbatch") and shutil.which("srun")):
                raise UserError(
                    "engine slurm: there is no `sbatch` and `srun` on this machine; run the command where "
                    "jobs are submitted, or try it with engine.with.cluster: local"
                )
            if wanted is None:
                raise UserError(
                    "engine.workers: auto does not say how many jobs of Slurm there are to be; give a number"
                )
        return super().count(wanted, threads)

    def begin(self, setup: WorkerSetup, workers: int) -> None:
        """Submit the jobs; each begins when Slurm has room for it, and builds its plugins.

        Raises:
            GanstrataError: the folder cannot be written, or Slurm refuses the jobs.
        """
        submitit = _submitit()
        here = self.config.cluster == "local"
        try:
            # Only this user may read it: it holds the secret, and pickles from which the jobs begin.
            self._folder = Path(tempfile.mkdtemp(prefix=".ganstrata-slurm-", dir=self.config.folder))
        except OSError as error:
            raise UserError(
                f"engine.with.folder: nothing can be written in {visible(self.config.folder)} "
                f"({error.strerror})"
            ) from None
        self._links, self._setup = Links(here=here), setup
        gpus = int(self.device.type == "cuda") if self.config.gpus is None else self.config.gpus
        self._executor = submitit.AutoExecutor(self._folder.resolve(), cluster=self.config.cluster)
        self._executor.update_parameters(
            name="ganstrata",
            timeout_min=self.config.time,
            nodes=1,
            tasks_per_node=1,
            cpus_per_task=setup.threads,
            gpus_per_node=gpus or None,
            mem_gb=self.config.memory,
            slurm_partition=self.config.partition,
            slurm_additional_parameters=dict(self.config.parameters) or None,
        )
        for _ in range(workers):
            self._submit()

    def _submit(self) -> None:
        """Submit the job of one more worker.

        Raises:
            GanstrataError: Slurm refuses it.
        """
        assert self._links is not None
        self._last += 1
        invitation = self._links.invitation(self._last, self.config.host)
        try:
            job = self._executor.submit(_become, self._setup, self.device.type, invitation)
        except Exception as error:
            raise GanstrataError(f"Slurm took no job: {one_line(error)}. What was finished is kept") from None
        self._submitted[self._last] = job

    def map(self, jobs: Sequence[Job]) -> Iterator[JobOutcome]:
        """Yield the outcomes of all jobs; those of a lost worker are done again.

        Raises:
            GanstrataError: one job has lost too many workers, or no worker begins.
        """
        assert self._links is not None
        waiting = deque(Task(job) for job in jobs)
        # A worker may still do a job of a map that was given up.
        self._doing = dict.fromkeys(self._doing)
        left, losses = len(jobs), 0
        deadline = time.monotonic() + self.config.longest_start
        while left:
            while self._idle and waiting:
                number, task = self._idle.pop(), waiting.popleft()
                self._doing[number] = task
                self._links.send(number, task.job)
            event = self._event(deadline)
            if event is None or event.number not in self._submitted:
                continue
            given = self._doing.pop(event.number, None)
            if event.lost:
                reason = self._replace(event)
                losses += given is None
                self._check_losses(losses if given is None else given.losses + 1, reason)
                if given is not None:
                    waiting.append(replace(given, losses=given.losses + 1, lost=reason))
                continue
            self._idle.append(event.number)
            if given is not None and event.outcome is not None:
                left -= 1
                yield replace(event.outcome, lost=given.lost)

    def _event(self, deadline: float) -> Event | None:
        """Wait a second for something to happen to a worker.

        Raises:
            GanstrataError: none has begun until the deadline.
        """
        assert self._links is not None
        with suppress(queue.Empty):
            return self._links.events.get(timeout=1.0)
        absent = [number for number in self._submitted if not self._links.has(number)]
        for number in absent:
            if self._submitted[number].done():
                return Event(number, lost="it ended before it was connected")
        if len(absent) == len(self._submitted) and time.monotonic() > deadline:
            raise GanstrataError(
                f"no worker of Slurm had begun after {self.config.longest_start:.0f} seconds (`squeue --me` "
                "says what its jobs wait for). What was finished is kept"
            )
        return None

    def _replace(self, event: Event) -> str:
        """Submit a job in place of one that was lost, and return why that was."""
        lost = self._submitted.pop(event.number)
        self._idle = [number for number in self._idle if number != event.number]
        reason = f"job {lost.job_id} of Slurm: {event.lost}"
        with suppress(Exception):  # what is known of a job is read from files and from programs
            last = [line for line in (lost.stderr() or "").splitlines() if not line.startswith("submitit ")]
            reason += f" ({lost.state}{': ' if last else ''}{''.join(last[-1:])})"
        _cancel(lost)
        self._submit()
        return visible(reason, 300)

    def _check_losses(self, losses: int, reason: str) -> None:
        """Give up after too many lost workers.

        Raises:
            GanstrataError: there are too many.
        """
        if losses > self.config.retries:
            raise GanstrataError(
                f"a task was given up after {losses} lost workers; the last: {reason}. What was finished is "
                "kept; run the same command again, if memory was short with more engine.with.memory"
            )

    def end(self, *, failed: bool) -> None:
        """End the workers, cancel jobs that have not begun, and remove the files of all."""
        links, self._links = self._links, None
        if links is None:
            return
        links.close()
        for job in self._submitted.values():
            _cancel(job)
        self._submitted, self._idle, self._doing = {}, [], {}
        shutil.rmtree(self._folder, ignore_errors=True)


def _submitit() -> Any:
    """Import submitit.

    Raises:
        UserError: it is not installed.
    """
    try:
        import submitit
    except ImportError:
        raise UserError(INSTALL) from None
    return submitit


def _cancel(job: Any) -> None:
    """Cancel a job; if it is a process of this machine, wait until it is gone."""
    process = getattr(job, "_process", None)
    with suppress(Exception):
        if process is None:
            job.cancel(check=False)
            return
        process.terminate()
        process.wait(PATIENCE)
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()


def _become(setup: WorkerSetup, device: str, invitation: Invitation) -> None:
    """Make this process, which submitit has begun, a worker."""
    # submitit would turn its warning into an error of the task that is being done. That task may still end in
    # time; if it does not, the connection ends, and another worker does it.
    signal.signal(getattr(signal, f"SIG{os.environ.get(WARNING, 'USR2')}"), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    work(setup, device, invitation)
