"""Writing in one step, removing whatever is there, and the words for what went wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ganstrata.core.disk import disk_error, make_folder, remove, write_bytes
from ganstrata.core.errors import GanstrataError


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
        (errno.EIO, "when that is mended"),
    ],
)
def test_only_a_full_disk_asks_for_room(number: int, cure: str) -> None:
    said = str(disk_error(OSError(number, os.strerror(number)), Path("a/b")))
    assert f"cannot write {Path('a/b')}: {os.strerror(number)}" in said
    assert cure in said
    assert ("make room" in said) == (number in (errno.ENOSPC, errno.EDQUOT))


def test_a_folder_of_the_name_is_in_the_way_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.json" / "mine").write_text("kept", encoding="utf-8")
    with pytest.raises(GanstrataError, match=r"a\.json: Is a directory.* in the way"):
        write_bytes(tmp_path / "a.json", b"new")
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == ["a.json", str(Path("a.json/mine"))]


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
