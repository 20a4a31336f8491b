"""What all tests share: the bundled generator, plugins known for one test, and the fakes as installed."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import ganstrata
import pytest
import torch
from click.testing import CliRunner, Result
from ganstrata import hookimpl
from ganstrata.cli.main import main
from ganstrata.core.plugins.plugin_info import PluginInfo
from ganstrata.core.plugins.registry import registry
from ganstrata.core.runs.provenance.records import PluginRecord
from ganstrata.core.runs.run import Run
from ganstrata.core.semantics import subject as subjects
from ganstrata.plugins.engines import local
from object_server import BUCKET, object_server, settings

# They have few tests, and take longest. Several processes end together if these files do not come last.
LONG = (
    "test_docs.py",
    "test_engine.py",
    "test_hostile_files.py",
    "test_kills.py",
    "test_notebook.py",
    "test_site.py",
    "test_tensorboard.py",
)


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts the tests in the background makes them, and all they start, deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.option.loadscopereorder = False  # pytest-xdist would begin with the files that have most tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)  # else the order stays as it is


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Give networks the same random weights in any order of the tests."""
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(
        int(os.environ.get("GANSTRATA_TEST_THREADS", "1"))
    )  # more are for tests/processors.py


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """Let files of tests get to the disk when they may: none need outlive a loss of power."""

    def fsync(descriptor: int) -> None:
        os.fstat(descriptor)  # one that is not open remains an error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> Iterator[None]:
    """Let `workers: auto` be this process, as others take seconds to start; `two_cores` lets it be two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "cores", lambda: 1)
        yield


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `workers: auto` be two other processes."""
    monkeypatch.setattr(local, "cores", lambda: 2)


@pytest.fixture(scope="session")
def rooms() -> ganstrata.Generator:
    """Return the bundled generator on the CPU: 64 pixels, 10 layers."""
    return ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")


@pytest.fixture
def register() -> Iterator[Callable[[str, str, type], None]]:
    """register(kind, name, class) makes a class of a test module a plugin until the test ends."""
    known = registry()
    before = {key: list(infos) for key, infos in known._plugins.items()}

    def add(kind: str, name: str, plugin: type) -> None:
        known.add(
            PluginInfo(kind, name, f"{plugin.__module__}:{plugin.__qualname__}", "made by a test", "test 0")
        )

    yield add
    known._plugins.clear()
    known._plugins.update(before)


@pytest.fixture
def planted(register: Callable[[str, str, type], None]) -> ModuleType:
    """Make what tests/planted_factors.py defines plugins of this process until the test ends."""
    module = importlib.import_module("planted_factors")
    register("generator", "planted_factors", module.Factors)
    register("scorer", "planted_judge", module.Judge)
    register("boundary", "planted_truth", module.Truth)
    return module


CONFIG: dict[str, Any] = {
    "generator": {"use": "fake_layers"},
    "scorers": [{"use": "fake_readings", "as": "seen"}],
    "boundary": {"use": "ridge", "with": {"positives": 100, "negatives": 100}},
    "synthesis": {"samples": 640, "seed": 3, "batch_size": 32},
    "rescoring": {
        "samples": 64,
        "groups": {"bottom": "0-1", "lower": "2-3", "upper": "4-5", "top": "6-7"},
        "null_directions": 12,
        "bootstrap": 200,
    },
    "editing": {"samples": 2, "steps": 3},
    "report": {"samples": 4},
    "device": "cpu",
    "engine": {"workers": 1},
}


@pytest.fixture
def config() -> dict[str, Any]:
    """Return the config of a run of the fake generator that takes about a second; tests may change it."""
    return deepcopy(CONFIG)


def _compacted(config: dict[str, Any]) -> dict[str, Any]:
    config["scorers"] += [{"use": "hue", "as": "colour"}, {"use": "fake_regions", "as": "parts"}]
    config["concepts"] = {"include": ["seen/left", "seen/red"]}
    config["boundary"]["with"] = {"positives": 20, "negatives": 20}
    config["synthesis"]["samples"] = 96
    config["rescoring"] |= {"layers": ["all", "top"], "samples": 16, "null_directions": 3, "bootstrap": 100}
    config["editing"], config["report"] = {"samples": 1, "steps": 2}, {"samples": 2}
    return config


@pytest.fixture
def compact(config: dict[str, Any]) -> dict[str, Any]:
    """Return a complete run of CONFIG with one worker. Tests must not change it, only its copy `copied`."""
    return _compacted(config)


