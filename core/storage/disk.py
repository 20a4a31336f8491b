"""Files on disk: written in one step, removed whatever they are, and what went wrong in words."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import GanstrataError, UserError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)
_CURES = (
    (_FULL, "make room, then run the same command again"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), "change the permissions of this place, or name another"),
    ((errno.ENAMETOOLONG,), "name a place with a shorter path"),
    (
        (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
        "something is in the way; move it aside, or name another place",
    ),
    (
        (errno.EMFILE, errno.ENFILE),
        "close some of the files that are open, or raise the limit, then run the same command again",
    ),
)
"""Numbers of errors, and what helps."""
LARGEST = 2**30  # bytes of a file that is read as a whole
HANDED = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")  # where a shell hands over pipes


def open_file(path: Path) -> io.BufferedReader:
    """Open a file to be read.

    A named pipe to which nobody writes would keep its reader waiting for ever, and a device may have no end. Pipes that a shell
    hands over, as in `<(...)`, are read.

    Raises:
        OSError: it cannot be opened, or is neither a file nor such a pipe.
    """
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115 - for the caller
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    if stat.S_ISFIFO(mode) and str(path).startswith(HANDED):
        os.set_blocking(file.fileno(), True)
        return file
    file.close()
    raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """What a file holds that should be no longer.

    Raises:
        OSError: it cannot be read.
        UserError: it has more than `most` bytes.
    """
    with open_file(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(f"{path} has more than {most} bytes, and is not what was expected")
    return content


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step: complete under its name, or not at all.

    Raises:
        GanstrataError: the disk is full or the directory cannot be written.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise disk_error(error, path) from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises:
        GanstrataError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(path: Path) -> str | None:
    """SHA-256 of a file, or of a folder of arrays; None if it is not there or cannot be read.

    Of a folder it is that of the names of all its files, and of the content of all but the chunks,
    which have checksums of their own. What a kill left half-written or a file manager hides does not count.
    """
    try:
        return _folder_hash(path) if path.is_dir() else file_hash(path)
    except OSError:
        return None


def _folder_hash(path: Path) -> str:
    found = hashlib.sha256()
    for name, file in sorted(
        (file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file()
    ):
        if file.suffix in (".part", ".partial") or file.name.startswith("."):
            continue
        content = file.read_bytes() if file.suffix == ".json" or file.name == "stamp" else b""
        for part in (name.encode(errors="surrogateescape"), content):
            found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


def disk_error(error: OSError, path: Path) -> GanstrataError:
    """Say what a failed write means, and what helps."""
    reason = error.strerror or str(error)
    cure = next(
        (words for numbers, words in _CURES if error.errno in numbers),
        "when that is mended, run the same command again",
    )
    return GanstrataError(f"cannot write {path}: {reason}. What was computed before is kept: {cure}.")
