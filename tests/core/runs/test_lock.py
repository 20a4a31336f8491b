"""Locks of folders that whoever holds them may remove."""

from __future__ import annotations

import ast
import errno
import os
import warnings
from pathlib import Path

import ganstrata
import pytest
from filelock import FileLock
from ganstrata.core.errors import RunError
from ganstrata.core.runs.lock import LOCK, locked, locked_results, results_of
from ganstrata.core.storage.disk import DiskError

posix = pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")


@posix
@pytest.mark.parametrize("removed", ["file", "folder"])
def test_a_lock_that_its_holder_removes_while_it_is_taken_is_taken_anew(
    removed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two processes would hold the folder: one the removed file, the next a new one of its name."""
    path, acquire, left = tmp_path / "folder", FileLock.acquire, [removed]

    def late(self: FileLock, *args: object, **kwargs: object) -> object:
        first = left.pop() if left else ""
        if first == "folder":  # before the file is opened in it
            path.rmdir()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path / LOCK))
        taken = acquire(self, *args, **kwargs)
        if first == "file":
            (path / LOCK).unlink()  # after it was opened
        return taken

    monkeypatch.setattr(FileLock, "acquire", late)
    with locked(path):
        monkeypatch.undo()
        assert (path / LOCK).is_file()
        with pytest.raises(RunError, match="in use by another process"), locked(path):
            pass
    assert not path.exists()


@posix
def test_a_lock_that_another_process_takes_at_the_end_stays(tmp_path: Path, monkeypatch) -> None:
    path, release, others = tmp_path / "folder", FileLock.release, []

    def and_another(self: FileLock, *args: object, **kwargs: object) -> None:
        release(self, *args, **kwargs)
        monkeypatch.undo()
        path.mkdir(exist_ok=True)
        others.append(FileLock(path / LOCK))
        others[0].acquire(timeout=0)

    monkeypatch.setattr(FileLock, "release", and_another)
    with locked(path):
        pass
    assert (path / LOCK).is_file()
    with pytest.raises(RunError, match="in use by another process"), locked(path):
        pass
    others[0].release()


def test_a_folder_of_results_is_locked_and_its_other_files_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with results_of(out, "index.json", "the command"):
        refusal = pytest.raises(RunError, match=f"{out} is in use by another process: process {os.getpid()}")
        with refusal, results_of(out, "index.json", "the command"):
            pass
        out.mkdir()
    (out / "mine.txt").write_text("precious", encoding="utf-8")
    refusal = pytest.raises(RunError, match=r"files that `the command` did not write there: mine\.txt")
    with refusal, results_of(out, "index.json", "the command"):
        pass
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_lock_that_a_killed_process_left_goes_with_the_next_even_if_that_fails(tmp_path: Path) -> None:
    (tmp_path / ".out.ganstrata-lock").mkdir()
    (tmp_path / ".out.ganstrata-lock" / LOCK).touch()
    with pytest.raises(RunError, match="failed"), locked_results(tmp_path / "out"):
        raise RunError("failed")
    assert not list(tmp_path.iterdir())


def test_what_has_no_place_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match="/ cannot be a folder of results"), locked_results(Path("/")):
        pass
    # As a mounted folder is; root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path.parent)
    with locked_results(tmp_path):
        assert not list(tmp_path.parent.glob(".*.ganstrata-lock"))


def test_nobody_puts_a_folder_right_without_holding_it() -> None:
    """`check_free` removes what a killed process left, and so what another one is writing."""
    root = Path(ganstrata.__file__).parent
    users = [
        path.relative_to(root).as_posix()
        for place in ("core", "cli", "app")
        for path in (root / place).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).endswith("result_folder")
        if "check_free" in [name.name for name in node.names]
    ]
    assert users == ["core/runs/lock.py"]


@posix
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said_to_be_one_and_nothing_is_left(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: FileLock, *_: object, **__: object) -> None:
        Path(self.lock_file).touch()
        if number == errno.ENOSYS:  # as older versions of filelock
            raise NotImplementedError("FileSystem does not appear to support flock")
        raise OSError(number, os.strerror(number), self.lock_file)

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(DiskError, match="the file system there has no locks"), locked(tmp_path / "a" / "b"):
        pass
    assert not list(tmp_path.iterdir())


@posix
def test_where_filelock_has_a_way_without_locks_nothing_is_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = FileLock.acquire

    def other_way(self: FileLock, *args: object, **kwargs: object) -> object:
        warnings.warn("flock not supported on this filesystem, falling back to SoftFileLock", stacklevel=2)
        return acquire(self, *args, **kwargs)

    monkeypatch.setattr(FileLock, "acquire", other_way)
    with locked(tmp_path / "run"):  # a warning would be an error here
        assert (tmp_path / "run" / LOCK).is_file()
