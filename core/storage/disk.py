"""Read, write, remove and hash files on disk, with writes in one step and clear errors."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import GanstrataError, UserError
from ..shortage import shortage
from .partial import partial_file
from .paths import type_in_words, why_no_file

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)
NO_LOCKS = tuple(
    getattr(errno, name) for name in ("ENOSYS", "ENOLCK", "ENOTSUP", "EOPNOTSUPP") if hasattr(errno, name)
)
"""Error numbers of a lock on a file system that has none, as some clusters and network disks."""
_CURES = (
    (_FULL, "make room, then run the same command again"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), "change the permissions there, or choose another place"),
    ((errno.ENAMETOOLONG,), "choose a place with a shorter path"),
    (
        (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
        "something is in the way; move it aside, or choose another place",
    ),
    (
        (errno.EMFILE, errno.ENFILE),
        "close some open files, or raise the limit, then run the same command again",
    ),
    (
        NO_LOCKS,
        "the file system there has no locks; choose another place, or have it mounted with them (Lustre: "
        "with the option flock)",
    ),
)
"""Error numbers, with advice for each group."""
PASSING = tuple(
    getattr(errno, name)
    for name in ("EMFILE", "ENFILE", "ENOMEM", "ESTALE", "ETIMEDOUT")
    if hasattr(errno, name)
)
"""Error numbers of a file that cannot be read now, and later can: it is neither missing nor damaged."""
LARGEST = 2**30  # maximum size in bytes of a file that is read as a whole
SHELL_PIPES = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")  # paths of pipes that a shell passes


def open_file(path: Path) -> io.BufferedReader:
    """Open a file for reading.

    Named pipes, sockets and devices are refused: a pipe without a writer would block for ever, and a device
    may have no end. Pipes that a shell passes, as in `<(...)`, are allowed.

    Raises:
        OSError: it cannot be opened, or is neither a file nor such a pipe.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    try:
        file = open(path, "rb", opener=opener)  # noqa: SIM115 - the caller closes it
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, of which the system says that there is no such device
            raise OSError(errno.EINVAL, why_no_file(path), str(path)) from None
        raise
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    if stat.S_ISFIFO(mode) and str(path).startswith(SHELL_PIPES):
        os.set_blocking(file.fileno(), True)
        return file
    file.close()
    raise OSError(errno.EINVAL, f"it is {type_in_words(mode)}; a regular file is needed", str(path))


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """Return the content of a file of at most `most` bytes.

    Raises:
        OSError: it cannot be read.
        UserError: it is larger.
    """
    with open_file(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(f"{path} has more than {most} bytes, which is more than such a file can have")
    return content


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step: complete under its name, or not at all.

    Raises:
        GanstrataError: the disk is full or the directory cannot be written.
    """
    write_parts(path, (content,))


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file in one step like `write_bytes`, from parts of which only one is in memory at a time.

    Raises:
        GanstrataError: the disk is full or the directory cannot be written.
    """
    with written(path) as file:
        for part in parts:
            file.write(part)


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write into, which takes its name in one step when the block ends without an error.

    Raises:
        GanstrataError: the disk is full or the directory cannot be written.
    """
    try:
        if path.is_dir() and not path.is_symlink():  # `.` and `/` too, which have no name
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with partial_file(path) as file:
            yield file
    except OSError as error:
        raise disk_error(error, path) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents, unless it exists.

    Raises:
        GanstrataError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file or of a folder of arrays; None if it is missing or cannot be read.

    The hash of a folder covers the names of all its files, and the content of all but the chunks of arrays,
    which have checksums of their own. Partial files of a killed process and hidden files are ignored.

    Raises:
        GanstrataError: it cannot be read now, and later can.
    """
    try:
        return _folder_hash(path) if path.is_dir() else file_hash(path)
    except (OSError, ValueError) as error:  # a name with NUL, or without an encoding, is a ValueError
        check_is_there_to_read(error, path)
        return None


def check_is_there_to_read(error: Exception, path: Path) -> None:
    """Refuse to take a file for a missing one that only cannot be read now.

    What is missing is computed again, and what is there is removed for it.

    Raises:
        GanstrataError: it cannot be read now, and later can.
    """
    if isinstance(error, OSError) and error.errno in PASSING:
        reason = shortage(error) or error.strerror
        raise GanstrataError(
            f"cannot read {path}: {reason}. It is kept as it is; run the same command again later"
        ) from error


def _folder_hash(path: Path) -> str:
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    return digest_of(
        (name, file.read_bytes() if file.suffix == ".json" or file.name == "stamp" else b"")
        for name, file in files
        if file.suffix not in (".part", ".partial") and not file.name.startswith(".")
    )


def digest_of(contents: Iterable[tuple[str, bytes]]) -> str:
    """Return the SHA-256 of names with their contents."""
    digest = hashlib.sha256()
    for name, content in contents:
        for part in (name.encode(errors="surrogateescape"), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class DiskError(GanstrataError):
    """Represent a file that cannot be written, such as on a full disk."""


def disk_error(error: OSError, path: Path) -> DiskError:
    """Return the error to raise for a failed write: its reason and what to do."""
    reason = error.strerror or str(error)
    cure = next(
        (words for numbers, words in _CURES if error.errno in numbers),
        "when that is fixed, run the same command again",
    )
    return DiskError(f"cannot write {path}: {reason}. Earlier results are kept: {cure}.")
