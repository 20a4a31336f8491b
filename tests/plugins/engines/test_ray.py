"""Ray: the same results, lost workers, and what is said if there is no Ray, no cluster or another version."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import CONFIG, _on_path
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import GanstrataError, MemoryExhausted, UserError
from ganstrata.core.plugins.engine import Job
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.engines.worker import Setup
from ganstrata.core.runs.prepare import Prepared, prepare
from ganstrata.plugins.engines.ray import Ray
from processes import is_alive

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed; `pip install ray`, or `make test-full`"
)
CPU = torch.device("cpu")


@pytest.fixture
def prepared(fakes, config) -> Prepared:
    config["engine"] = {"use": "ray", "workers": 2, "with": {"retries": 1}}
    return prepare(validate(config, "test"))


def test_without_ray_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'ganstrata\[ray\]'"):
        Ray(Ray.Config(), CPU).count(2, 1)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is not connected to a cluster, even if other tests have connected it."""
    monkeypatch.setattr("ray.is_initialized", lambda: False)


@needs_ray
@pytest.mark.usefixtures("apart")
def test_an_address_where_nothing_listens_is_refused_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    engine = Ray(Ray.Config(address=address), CPU)
    with pytest.raises(UserError, match=f"address: {address}: no Ray cluster can be reached"):
        engine.count(None, 1)
    engine.end(failed=True)


@needs_ray
@pytest.mark.usefixtures("apart")
def test_what_never_answers_is_given_up_after_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    monkeypatch.setattr("ray.init", lambda **_: stop.wait(60.0))
    with socket.create_server(("127.0.0.1", 0)) as server:
        engine = Ray(Ray.Config(address=f"127.0.0.1:{server.getsockname()[1]}", patience=0.2), CPU)
        with pytest.raises(
            UserError, match=r"did not answer as a Ray cluster within .*patience: 0.2 seconds"
        ):
            engine.count(None, 1)
    stop.set()
    assert engine._ray is None


@needs_ray
@pytest.mark.usefixtures("apart")
def test_a_cluster_that_refuses_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("Version mismatch: the cluster has Ray 2.0")

    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(
        UserError, match=r"address: auto: cannot connect .*Version mismatch: the cluster has Ray"
    ):
        Ray(Ray.Config(address="auto"), CPU).count(None, 1)


