"""Test writing in one step, removal, and the messages of failures."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.checkpoints import read_checkpoint, read_npy, read_npz
from ganstrata.core.config.parsing import read_data
from ganstrata.core.errors import GanstrataError
from ganstrata.core.interchange.lists import read_list
from ganstrata.core.runs.provenance.files import files_named
from ganstrata.core.storage.disk import content_hash, disk_error, make_folder, open_file, remove, write_bytes
from ganstrata.core.storage.result_folder import read_index
from ganstrata.core.study.key import Key
from ganstrata.core.study.votes import read_ballot
from ganstrata.plugins.scorers.networks.places365 import read_names
from ganstrata.plugins.scorers.samples_file import read_samples

pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
READERS: dict[str, Callable[[Path], object]] = {
    "boundaries.safetensors": lambda path: load_boundaries(path.parent),
    "ranking.json": read_index,
    "checkpoint.pt": read_checkpoint,
    "array.npy": read_npy,
    "arrays.npz": lambda path: read_npz(path, ["w"]),
    "config.yaml": read_data,
    "list.txt": read_list,
    "key.json": lambda path: Key.read(path.parent),
    "votes.json": lambda path: read_ballot(None, path),  # type: ignore[arg-type] # asked for after it was read
    "names.txt": lambda path: read_names(str(path), "name"),
    "samples.csv": lambda path: read_samples(path, "index", None),
}


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EACCES, "permissions"),
        (errno.EROFS, "permissions"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.ENOTDIR, "in the way"),
        (errno.EISDIR, "in the way"),
        (errno.EMFILE, "limit"),
        (errno.EIO, "when that is fixed"),
    ],
)
def test_only_a_full_disk_asks_for_room(number: int, cure: str) -> None:
    message = str(disk_error(OSError(number, os.strerror(number)), Path("a/b")))
    assert f"cannot write {Path('a/b')}: {os.strerror(number)}" in message
    assert cure in message
    assert ("make room" in message) == (number in (errno.ENOSPC, errno.EDQUOT))


def test_a_folder_of_the_name_is_in_the_way_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.json" / "mine").write_text("kept", encoding="utf-8")
    with pytest.raises(GanstrataError, match=r"a\.json: Is a directory.* in the way"):
        write_bytes(tmp_path / "a.json", b"new")
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == [
        "a.json",
        str(Path("a.json/mine")),
    ]


@pytest.mark.parametrize("folder", [".", "..", "/", "below"])
def test_a_folder_is_never_replaced_by_a_file(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GanstrataError, match=r"Is a directory.*something is in the way"):
        write_bytes(Path(folder), b"new")
    assert os.listdir(tmp_path) == ["below"]


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(GanstrataError, match=r"cannot write .*Not a directory.* in the way"):
        make_folder(tmp_path / "file" / "folder")


def test_whatever_is_there_is_removed_but_not_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("folder", "file", "link", "missing"):
        remove(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


@pipes
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_without_a_writer_and_an_endless_device_are_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises((GanstrataError, OSError), match="it is a named pipe; a regular file is needed"):
        READERS[name](tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises((GanstrataError, OSError), match="it is a device; a regular file is needed"):
        READERS[name](tmp_path / name)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="has no Unix sockets")
@pytest.mark.parametrize("name", READERS)
def test_a_socket_is_called_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as place:
        place.bind(name)
        with pytest.raises((GanstrataError, OSError), match="it is a socket; a regular file is needed"):
            READERS[name](Path(name))


@pipes
@pytest.mark.timeout(60)
def test_a_pipe_in_place_of_a_file_has_no_hash(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "report.html")
    assert content_hash(tmp_path / "report.html") is None


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="has no /dev/fd")
def test_a_pipe_that_a_shell_hands_over_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a: 1")
    os.close(writing)
    with open_file(Path(f"/dev/fd/{reading}")) as file:
        assert file.read() == b"a: 1"
    os.close(reading)


@pytest.mark.timeout(60)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="has no /proc")
def test_folders_of_the_system_are_not_read() -> None:
    assert files_named({"a": "/proc", "b": "/proc/self/status"}) == {}
