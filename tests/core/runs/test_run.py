"""The run directory: opened, begun, compared, locked, and written in one step."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import GanstrataError, RunError
from ganstrata.core.runs.begin import begin_run, differing
from ganstrata.core.runs.facts import facts_of
from ganstrata.core.runs.lock import LOCK, locked
from ganstrata.core.runs.manifest import ConceptStats, RunFacts
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.stages import STAGES
from ganstrata.core.storage.disk import write_bytes, write_text
from ganstrata.core.storage.partial import _machine

STATS = {
    "id": "seen/left",
    "level": "layout",
    "samples": 9,
    "undefined": 0,
    "mean": 0.0,
    "sd": 1.0,
    "least": 0.1,
    "varies": True,
}
STATS |= {"threshold": None, "positive_share": None, "quantiles": [0.0]}


@pytest.fixture
def facts(fakes, config) -> RunFacts:
    return facts_of(prepare(validate(config, "test")))


@pytest.fixture
def run(facts, config, tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    begun = begin_run(tmp_path / "run", validate(config, "test"), facts)
    begun.run.record.spread = 1.0
    begun.run.record.concepts = [ConceptStats.model_validate(STATS)]
    assert begun.is_new
    assert not begun.changes
    begun.run.save()
    return begun.run


def test_what_is_begun_can_be_opened(run: Run, config) -> None:
    again = Run.open(run.path)
    written = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    assert len(written.pop("digest")) == 64
    assert again.manifest == written == run.manifest
    assert again.config == validate(config, "test")
    assert again.batch == 32
    assert set(again.manifest["versions"]) >= {"ganstrata", "torch", "numpy"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("[1]", "is damaged"),
        ("{}", "is damaged"),
        ("\udcff\udcfe", "is damaged"),
        ('{"format": 1}', "is damaged: config: is missing; generator: is missing"),
        ('{"format": 99}', "has format 99, that of a newer ganstrata: this is .*, which reads 1"),
    ],
)
def test_a_damaged_manifest_is_an_error_in_words(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(RunError, match=words):
        Run.open(tmp_path)


def test_a_missing_run_is_distinguished_from_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"it has no run.json"):
        Run.open(tmp_path)
    with pytest.raises(RunError, match=r"there is no such directory"):
        Run.open(tmp_path / "nowhere")


def test_what_is_begun_is_not_written_before_it_is_saved(facts, config, tmp_path: Path) -> None:
    begin_run(tmp_path / "run", validate(config, "test"), facts)
    assert not list(tmp_path.iterdir())


def test_nothing_changed_is_nothing_due(run: Run, facts, config) -> None:
    for name in STAGES:
        run.finish(name, seconds=0.0)
    config["engine"] = {"workers": 5, "threads": 3}
    again = begin_run(run.path, validate(config, "test"), facts)
    assert (again.changes, again.stale, again.run.manifest) == ((), (), run.manifest)


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"engine": {"workers": 1}}, {"engine": {"workers": 2}}, []),
        ({"a": {"engine": 1}}, {"a": {"engine": 2}}, ["a.engine: 1 there, 2 here"]),
        ({"a": 1}, {"b": 1}, ["a: 1 there, null here", "b: null there, 1 here"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a: [1, 2] there, [2, 1] here"]),
        ({"a": None}, {"a": {"b": 1}}, ['a: null there, {"b": 1} here']),
    ],
)
def test_differences_are_named(old, new, keys: list[str]) -> None:
    assert differing(old, new) == keys


def test_a_stage_is_done_while_its_files_are_what_it_wrote(run: Run) -> None:
    file = run.path / "found.txt"
    file.write_text("a", encoding="utf-8")
    assert not run.is_done("learn")
    run.finish("learn", seconds=1.234, files=("found.txt",), boundaries=3)
    assert Run.open(run.path).is_done("learn")
    assert run.manifest["stages"]["learn"]["boundaries"] == 3
    file.write_text("b", encoding="utf-8")
    assert not run.is_done("learn")
    file.unlink()
    assert not run.is_done("learn")


@pytest.mark.parametrize("stage", STAGES)
def test_finishing_a_stage_makes_later_stages_due(stage: str, run: Run) -> None:
    for name in STAGES:
        run.finish(name, seconds=0.0)
    run.finish(stage, seconds=0.0)
    assert sorted(Run.open(run.path).manifest["stages"]) == sorted(STAGES[: STAGES.index(stage) + 1])


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    write_text(file, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GanstrataError, match=r"cannot write .*a.json: No space left on device"):
        write_bytes(file, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert file.read_text(encoding="utf-8") == "old"


def test_a_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path / "run"):
            raise ZeroDivisionError


def test_a_directory_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with (
        pytest.raises(GanstrataError, match=r"cannot write .*file/run: Not a directory"),
        locked(tmp_path / "file" / "run"),
    ):
        pass


@pytest.mark.parametrize("begins", [True, False])
def test_a_run_whose_very_first_write_was_killed_can_begin(begins: bool, tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / LOCK).touch()
    (path / f".ganstrata-{_machine()}-0123456789abcdef.part").write_text('{"format"', encoding="utf-8")
    with locked(path):
        if begins:
            (path / "run.json").touch()
    assert [file.name for file in path.iterdir() if file.name != LOCK] == ["run.json"] * begins


def test_a_folder_with_something_else_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "notes.part").touch()
    with pytest.raises(RunError, match="give an empty or a new one"), locked(tmp_path):
        pass
