"""Jobs of Slurm as workers: what is asked of Slurm, lost jobs, and what is said without submitit or Slurm."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from multiprocessing.connection import Client
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import CONFIG, _on_path
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError, GanstrataError, UserError
from ganstrata.core.plugins.engine import Job, JobOutcome
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.prepare import prepare
from ganstrata.plugins.engines.links import Invitation
from ganstrata.plugins.engines.slurm import WARNING, Slurm, _become
from processes import is_alive, until

CPU = torch.device("cpu")


class Submitted:
    """A job of submitit, which is a thread here that does as a worker does."""

    def __init__(self, act: Callable[[Any, Invitation], None], invitation: Invitation) -> None:
        self.job_id, self.cancelled, self.state = str(100 + invitation.number), False, "NODE_FAIL"
        self._thread = threading.Thread(target=self._run, args=(act, invitation), daemon=True)
        self._thread.start()

    def _run(self, act: Callable[[Any, Invitation], None], invitation: Invitation) -> None:
        try:
            with Client((invitation.host, invitation.port), authkey=invitation.secret) as connection:
                act(connection, invitation)
        except (OSError, EOFError):
            pass

    def done(self) -> bool:
        return not self._thread.is_alive()

    def stderr(self) -> str:
        return "no memory left\nsubmitit ERROR (now) - Submitted job triggered an exception\n"

    def cancel(self, *, check: bool) -> None:
        self.cancelled = True


def work(connection: Any, invitation: Invitation) -> None:
    connection.send(invitation.number)
    connection.send(None)
    while True:
        job = connection.recv()
        connection.send(JobOutcome(job.number, value=job.function(job.task), pid=invitation.number))


def die_in_the_second(connection: Any, invitation: Invitation) -> None:
    connection.send(invitation.number)
    connection.send(None)
    job = connection.recv()
    connection.send(JobOutcome(job.number, value=job.function(job.task), pid=invitation.number))
    connection.recv()


def die_in_the_first(connection: Any, invitation: Invitation) -> None:
    connection.send(invitation.number)
    connection.send(None)
    connection.recv()


def never_connect(connection: Any, invitation: Invitation) -> None:
    """End before the number of the worker is told."""


def build_slowly(connection: Any, invitation: Invitation) -> None:
    connection.send(invitation.number)
    connection.recv()


class Cluster:
    """A module submitit, the jobs of which act as they are told; further ones work."""

    def __init__(self) -> None:
        self.acts: list[Callable[[Any, Invitation], None]] = []
        self.jobs: list[Submitted] = []
        self.parameters: dict[str, Any] = {}
        self.refusal: Exception | None = None

    def AutoExecutor(self, folder: Path, cluster: str) -> Cluster:
        self.folder, self.cluster = folder, cluster
        return self

    def update_parameters(self, **parameters: Any) -> None:
        self.parameters = parameters

    def submit(self, _: object, setup: object, device: str, invitation: Invitation) -> Submitted:
        if self.refusal is not None:
            raise self.refusal
        act = self.acts.pop(0) if self.acts else work
        self.jobs.append(Submitted(act, invitation))
        return self.jobs[-1]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    monkeypatch.chdir(tmp_path)
    fake = Cluster()
    monkeypatch.setitem(sys.modules, "submitit", fake)
    return fake


@pytest.fixture
def slurm() -> Iterator[Callable[..., Slurm]]:
    """slurm(workers, ...) begins an engine with these options."""
    begun = []

    def begin(workers: int, **options: Any) -> Slurm:
        begun.append(Slurm(Slurm.Config(**{"cluster": "local", "retries": 1} | options), CPU))
        begun[-1].begin(SimpleNamespace(threads=2, device="cpu"), workers)
        return begun[-1]

    yield begin
    for engine in begun:
        engine.end(failed=True)


def jobs(count: int) -> list[Job]:
    return [Job(number, abs, -number) for number in range(1, count + 1)]


def values(engine: Slurm, count: int) -> list[int]:
    outcomes = list(engine.map(jobs(count)))
    assert sorted(outcome.number for outcome in outcomes) == list(range(1, count + 1))
    return sorted(outcome.value for outcome in outcomes)


def test_every_job_has_one_outcome_map_after_map(cluster: Cluster, slurm: Callable[..., Slurm]) -> None:
    engine = slurm(2)
    for count in (7, 1, 5):
        assert values(engine, count) == list(range(1, count + 1))
    assert len(cluster.jobs) == 2


def test_the_files_are_for_this_user_alone_and_gone_at_the_end(
    cluster: Cluster, slurm: Callable[..., Slurm], tmp_path: Path
) -> None:
    engine = slurm(3)
    assert (cluster.folder.parent, cluster.cluster) == (tmp_path, "local")
    assert stat.S_IMODE(cluster.folder.stat().st_mode) == 0o700
    assert values(engine, 3) == [1, 2, 3]
    engine.end(failed=False)
    engine.end(failed=False)
    assert all(job.cancelled for job in cluster.jobs)
    until(lambda: all(job.done() for job in cluster.jobs))
    assert not list(tmp_path.iterdir())


def test_a_lost_job_is_replaced_and_its_task_is_done_again(
    cluster: Cluster, slurm: Callable[..., Slurm]
) -> None:
    cluster.acts = [die_in_the_second]
    outcomes = list(slurm(1).map(jobs(4)))
    assert sorted(outcome.value for outcome in outcomes) == [1, 2, 3, 4]
    (again,) = (outcome for outcome in outcomes if outcome.lost)
    assert again.lost == "job 101 of Slurm: its connection ended (NODE_FAIL: no memory left)"
    assert [job.cancelled for job in cluster.jobs] == [True, False]


def test_a_task_that_loses_its_workers_is_given_up(cluster: Cluster, slurm: Callable[..., Slurm]) -> None:
    cluster.acts = [die_in_the_first] * 9
    with pytest.raises(GanstrataError, match=r"given up after 2 lost workers; the last: job 10\d of Slurm: "):
        list(slurm(1).map(jobs(1)))


def test_losses_of_different_tasks_do_not_add_up(cluster: Cluster, slurm: Callable[..., Slurm]) -> None:
    cluster.acts = [die_in_the_second] * 3
    assert values(slurm(1), 6) == [1, 2, 3, 4, 5, 6]


def test_jobs_that_end_before_they_begin_are_replaced_and_then_given_up(
    cluster: Cluster, slurm: Callable[..., Slurm]
) -> None:
    cluster.acts = [never_connect]
    assert values(slurm(1), 2) == [1, 2]
    cluster.acts = [never_connect] * 9
    with pytest.raises(GanstrataError, match=r"job 10\d of Slurm: it ended before it was connected"):
        list(slurm(1, retries=0).map(jobs(1)))


def test_a_map_that_was_given_up_leaves_nothing_for_the_next(
    cluster: Cluster, slurm: Callable[..., Slurm]
) -> None:
    engine, go_on = slurm(2), threading.Event()
    try:
        first = engine.map([Job(1, abs, -1), Job(2, lambda _: go_on.wait(60.0), 0)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine._links, "send", _by_reference(engine))
            assert next(first).number in (1, 2)  # whichever was quicker
            first.close()
    finally:
        go_on.set()
    assert values(engine, 5) == [1, 2, 3, 4, 5]


def _by_reference(engine: Slurm) -> Callable[[int, Job], None]:
    """Send jobs without the functions of this test, which cannot be pickled."""
    links, send = engine._links, type(engine._links).send
    return lambda number, job: send(links, number, Job(job.number, abs, -90 - job.number))


def test_if_no_job_begins_that_is_said(
    cluster: Cluster, slurm: Callable[..., Slurm], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.acts = [build_slowly]
    engine = slurm(1, longest_start=0.01)
    monkeypatch.setattr(engine._links, "has", lambda _: False)  # as if it still waited
    with pytest.raises(GanstrataError, match=r"no worker of Slurm had begun after 0 seconds \(`squeue --me`"):
        list(engine.map(jobs(1)))


def test_options_become_those_of_the_jobs(cluster: Cluster, slurm: Callable[..., Slurm]) -> None:
    slurm(1, partition="gpu", time=60, memory=7.5, gpus=2, parameters={"account": "a", "exclusive": True})
    assert cluster.parameters == {
        "name": "ganstrata",
        "timeout_min": 60,
        "nodes": 1,
        "tasks_per_node": 1,
        "cpus_per_task": 2,
        "gpus_per_node": 2,
        "mem_gb": 7.5,
        "slurm_partition": "gpu",
        "slurm_additional_parameters": {"account": "a", "exclusive": True},
    }
    slurm(1)
    assert {key: cluster.parameters[key] for key in ("gpus_per_node", "slurm_additional_parameters")} == {
        "gpus_per_node": None,
        "slurm_additional_parameters": None,
    }


def test_on_cuda_each_worker_has_a_gpu(cluster: Cluster) -> None:
    engine = Slurm(Slurm.Config(cluster="local"), torch.device("cuda"))
    engine.begin(SimpleNamespace(threads=1, device="cuda"), 1)
    engine.end(failed=False)
    assert cluster.parameters["gpus_per_node"] == 1


def test_what_slurm_refuses_is_told(cluster: Cluster, slurm: Callable[..., Slurm], tmp_path: Path) -> None:
    cluster.refusal = RuntimeError("invalid partition specified: gpu")
    with pytest.raises(GanstrataError, match="Slurm took no job: RuntimeError: invalid partition"):
        slurm(1)
    with pytest.raises(UserError, match=r"engine\.with\.folder: nothing can be written in absent \(No such"):
        slurm(1, folder="absent")


def test_without_submitit_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match=r"pip install 'ganstrata\[slurm\]'"):
        Slurm(Slurm.Config(), CPU).count(2, 1)


def test_workers_are_counted_by_whoever_asks_for_them(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = {"sbatch", "srun"}
    monkeypatch.setattr("shutil.which", lambda name: name if name in present else None)
    assert Slurm(Slurm.Config(), CPU).count(40, 1) == 40
    with pytest.raises(UserError, match="auto does not say how many jobs"):
        Slurm(Slurm.Config(), CPU).count(None, 1)
    for missing in ("sbatch", "srun"):
        present.remove(missing)
        with pytest.raises(UserError, match=r"no `sbatch` and `srun` on this machine; .*cluster: local"):
            Slurm(Slurm.Config(), CPU).count(40, 1)
        present.add(missing)
    present.clear()
    assert Slurm(Slurm.Config(cluster="local"), CPU).count(None, 1) >= 1


@pytest.mark.parametrize(
    "options",
    [
        {"partition": "gpu\ntouch evil"},
        {"partition": "gpu; touch evil"},
        {"partition": ""},
        {"host": "head\n"},
        {"parameters": {"account": "a\nb"}},
        {"parameters": {"acc ount": "a"}},
        {"parameters": {"-x": "a"}},
        {"parameters": {"account": "$(touch evil)"}},
        {"time": 0},
        {"folder": ""},
    ],
)
def test_what_would_not_be_an_option_of_a_script_is_refused(options: dict[str, Any], fakes, config) -> None:
    config["engine"] = {"use": "slurm", "workers": 2, "with": options}
    with pytest.raises(ConfigError, match="engine -> with -> "):
        validate(config, "test")


@pytest.mark.parametrize("warning", ["USR2", "USR1"])
def test_the_warning_that_the_time_is_nearly_over_fails_no_task(
    warning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(*given: object) -> None:
        seen.append(
            (given, signal.getsignal(getattr(signal, f"SIG{warning}")), signal.getsignal(signal.SIGTERM))
        )

    seen: list[object] = []
    before = {one: signal.getsignal(one) for one in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)}
    monkeypatch.setattr("ganstrata.plugins.engines.slurm.work", act)
    monkeypatch.delenv(WARNING, raising=False)
    if warning != "USR2":
        monkeypatch.setenv(WARNING, warning)
    try:
        for one in before:
            signal.signal(one, signal.default_int_handler)
        _become(1, "cpu", 2)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert seen == [((1, "cpu", 2), signal.SIG_IGN, signal.SIG_DFL)]


@pytest.fixture(scope="module")
def two(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunEngine]:
    """Two workers that submitit has begun on this machine."""
    pytest.importorskip("submitit", reason="needs ganstrata[slurm]")
    options = {"cluster": "local", "retries": 1, "folder": str(tmp_path_factory.mktemp("jobs"))}
    config = deepcopy(CONFIG) | {"engine": {"use": "slurm", "workers": 2, "with": options}}
    with _on_path(site), RunEngine(prepare(validate(config, "test"))) as engine:
        yield engine
    assert not os.listdir(options["folder"])


@pytest.mark.full
def test_two_jobs_of_this_machine_do_every_task_once_and_replace_a_killed_one(
    two: RunEngine, fakes, tmp_path: Path
) -> None:
    assert sorted(two.map(fakes.double, range(23))) == list(range(0, 46, 2))
    with pytest.raises(UserError, match=r"task \d cannot be done"):
        list(two.map(fakes.refuse, range(3)))
    assert sorted(two.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]
    workers = set(two.map(fakes.die_once, [str(tmp_path / "a"), *[str(tmp_path)] * 9]))
    assert len(two.lost) == 1
    assert all(is_alive(pid) for pid in workers - {os.getpid()})
    with pytest.raises(GanstrataError, match="given up after 2 lost workers; the last: job "):
        list(two.map(fakes.die, range(2)))
    assert sorted(two.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]


SBATCH = """#!/bin/sh
cp "$1" "$SLURM_LOG/script"
SLURM_JOB_ID=7 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 \
SLURM_JOB_NODELIST=here sh "$1" > "$SLURM_LOG/out" 2>&1 &
echo "Submitted batch job 7"
"""
SRUN = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
  case "$1" in --output|--error) shift;; esac
  shift
done
exec "$@"
"""
SCANCEL = """#!/bin/sh
echo "$@" >> "$SLURM_LOG/cancelled"
"""


