"""Lock a run directory against other processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import GanstrataError, RunError
from ..storage.disk import disk_error, make_folder
from ..storage.result_folder import check_outside_arrays

LOCK = "run.lock"
WRITTEN = (
    "samples.zarr",
    "boundaries.json",
    "rescoring.zarr",
)  # files that show that a directory without run.json was a run


@contextmanager
def locked(path: Path, index: str = "run.json", what: str = "run directory") -> Iterator[None]:
    """Lock a run directory against other processes; create it if missing.

    A directory that was created here is removed again if no run began in it.

    Args:
        path: the directory.
        index: the file that shows that a directory is one.
        what: what such a directory is called, for messages.

    Raises:
        RunError: the directory holds something else, lies within an array, or another process has locked it.
    """
    check_outside_arrays(path)
    begun = (LOCK, f"{index}.part")  # all that a process leaves which is killed while it begins a run
    if (
        not (path / index).is_file()
        and path.exists()
        and (not path.is_dir() or any(p.name not in begun for p in path.iterdir()))
    ):
        lost = path.is_dir() and any((path / name).exists() for name in WRITTEN)
        cure = (
            "put it back; it cannot be made again, and it says what the rest was computed from"
            if lost
            else "give an empty or a new one"
        )
        raise RunError(f"{path} exists and is not a {what}: it has no {index}; {cure}")
    created = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        make_folder(path)
    except GanstrataError:
        _remove_empty(created)
        raise
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{path} is in use by another process; wait until that has finished") from None
    except OSError as error:
        _remove_empty(created)
        raise disk_error(error, path / LOCK) from error
    try:
        yield
    finally:
        # The lock is still held, so no other process can have begun a run. Windows removes no open file.
        empty = not (path / index).exists()
        if empty:
            (path / begun[1]).unlink(missing_ok=True)
        if empty and os.name != "nt":
            (path / LOCK).unlink(missing_ok=True)
        lock.release()
        if empty:
            with suppress(OSError):
                (path / LOCK).unlink(missing_ok=True)
            _remove_empty(created)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove these folders, innermost first, as far as they are empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
