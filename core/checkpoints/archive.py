"""Zip archives: what their table of contents may claim, and what a member may unpack to."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..text import visible
from .limits import Budget, Damaged, Refused

CONTENTS = 2**23  # bytes of an archive's table of contents; that of 20,000 tensors takes some 1.5 million
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Bounded(io.BufferedReader):
    """A file that gives no more at a time than a table of contents may have: zipfile reads it at once, however long it says it is."""

    opening = True

    def read(self, size: int | None = -1, /) -> bytes:
        if self.opening and size is not None and size > CONTENTS:
            raise Refused(
                f"it is an archive with a table of contents of {size} bytes: no checkpoint that torch wrote"
            )
        return super().read(size)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose table of contents has a bearable length.

    Raises:
        Refused: it is longer than that of any checkpoint.
    """
    with _Bounded(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        file.opening = False
        yield archive


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Look at the table of contents, before anything is unpacked.

    Raises:
        Refused: the archive unpacks to more than the file holds, or has names twice or outside of itself: torch.save does none of this.
    """
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > size or any(entry.compress_type not in METHODS for entry in entries):
        raise Refused(
            f"it is a compressed archive of {size} bytes that claims to hold {unpacked}: no checkpoint that torch wrote"
        )
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise Refused("it is an archive that holds the same name twice: no checkpoint that torch wrote")
    for entry in entries:
        if (
            entry.filename.startswith("/")
            or "\\" in entry.filename
            or ".." in entry.filename.split("/")
            or stat.S_ISLNK(entry.external_attr >> 16)
        ):
            raise Refused(
                f"it is an archive with the entry {visible(entry.filename)}, which points outside of it: no checkpoint that torch wrote"
            )


def member(archive: zipfile.ZipFile, name: str, budget: Budget) -> bytes:
    """Return the bytes of a member, of which no more are unpacked than the table of contents claims.

    Raises:
        Damaged: it is missing, or unpacks to more or less than it claims.
        Refused: it is compressed in a way that cannot be unpacked piece by piece.
    """
    if name not in archive.NameToInfo:
        raise Damaged(f"it has no {visible(name)}, which its pickle asks for")
    entry = archive.getinfo(name)
    if entry.compress_type not in METHODS:
        raise Refused(
            f"its {visible(name)} is compressed in a way that is not read here; stored and deflated members are"
        )
    budget.copy(entry.file_size)
    with archive.open(entry) as file:
        found = file.read(entry.file_size + 1)
    if len(found) != entry.file_size:
        raise Damaged(f"its {visible(name)} has not the {entry.file_size} bytes that are claimed")
    return found
