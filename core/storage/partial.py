"""Write a file under a temporary name of its own, and give it its name when it is complete.

No two writers share a temporary file, on whatever file system, so what they write cannot mix: of two that
write one file at once, the last to finish replaces it. A killed process leaves its temporary file, and the
next process that writes into the folder removes it: a lock, which the operating system releases, tells it
that the writer has ended.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

# Seconds without a write, after which a temporary file counts as left where no lock can tell.
FORGOTTEN = 86_400.0
# Short, so that no name of a file is too long.
NAME = re.compile(r"\.ganstrata-([0-9a-f]{8})-[0-9a-f]{16}\.part")
BOOT = Path("/proc/sys/kernel/random/boot_id")
_swept: set[str] = set()  # folders in which this process has looked for leftovers


@contextmanager
def partial_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file in the folder of `path`, which takes that name when the block ends without an error.

    It is on the disk by then. If the block fails, nothing is left of it.

    Raises:
        OSError: it cannot be created, written or renamed.
    """
    folder = path.parent
    if str(folder) not in _swept:
        sweep(folder)
        _swept.add(str(folder))
    file = _new(folder)
    temporary = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name != "nt":  # while it is locked, so that nobody takes it for a leftover
                temporary.replace(path)
        if os.name == "nt":  # which renames no open file
            temporary.replace(path)
    except BaseException:  # whatever writes may fail too, or be interrupted
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def is_partial(name: str) -> bool:
    """Return whether a file is a temporary one by its name.

    >>> is_partial(".ganstrata-0123abcd-0123456789abcdef.part"), is_partial("film.mkv.part")
    (True, False)
    """
    return NAME.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Remove the temporary files in a folder whose writers have ended, as far as that is possible."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = NAME.fullmatch(entry.name)
            if name is not None:
                _remove_if_left(Path(entry.path), is_here=name[1] == _machine())


def _remove_if_left(file: Path, *, is_here: bool) -> None:
    """Remove a temporary file unless its writer may be at work.

    Some file systems do not pass locks from one machine to another, so only those of this machine count.
    """
    with suppress(OSError), file.open("r+b") as opened:
        free = _lock(opened) if is_here else None
        if free is None:
            free = time.time() - os.fstat(opened.fileno()).st_mtime > FORGOTTEN
        if free:
            file.unlink()


def _new(folder: Path) -> BinaryIO:
    """Create a temporary file and lock it.

    Raises:
        OSError: it cannot be created.
    """
    while True:
        file = (folder / f".ganstrata-{_machine()}-{os.urandom(8).hex()}.part").open("xb")
        if _lock(file) is not False and Path(file.name).exists():
            return file
        file.close()  # before it was locked, another process took it for a leftover


def _lock(file: BinaryIO) -> bool | None:
    """Lock a file until it is closed.

    Returns:
        Whether no other process has locked it; None where the file system has no locks.
    """
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@cache
def _machine() -> str:
    """Return what all processes have in common that see each other's locks: those of one running system.

    Containers have names of their own, but the number of the start of the system is the same in all of them.
    """
    try:
        name = BOOT.read_text(encoding="ascii")
    except OSError:
        name = socket.gethostname()
    return hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
