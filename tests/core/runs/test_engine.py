"""Tasks spread over processes, or done in this one: results, errors and threads."""

from __future__ import annotations

import importlib
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from multiprocessing import connection
from pathlib import Path

import pytest
import torch
from conftest import CONFIG, _on_path
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import DataError, GanstrataError, MemoryExhausted, UserError
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.engines.worker import WorkerError
from ganstrata.core.runs.prepare import Prepared, prepare
from ganstrata.plugins.engines import local


@pytest.fixture
def prepared(fakes, config, request: pytest.FixtureRequest) -> Prepared:
    config["engine"] = {"workers": getattr(request, "param", 1), "threads": 2}
    return prepare(validate(config, "test"))


def test_one_worker_does_the_tasks_here_in_order(prepared: Prepared, fakes) -> None:
    before = torch.get_num_threads()
    with RunEngine(prepared) as engine:
        assert list(engine.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]
        assert list(engine.map(fakes.double, [])) == []
        assert list(engine.map(fakes.threads, [0])) == [2]
        with pytest.raises(DataError, match="task 1 cannot be done"):
            list(engine.map(fakes.refuse, [1]))
    assert torch.get_num_threads() == before


@pytest.fixture(scope="module")
def two(site: Path) -> Iterator[RunEngine]:
    """Return an engine with two workers, which tests share: a process takes seconds to start."""
    config = deepcopy(CONFIG) | {"engine": {"workers": 2, "threads": 2}}
    with _on_path(site), RunEngine(prepare(validate(config, "test"))) as engine:
        list(engine.map(importlib.import_module("ganstrata_fakes").double, range(4)))  # they have begun
        yield engine


def test_two_workers_do_every_task_once(two: RunEngine, fakes) -> None:
    assert sorted(two.map(fakes.double, range(23))) == list(range(0, 46, 2))
    assert set(two.map(fakes.threads, range(4))) == {2}


def test_the_same_workers_go_on_after_an_error_which_keeps_its_words_and_its_exit_code(
    two: RunEngine, fakes
) -> None:
    with pytest.raises(UserError, match=r"task \d cannot be done") as refused:
        list(two.map(fakes.refuse, range(3)))
    assert refused.value.exit_code == 2
    with pytest.raises(WorkerError, match=r"task \d failed") as failed:
        list(two.map(fakes.fail, range(3)))
    assert failed.value.exit_code == 1
    assert sorted(two.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("workers", "threads", "cores", "wanted"),
    [(3, 1, 8, 3), ("auto", 1, 8, 8), ("auto", 2, 8, 4), ("auto", 4, 2, 1)],
)
def test_auto_is_a_worker_per_core(
    workers, threads: int, cores: int, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "cores", lambda: cores)
    engine = local.Local(local.Local.Config(), torch.device("cpu"))
    assert engine.count(None if workers == "auto" else workers, threads) == wanted


@pytest.mark.parametrize(
    ("device", "gpus", "wanted"),
    [
        ("cuda", 3, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda", 1, ["cuda:0"]),
        ("cuda:1", 3, ["cuda:1"]),
        ("cpu", 3, ["cpu"]),
    ],
)
def test_auto_is_a_worker_per_gpu_unless_the_config_names_one(
    device: str, gpus: int, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert local.devices_of(torch.device(device)) == wanted
    if device != "cpu":
        engine = local.Local(local.Local.Config(), torch.device(device))
        assert (engine.count(None, 1), engine.count(5, 1)) == (len(wanted), 5)


@pytest.mark.parametrize("prepared", [2], indirect=True)
def test_workers_take_the_devices_in_turn(prepared: Prepared, fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    # torch takes a number after `cpu` and computes there all the same.
    monkeypatch.setattr(local, "devices_of", lambda _: ["cpu:0", "cpu:1"])
    with RunEngine(prepared) as engine:
        seen: dict[int, str] = {}
        for pid, device in engine.map(fakes.place, range(1000)):
            assert seen.setdefault(pid, device) == device
            if len(seen) == 2:
                break
    assert sorted(seen.values()) == ["cpu:0", "cpu:1"]


def test_a_worker_that_cannot_begin_says_why(fakes, config, monkeypatch: pytest.MonkeyPatch) -> None:
    config["engine"] = {"workers": 2}
    ready = prepare(validate(config, "test"))
    monkeypatch.setenv("GANSTRATA_PLUGINS", "ganstrata")  # the workers will not know the fakes
    with pytest.raises(UserError, match="No generator named 'fake_layers'"), RunEngine(ready) as engine:
        list(engine.map(fakes.double, range(4)))


@pytest.mark.parametrize("prepared", [2], indirect=True)
def test_only_the_engines_own_processes_are_ended(prepared: Prepared, fakes) -> None:
    mine = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    mine.start()
    others = multiprocessing.active_children()
    try:
        engine = RunEngine(prepared).__enter__()
        assert sorted(engine.map(fakes.double, range(4))) == [0, 2, 4, 6]
        workers = [process for process in multiprocessing.active_children() if process not in others]
        assert len(workers) == 2
        engine.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
        # `is_alive` may be true for an ended worker, until the thread that waited for it has noted its end.
        assert len(connection.wait([worker.sentinel for worker in workers], timeout=0)) == 2
        assert all(process.is_alive() for process in others)
    finally:
        mine.kill()
        mine.join()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("unpicklable", r"Odd: no pickle of this.*fakes\.py:\d+"),
        ("memory", "more memory than there is"),
        ("exit", "SystemExit: 7"),
    ],
)
def test_whatever_a_worker_raises_comes_back_in_words(kind: str, words: str, two: RunEngine, fakes) -> None:
    with pytest.raises(GanstrataError, match=words) as caught:
        list(two.map(fakes.misbehave, [kind, kind]))
    assert isinstance(caught.value, MemoryExhausted if kind == "memory" else WorkerError)
    assert caught.value.exit_code == 1
    assert len(str(caught.value)) < 2000


SCRIPT = """
import sys
import ganstrata
try:
    ganstrata.run(sys.argv[1], sys.argv[2])
except ganstrata.core.errors.GanstrataError as error:
    print("said:", error)
"""


@pytest.mark.full
def test_the_error_about_a_script_without_a_guard_names_the_guard(
    fakes, written, compact, tmp_path: Path
) -> None:
    compact |= {"engine": {"workers": 2}, "checks": False}
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "script.py"), str(written(compact)), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert 'if __name__ == "__main__":' in done.stdout
    assert "memory" not in done.stdout
    assert "Traceback" not in done.stderr
