"""Plugins that go wrong in workers only: each ends with a message that names it, and no process is left."""

from __future__ import annotations

import errno
import importlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ganstrata.core.config.reading import validate
from ganstrata.core.conformance.same_everywhere import Made, check_same_as, make
from ganstrata.core.errors import GanstrataError, PluginBroken, UserError
from ganstrata.core.plugins.failures import plugin_call
from ganstrata.core.plugins.registry import registry
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.prepare import Prepared, prepare
from ganstrata.core.runs.spawning import why_workers_ended
from ganstrata.plugins.engines import local
from processes import until

PLUGINS = """
import ctypes, multiprocessing, os, threading, time
from ganstrata import Stream, hookimpl

MODE = os.environ.get("HOSTILE", "") if multiprocessing.parent_process() is not None else ""
from ganstrata_fakes import Layered, Readings


class Generator(Layered):
    def finish(self, state):
        if MODE == "crashes":
            ctypes.string_at(0)
        return super().finish(state)


class Scorer(Readings):
    def score(self, rendering):
        if MODE == "stays":
            threading.Thread(target=time.sleep, args=(1000,)).start()
            print("chatter")
            os.write(1, b"more chatter")
        return super().score(rendering)


def work(prepared, task):
    latents, _, codes = prepared.draw(0, Stream.PROBING)
    rendering = prepared.render(codes, latents.condition, latents.index, Stream.PROBING).rendering
    prepared.scorers["seen"].score(rendering)
    return task


@hookimpl
def ganstrata_register_generators(register):
    register("hostile_gan", "ganstrata_hostile:Generator", "goes wrong in workers")


@hookimpl
def ganstrata_register_scorers(register):
    register("hostile_scorer", "ganstrata_hostile:Scorer", "goes wrong in workers")
"""


@pytest.fixture
def hostile(
    fakes, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Prepared]]:
    """hostile(mode) prepares a run whose plugins do that in its two workers."""
    (tmp_path / "ganstrata_hostile.py").write_text(PLUGINS, encoding="utf-8")
    info = tmp_path / "ganstrata_hostile-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ganstrata-hostile\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[ganstrata]\nhostile = ganstrata_hostile\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    importlib.invalidate_caches()
    registry.cache_clear()
    config |= {
        "generator": {"use": "hostile_gan"},
        "scorers": [{"use": "hostile_scorer", "as": "seen"}],
        "engine": {"workers": 2},
    }

    def ready(mode: str) -> Prepared:
        monkeypatch.setenv("HOSTILE", mode)
        return prepare(validate(config, "test"))

    yield ready
    registry.cache_clear()


def work_of_plugins() -> Callable[[Prepared, int], int]:
    return importlib.import_module("ganstrata_hostile").work  # type: ignore[no-any-return]


def test_a_crash_is_told_with_the_plugin_that_was_called(hostile) -> None:
    ready = hostile("crashes")
    with pytest.raises(GanstrataError) as caught, RunEngine(ready) as engine:
        list(engine.map(work_of_plugins(), range(4)))
    assert (
        "(signal SIGSEGV) while it called generator 'hostile_gan' from ganstrata-hostile 2.0 (finish)"
        in str(caught.value)
    )
    until(lambda: not multiprocessing.active_children())


class Idle:
    """A pool whose workers never come to a task, because one hangs in the import of a plugin."""

    _processes: ClassVar[dict[int, Any]] = {}

    def __init__(self, *_: object, initargs: tuple[Any, ...], **__: object) -> None:
        initargs[-1].claim().raw = b"scorer 'x' from y 1 (its import)"

    def submit(self, *_: object) -> Future[Any]:
        return Future()

    def shutdown(self, **_: object) -> None:
        """End."""


