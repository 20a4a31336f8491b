"""Read zip archives within limits on their table of contents and on the unpacked size of their members."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..messages import visible
from ..storage.disk import open_file
from .limits import Budget, Damaged, Refused

CONTENTS = 2**23  # bytes of a table of contents at most; 20,000 tensors take about 1.5 million
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Bounded(io.BufferedReader):
    """A file that refuses to read more than `CONTENTS` bytes at once while an archive is being opened.

    zipfile reads the whole table of contents in one call, whatever length the archive declares.
    """

    opening = True

    def read(self, size: int | None = -1, /) -> bytes:
        if self.opening and size is not None and size > CONTENTS:
            raise Refused(
                f"it is an archive with a table of contents of {size} bytes: no checkpoint that torch wrote"
            )
        return super().read(size)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive, with a limit on the length of its table of contents.

    Raises:
        Refused: the table of contents is longer than that of any checkpoint.
    """
    with _Bounded(open_file(path).detach()) as file, zipfile.ZipFile(file) as archive:
        file.opening = False
        yield archive


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Check the table of contents before anything is unpacked.

    Args:
        archive: the opened archive.
        size: bytes of the archive file.

    Raises:
        Refused: the members unpack to more bytes than the file has, two members share a name, or a name
            points outside the archive. torch.save writes nothing like that.
    """
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > size or any(entry.compress_type not in METHODS for entry in entries):
        raise Refused(
            f"it is a compressed archive of {size} bytes that claims to hold {unpacked}: "
            "no checkpoint that torch wrote"
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
                f"it is an archive with the entry {visible(entry.filename)}, which points outside of it: "
                "no checkpoint that torch wrote"
            )


def member(archive: zipfile.ZipFile, name: str, budget: Budget) -> bytes:
    """Return the bytes of a member, and never unpack more than the table of contents declares.

    Raises:
        Damaged: the member is missing, or its unpacked size differs from the declared size.
        Refused: the member uses a compression method that cannot be unpacked in chunks.
    """
    if name not in archive.NameToInfo:
        raise Damaged(f"it has no {visible(name)}, which its pickle asks for")
    entry = archive.getinfo(name)
    if entry.compress_type not in METHODS:
        raise Refused(
            f"its {visible(name)} is compressed in a way that cannot be read here; "
            "only stored and deflated members can"
        )
    budget.copy(entry.file_size)
    with archive.open(entry) as file:
        data = file.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise Damaged(f"its {visible(name)} does not have the {entry.file_size} bytes that it claims")
    return data