@pytest.mark.full
def test_the_commands_of_slurm_are_called_as_it_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fakes, config
) -> None:
    pytest.importorskip("submitit", reason="needs ganstrata[slurm]")
    programs = {"sbatch": SBATCH, "srun": SRUN, "scancel": SCANCEL, "sacct": "#!/bin/sh\nexit 1\n"}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_LOG", str(tmp_path))
    options = {"partition": "gpu", "time": 90, "memory": 8, "host": "localhost", "folder": str(tmp_path)}
    options |= {"parameters": {"account": "vision", "exclusive": True}}
    config["engine"] = {"use": "slurm", "workers": 1, "with": options}
    with RunEngine(prepare(validate(config, "test"))) as engine:
        assert sorted(engine.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]
        (folder,) = tmp_path.glob(".ganstrata-slurm-*")
    script = (tmp_path / "script").read_text(encoding="utf-8").splitlines()
    for line in (
        "partition=gpu",
        "time=90",
        "mem=8GB",
        "account=vision",
        "cpus-per-task=1",
        "job-name=ganstrata",
    ):
        assert f"#SBATCH --{line}" in script, line
    assert "#SBATCH --exclusive" in script
    assert (tmp_path / "cancelled").read_text(encoding="utf-8") == "7\n"
    assert not folder.exists()