def test_workers_that_do_not_begin_are_given_up_with_the_plugin_named(
    prepared: Prepared, fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "LONGEST_START", 0.0)
    monkeypatch.setattr(local, "ProcessPoolExecutor", Idle)
    engine = RunEngine(prepared)
    engine.workers = 2
    words = r"no worker process was ready after 0 seconds; .* calling scorer 'x' from y 1 \(its import\)"
    with pytest.raises(GanstrataError, match=words), engine:
        list(engine.map(fakes.double, range(4)))


def test_a_worker_that_does_not_end_is_ended_and_what_it_prints_is_no_result(
    hostile, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ready = hostile("stays")
    monkeypatch.setattr(local, "PATIENCE", 0.2)
    with RunEngine(ready) as engine:
        assert sorted(engine.map(work_of_plugins(), range(3))) == [0, 1, 2]
    until(lambda: not multiprocessing.active_children())
    out, err = capfd.readouterr()
    assert "chatter" not in out
    assert "more chatter" in err


@pytest.fixture
def prepared(fakes, config) -> Prepared:
    return prepare(validate(config, "test"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSYS, "Function not implemented"), "Function not implemented"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found"), "No usable temporary"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open"),
        (ImportError("This platform lacks a functioning sem_open implementation"), "ImportError: .*sem_open"),
    ],
)
def test_a_machine_that_lets_no_process_begin_is_said_to_be_one(
    error: Exception, words: str, fakes, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(local, "WorkerNotes", refuse)
    engine = RunEngine(prepared)
    engine.workers = 2
    with pytest.raises(UserError, match=rf"can be started here: {words}.*engine\.workers=1"), engine:
        list(engine.map(fakes.double, range(4)))


def test_workers_make_what_the_first_process_makes(prepared: Prepared) -> None:
    check_same_as(make(prepared), prepared)


def other_pictures(made: Made) -> Made:
    return replace(made, pictures=made.pictures + 0.01)


def other_sizes(made: Made) -> Made:
    return replace(made, size=(9, 8))


def other_scores(made: Made) -> Made:
    return replace(made, scores={"seen": made.scores["seen"] * 1.5})


def other_concepts(made: Made) -> Made:
    return replace(made, concepts={"seen": made.concepts["seen"][::-1]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_pictures, "'fake_layers' from ganstrata-fakes 1.0 makes other pictures .* in a worker"),
        (other_sizes, "'fake_layers' from ganstrata-fakes 1.0 makes other pictures .* in a worker"),
        (
            other_scores,
            "'fake_readings' from ganstrata-fakes 1.0. gives .* another score in a worker.*'left'",
        ),
        (other_concepts, "'fake_readings' from ganstrata-fakes 1.0. has other concepts in a worker"),
    ],
)
def test_plugins_that_differ_between_processes_are_refused(prepared: Prepared, change, words: str) -> None:
    with pytest.raises(PluginBroken, match=words):
        check_same_as(change(make(prepared)), prepared)


def test_an_interruption_that_a_plugin_raises_in_a_worker_is_its_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(KeyboardInterrupt), plugin_call("scorer 'x' from y 1", "score"):
        raise KeyboardInterrupt
    monkeypatch.setattr(multiprocessing, "parent_process", object)
    with (
        pytest.raises(PluginBroken, match="'x' from y 1 failed in score: KeyboardInterrupt"),
        plugin_call("scorer 'x' from y 1", "score"),
    ):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ([(-15, "b (y)"), (0, "a (x)"), (-15, "")], "(exit code 0) while it called a (x). What"),
        (
            [(-9, "a (x)"), (-15, "")],
            "(signal SIGKILL, perhaps for lack of memory) while it called a (x). What",
        ),
        ([(3, "")], "(exit code 3). What was finished is kept; run the same command again"),
        ([(-15, "a (x)")], "(signal SIGTERM). What"),
    ],
)
def test_the_worker_that_ended_first_is_the_one_that_is_told(
    ends: list[tuple[int | None, str]], words: str
) -> None:
    assert words in why_workers_ended(ends)