def test_a_cluster_of_this_machine_is_a_new_one_whatever_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without an address Ray would join the cluster of RAY_ADDRESS or of an earlier command."""
    given: list[dict[str, Any]] = []
    module = SimpleNamespace(
        init=lambda **options: given.append(options),
        is_initialized=lambda: False,
        cluster_resources=lambda: {"CPU": 2.0},
    )
    monkeypatch.setitem(sys.modules, "ray", module)
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
    assert Ray(Ray.Config(), CPU).count(2, 1) == 2
    assert [options["address"] for options in given] == ["local"]

    def refuse(**_: object) -> None:
        raise RuntimeError("no room in /dev/shm")

    module.init = refuse
    with pytest.raises(UserError, match=r"cannot begin a cluster of this machine: .*no room in /dev/shm"):
        Ray(Ray.Config(), CPU).count(2, 1)


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "http://head:8265", "a b:1", ""])
def test_addresses_of_another_form_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Ray.Config(address=address)


class Cluster:
    """A module ray whose cluster has these resources."""

    def __init__(self, **resources: float) -> None:
        self.resources = resources

    def cluster_resources(self) -> dict[str, float]:
        return self.resources


@pytest.mark.parametrize(
    ("device", "resources", "wanted", "threads", "count"),
    [
        ("cpu", {"CPU": 8.0}, None, 1, 8),
        ("cpu", {"CPU": 8.0, "GPU": 2.0}, None, 3, 2),
        ("cpu", {"CPU": 8.0}, 3, 2, 3),
        ("cuda", {"CPU": 8.0, "GPU": 2.0}, None, 1, 2),
        ("cuda:1", {"CPU": 2.0, "GPU": 4.0}, None, 2, 1),
        ("cpu", {"CPU": 8.0}, 5, 2, 0),
        ("cuda", {"CPU": 8.0}, None, 1, 0),
        ("cuda", {"CPU": 8.0, "GPU": 1.0}, 2, 1, 0),
    ],
)
def test_auto_is_what_the_cluster_has_and_more_is_refused(
    device: str, resources: dict[str, float], wanted: int | None, threads: int, count: int
) -> None:
    engine = Ray(Ray.Config(), torch.device(device))
    engine._ray = Cluster(**resources)
    if count:
        assert engine.count(wanted, threads) == count
        return
    with pytest.raises(UserError, match="the Ray cluster has 8 processors and"):
        engine.count(wanted, threads)


def test_a_worker_of_another_installation_is_refused_by_what_differs(prepared: Prepared) -> None:
    setup = RunEngine(prepared)._setup()
    assert setup.provenance is not None
    same = pickle.loads(pickle.dumps(setup)).build()
    assert same.run(Job(1, _one, None)).value == 1
    environment = setup.provenance.environment
    other = environment.model_copy(update={"packages": {**environment.packages, "torch": "1.0"}})
    fields = vars(setup) | {"provenance": setup.provenance.model_copy(update={"environment": other})}
    outcome = type(setup)(**fields).build().run(Job(1, _one, None))
    assert (
        "would compute other numbers than the process that drives the run: torch was 1.0, is "
        in outcome.error
    )
    assert outcome.exit_code == 2
    changed = type(setup)(**vars(setup) | {"code": "of another checkout"}).build().run(Job(1, _one, None))
    assert "the source of ganstrata is another one on " in changed.error


def test_a_worker_goes_to_the_folder_of_the_driver_or_says_that_it_has_none(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = vars(RunEngine(prepared)._setup()) | {"driver": ("far", 1), "provenance": None, "expected": None}
    monkeypatch.setattr("ganstrata.core.runs.engines.worker._settle", lambda: None)
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    (tmp_path / "below").mkdir()
    absent = Setup(**setup | {"folder": str(tmp_path / "absent")}).build().run(Job(1, _one, None))
    assert "has no folder" in absent.error
    assert (absent.exit_code, os.getcwd()) == (2, here)
    assert Setup(**setup | {"folder": str(tmp_path / "below")}).build().run(Job(1, _one, None)).value == 1
    assert Path.cwd() == tmp_path / "below"


def _one(*_: object) -> int:
    return 1


@pytest.fixture(scope="module")
def two(site: Path) -> Iterator[RunEngine]:
    """Two actors of a cluster of this machine, which tests share: to begin it takes seconds."""
    config = deepcopy(CONFIG) | {"engine": {"use": "ray", "workers": 2, "with": {"retries": 1}}}
    with _on_path(site), RunEngine(prepare(validate(config, "test"))) as engine:
        list(engine.map(importlib.import_module("ganstrata_fakes").double, range(4)))
        yield engine
    with warnings.catch_warnings():  # Ray leaves the ends of its processes to the collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@needs_ray
def test_two_actors_do_every_task_once_and_go_on_after_an_error(two: RunEngine, fakes) -> None:
    assert sorted(two.map(fakes.double, range(23))) == list(range(0, 46, 2))
    with pytest.raises(UserError, match=r"task \d cannot be done"):
        list(two.map(fakes.refuse, range(3)))
    with pytest.raises(MemoryExhausted, match="more memory than there is"):  # the batch is halved for it
        list(two.map(fakes.misbehave, ["memory", "memory"]))
    assert sorted(two.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]
    assert os.getpid() not in {pid for pid, _ in two.map(fakes.place, range(4))}


@needs_ray
def test_the_task_of_a_killed_worker_is_done_again_by_a_new_one(
    two: RunEngine, fakes, tmp_path: Path
) -> None:
    workers = set(two.map(fakes.die_once, [str(tmp_path / "a"), *[str(tmp_path)] * 9]))
    assert len(list(tmp_path.iterdir())) == 1
    assert len(two.lost) == 1
    assert "task 1 was done again: " in two.lost[0]
    assert all(is_alive(pid) for pid in workers)


@needs_ray
@pytest.mark.full
def test_a_task_that_kills_its_workers_is_given_up(two: RunEngine, fakes) -> None:
    with pytest.raises(
        GanstrataError, match="given up after 2 lost workers of the Ray cluster; the last: Worker"
    ):
        list(two.map(fakes.die, range(2)))
    assert sorted(two.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]