@contextmanager
def _on_path(site: Path) -> Iterator[ModuleType]:
    before = os.environ.get("PYTHONPATH")
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = str(site) if before is None else f"{site}{os.pathsep}{before}"
    importlib.invalidate_caches()
    registry.cache_clear()
    try:
        yield importlib.import_module("ganstrata_fakes")
    finally:
        sys.path.remove(str(site))
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
        importlib.invalidate_caches()
        registry.cache_clear()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with tests/fakes.py and tests/fakes_svm.py as pip would install them."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("fakes.py", "fakes_svm.py"):
        shutil.copyfile(Path(__file__).with_name(name), folder / f"ganstrata_{name}")
    info = folder / "ganstrata_fakes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: ganstrata-fakes\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text("[ganstrata]\nfakes = ganstrata_fakes\n", encoding="utf-8")
    return folder


@pytest.fixture
def fakes(site: Path) -> Iterator[ModuleType]:
    """Make the fake plugins available to this process, to workers and to commands until the test ends."""
    with _on_path(site) as module:
        yield module


@pytest.fixture
def worked(fakes: ModuleType) -> list[str]:
    """Return a list to which every computed stage is added."""
    stages: list[str] = []

    class Listener:
        @hookimpl
        def ganstrata_stage_finished(self, stage: str) -> None:
            stages.append(stage)

    registry().hooks.register(Listener())
    return stages


@pytest.fixture
def invoke(fakes: ModuleType) -> Callable[..., Result]:
    """invoke("run", file, ...) calls the command line in this process; exceptions are part of the result."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def change_teacher(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """change_teacher() gives scorers another source from now on, and returns how that is told."""

    def change() -> str:
        plugin_record = subjects.plugin_record

        def changed(kind: str, *given: Any) -> PluginRecord:
            record = plugin_record(kind, *given)
            return record.model_copy(update={"code": "another"}) if kind == "scorer" else record

        monkeypatch.setattr(subjects, "plugin_record", changed)
        return "teacher 'fake_regions': its source changed"

    return change


@pytest.fixture
def start(fakes: ModuleType) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """start("run", file, ...) begins a command in a process group of its own, which ends with the test."""
    begun: list[subprocess.Popen[str]] = []

    def call(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "ganstrata.cli.main", *(str(argument) for argument in arguments)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        begun.append(process)
        return process

    yield call
    for process in begun:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[object], Path]:
    """Return a function written(config) that writes a config as JSON and returns the path."""

    def write(content: object) -> Path:
        file = tmp_path / "config.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        return file

    return write


@pytest.fixture
def copied(finished: Run, tmp_path: Path) -> Path:
    """Return a copy of the finished run, which tests may damage."""
    return Path(shutil.copytree(finished.path, tmp_path / "copied"))


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """contents(run) gives every file's bytes by name.

    Files that say when they were made, and what a kill left half-written, are left out.
    """

    def read(path: Path) -> dict[str, bytes]:
        files = [
            file
            for file in path.rglob("*")
            if file.is_file() and file.name not in ("run.json", "report.html", "run.lock")
        ]
        return {
            str(file.relative_to(path)): file.read_bytes()
            for file in files
            if file.suffix not in (".part", ".partial")
        }

    return read


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """Return the address of an object-store server."""
    with object_server() as address:
        yield address


@pytest.fixture(params=["memory", "s3"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an empty place for arrays: in memory, and on a server."""
    pytest.importorskip("obstore", reason="needs ganstrata[remote]")
    name = f"{request.node.name}-{os.urandom(4).hex()}".replace("[", ".").replace("]", "")
    if request.param == "memory":
        return f"memory://tests/{name}"
    for key, value in settings(request.getfixturevalue("object_store")).items():
        monkeypatch.setenv(key, value)
    return f"s3://{BUCKET}/{name}"


@pytest.fixture(scope="session")
def finished(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a complete run of CONFIG with one worker. Tests must not change it; `copied` is for that."""
    with _on_path(site):
        return ganstrata.run(deepcopy(CONFIG), tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture(scope="session")
def compacted(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a complete run of `compact`. Tests must not change it."""
    with _on_path(site):
        return ganstrata.run(_compacted(deepcopy(CONFIG)), tmp_path_factory.mktemp("compacted") / "run")


@pytest.fixture(scope="session")
def furnished(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A whole run of CONFIG with a segmenter beside the other scorer.

    Tests must not write into it: `refurnished` is for that.
    """
    config = deepcopy(CONFIG)
    config["scorers"].append({"use": "fake_regions", "as": "regions"})
    config["concepts"] = {"include": ["seen/left", "seen/red"]}
    config["conditions"] = [{"edit": "seen/red", "keep": ["seen/left"]}]
    with _on_path(site):
        return ganstrata.run(config, tmp_path_factory.mktemp("furnished") / "run")


@pytest.fixture
def refurnished(furnished: Run, tmp_path: Path) -> Path:
    """Return a copy of the run with a segmenter, which tests may change."""
    return Path(shutil.copytree(furnished.path, tmp_path / "refurnished"))
