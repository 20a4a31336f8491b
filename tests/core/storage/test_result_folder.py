"""Test folders of results: replacement in one step, recovery, and protection of other files."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from ganstrata.core.errors import GanstrataError, RunError
from ganstrata.core.runs.lock import locked
from ganstrata.core.storage.result_folder import (
    add_files,
    check_free,
    damaged_results,
    faults_of,
    index_text,
    recover,
    replace_folder,
    staged,
    stale_results,
)

INDEX = "found.json"


def files(**content: str) -> dict[str, bytes]:
    contents = {f"{name}.csv": text.encode() for name, text in content.items()}
    return contents | {INDEX: index_text({"asked": [1, 2]}, contents)}


def there(folder: Path) -> dict[str, bytes]:
    """Return the content of a folder and of its neighbours."""
    return {
        str(file.relative_to(folder.parent)): file.read_bytes()
        for file in sorted(folder.parent.rglob("*"))
        if file.is_file()
    }


def within(name: str, content: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}/{key}": value for key, value in content.items()}


OLD, NEW = files(a="1", b="2"), files(b="3", c="4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    replace_folder(tmp_path / "x", INDEX, OLD)
    return tmp_path / "x"


def test_the_new_files_are_there_and_no_others(folder: Path) -> None:
    assert there(folder) == within("x", OLD)
    replace_folder(folder, INDEX, NEW)
    assert there(folder) == within("x", NEW)
    assert faults_of(folder, INDEX) == []


def failing(monkeypatch: pytest.MonkeyPatch, method: str, at: int, error: BaseException) -> None:
    calls = iter(range(1000))
    original: Callable[..., Path] = getattr(Path, method)

    def fail(self: Path, target: Path) -> Path:
        if next(calls) == at:
            raise error
        return original(self, target)

    monkeypatch.setattr(Path, method, fail)


@pytest.mark.parametrize("at", [0, 1])
def test_a_rename_that_fails_leaves_what_was_there(
    folder: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        failing(patched, "rename", at, PermissionError(13, "Permission denied"))
        with pytest.raises(GanstrataError, match=r"cannot write .*Permission denied"):
            replace_folder(folder, INDEX, NEW)
    assert there(folder) == within("x", OLD)
    replace_folder(folder, INDEX, NEW)
    assert there(folder) == within("x", NEW)


class Died(BaseException):
    """An exception that nothing may catch."""


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("method", ["rename", "replace"])
def test_whoever_dies_at_any_rename_leaves_one_of_both(
    folder: Path, method: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mine.txt").write_text("mine", encoding="utf-8")
    with monkeypatch.context() as patched:
        failing(patched, method, at, Died())
        patched.setattr("ganstrata.core.storage.result_folder._discard", lambda _: None)
        with suppress(Died):
            replace_folder(folder, INDEX, NEW)
    recover(folder, INDEX)
    assert there(folder) in (
        {**within("x", OLD), "x/mine.txt": b"mine"},
        {**within("x", NEW), "x/mine.txt": b"mine"},
    )
    replace_folder(folder, INDEX, NEW)
    assert there(folder) == {**within("x", NEW), "x/mine.txt": b"mine"}


def test_files_that_are_not_listed_stay(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept.txt").write_text("kept", encoding="utf-8")
    (folder / "notes").mkdir()
    (folder / "notes" / "deep.md").write_text("deep", encoding="utf-8")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "mine.csv").write_text("mine", encoding="utf-8")
    replace_folder(folder, INDEX, NEW)
    assert (folder / "notes" / "deep.md").read_text(encoding="utf-8") == "deep"
    assert (folder / "mine.csv").read_text(encoding="utf-8") == "mine"
    assert (folder / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "kept.txt").exists()
    assert sorted(p.name for p in folder.iterdir()) == sorted([*NEW, "notes", "link", "mine.csv"])


def test_a_link_to_a_folder_stays_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    replace_folder(tmp_path / "link", INDEX, NEW)
    assert (tmp_path / "link").is_symlink()
    assert sorted(p.name for p in folder.iterdir()) == sorted(NEW)


def test_a_folder_of_the_name_of_a_file_is_refused(folder: Path) -> None:
    (folder / "c.csv").mkdir()
    with pytest.raises(RunError, match=r"has a folder c\.csv"):
        replace_folder(folder, INDEX, NEW)
    assert sorted(p.name for p in folder.iterdir()) == sorted([*OLD, "c.csv"])


def hand_made(folder: Path) -> None:
    (folder / INDEX).write_text(json.dumps({"files": {"a.csv": "0", "b.csv": "0"}}), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: (folder / "my_notes.md").write_text("x", encoding="utf-8"), "my_notes.md"),
        (lambda folder: (folder / "sub").mkdir(), "sub"),
        (lambda folder: (folder / "link").symlink_to(folder / "a.csv"), "link"),
        (lambda folder: (folder / "a.csv").write_text("annotated", encoding="utf-8"), "a.csv"),
        (lambda folder: ((folder / "a.csv").unlink(), (folder / "a.csv").mkdir()), "a.csv"),
        (lambda folder: (folder / INDEX).unlink(), "a.csv, b.csv"),
        (hand_made, INDEX),
    ],
)
def test_only_what_the_command_itself_has_written_is_free(
    folder: Path, spoil: Callable[[Path], object], named: str
) -> None:
    check_free(folder, INDEX, "do it")
    spoil(folder)
    before = there(folder)
    with pytest.raises(RunError, match="contains files that `do it` did not write there") as caught:
        check_free(folder, INDEX, "do it")
    assert named in str(caught.value)
    assert there(folder) == before


def test_new_and_empty_places_are_free_and_files_are_not(tmp_path: Path) -> None:
    check_free(tmp_path, INDEX, "do it")
    check_free(tmp_path / "new" / "deep", INDEX, "do it")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="did not write there"):
        check_free(tmp_path / "file", INDEX, "do it")


def test_many_strangers_are_counted(tmp_path: Path) -> None:
    for i in range(50):
        (tmp_path / ("x" * 200 + str(i))).write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="and 47 more") as caught:
        check_free(tmp_path, INDEX, "do it")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", sorted(OLD))
def test_every_changed_byte_is_known(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for place in range(len(content)):
        (folder / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert faults_of(folder, INDEX) == [name]
    (folder / name).write_bytes(content[:-2])
    assert faults_of(folder, INDEX) == [name]
    (folder / name).unlink()
    assert faults_of(folder, INDEX) == [name]


def test_files_are_added_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("mine", encoding="utf-8")
    for folder in (tmp_path / "there", tmp_path / "new"):
        with pytest.raises(TypeError), staged(folder) as place:
            (place / "a").write_bytes("no bytes")  # type: ignore[arg-type]
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == [
        "there",
        str(Path("there/mine")),
    ]
    for folder in (tmp_path / "there", tmp_path / "new"):
        add_files(folder, {"a": b"1", "b": b"2"})
        assert {p.name for p in folder.iterdir()} - {"mine"} == {"a", "b"}
    assert {p.name for p in tmp_path.iterdir()} == {"there", "new"}


@pytest.mark.parametrize("at", [0, 1])
def test_files_that_were_being_added_are_all_there_after_the_next_call(
    tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        failing(patched, "replace", 2 + at, Died())  # the first two write the files
        with pytest.raises(Died):
            add_files(tmp_path, {"a": b"1", "b": b"2"})
    recover(tmp_path, "")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("index", ["a", "b", "c"])
def test_an_index_enters_a_folder_when_all_others_are_there(
    tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"a": b"1", "b": b"2", "c": b"3"}
    for at in range(3):
        folder = tmp_path / str(at)
        folder.mkdir()
        with monkeypatch.context() as patched:
            failing(patched, "replace", 3 + at, Died())  # the first three write the files
            with pytest.raises(Died):
                add_files(folder, content, index)
        assert not (folder / index).exists()
        with monkeypatch.context() as patched, suppress(Died):
            failing(patched, "replace", 1, Died())
            recover(folder, index)
        assert (folder / index).exists() == (at == 2)
        recover(folder, index)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == content


def test_a_lock_belongs_to_its_folder_and_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "manipulations" / ".mine.ganstrata-lock").mkdir(parents=True)
    assert damaged_results(tmp_path, []) == []


def test_the_arrays_of_a_run_are_no_place_for_results(tmp_path: Path) -> None:
    array = tmp_path / "run/samples.zarr"
    array.mkdir(parents=True)
    (array / "zarr.json").write_text("{}", encoding="utf-8")
    (tmp_path / "link").symlink_to(array / "w")
    for folder in (array, array / "w/results", tmp_path / "link"):
        with pytest.raises(RunError, match="lies within the array"):
            check_free(folder, INDEX, "analysis ranking")
        with pytest.raises(RunError, match="lies within the array"):
            add_files(folder, {"a.csv": b"1"})
        with pytest.raises(RunError, match="lies within the array"), locked(folder):
            pass
    assert [path.name for path in array.iterdir()] == ["zarr.json"]
    check_free(tmp_path / "run/results", INDEX, "analysis ranking")


@pytest.fixture
def of_a_plugin(tmp_path: Path) -> Path:
    """The folder that the analysis `angles` of a plugin wrote in a run, beside one that no analysis wrote."""
    tables = {"angles.csv": b"degrees\n12.5\n"}
    index = index_text({"analysis": "angles", "stands_on": {"rescore": "new"}}, tables)
    replace_folder(tmp_path / "analysis/angles", "angles.json", {**tables, "angles.json": index})
    (tmp_path / "analysis/mine").mkdir()
    (tmp_path / "analysis/mine/notes.json").write_text("{}", encoding="utf-8")
    return tmp_path / "analysis/angles"


@pytest.mark.parametrize("file", ["angles.csv", "angles.json"])
def test_damaged_results_of_a_plugin_are_named(of_a_plugin: Path, tmp_path: Path, file: str) -> None:
    assert damaged_results(tmp_path, ()) == []
    (of_a_plugin / file).write_bytes((of_a_plugin / file).read_bytes().replace(b"s", b"t"))
    assert damaged_results(tmp_path, ()) == [f"analysis/angles ({file})"]


def test_a_deleted_index_of_a_known_analysis_is_missed(of_a_plugin: Path, tmp_path: Path) -> None:
    (of_a_plugin / "angles.json").unlink()
    assert damaged_results(tmp_path, {"angles", "ranking"}) == ["analysis/angles (angles.json)"]
    assert damaged_results(tmp_path, {"ranking"}) == [], "it may be a folder of the user's"


def test_results_of_a_plugin_that_were_half_replaced_are_recovered(of_a_plugin: Path, tmp_path: Path) -> None:
    of_a_plugin.rename(tmp_path / "analysis/.angles.ganstrata-old")
    assert damaged_results(tmp_path, ()) == []
    assert (of_a_plugin / "angles.csv").is_file()


def test_stale_results_of_a_plugin_are_named(of_a_plugin: Path, tmp_path: Path) -> None:
    assert stale_results(tmp_path, {"rescore": "new"}) == []
    assert stale_results(tmp_path, {"rescore": "newer"}) == ["analysis/angles"]


def test_an_index_without_files_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    replace_folder(tmp_path / "x", INDEX, files())
    check_free(tmp_path / "x", INDEX, "found")
    (tmp_path / "x" / INDEX).write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match=r"did not write there: found\.json; "):
        check_free(tmp_path / "x", INDEX, "found")


def test_a_folder_in_the_place_of_a_file_stops_before_any_file_is_moved(tmp_path):
    add_files(tmp_path / "out", files(a="1", b="1"))
    (tmp_path / "out/b.csv").unlink()
    (tmp_path / "out/b.csv").mkdir()
    before = there(tmp_path / "out")
    with pytest.raises(RunError, match=r"out has a folder b\.csv, .* move it aside"):
        add_files(tmp_path / "out", files(a="2", b="2"))
    assert there(tmp_path / "out") == before
    (tmp_path / "out/b.csv").rmdir()
    add_files(tmp_path / "out", files(a="2", b="2"))
    assert (tmp_path / "out/a.csv").read_text("utf-8") == (tmp_path / "out/b.csv").read_text("utf-8") == "2"
