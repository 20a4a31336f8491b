"""Lock a run directory against other processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import GanstrataError, RunError
from ..storage.disk import disk_error, make_folder, write_bytes
from ..storage.result_folder import check_outside_arrays
from .holder import STALE, Holder, beating

LOCK, NOTE = "run.lock", "run.lock.json"
WRITTEN = (
    "samples.zarr",
    "boundaries.json",
    "rescoring.zarr",
)  # files that show that a directory without run.json was a run


@contextmanager
def locked(
    path: Path, index: str = "run.json", what: str = "run directory", name: Path | None = None
) -> Iterator[None]:
    """Lock a run directory against other processes; create it if missing.

    A directory that was created here is removed again if no run began in it.

    Args:
        path: the directory.
        index: the file that shows that a directory is one.
        what: what such a directory is called, for messages.
        name: what is in use, for messages; None for the directory.

    Raises:
        RunError: the directory holds something else, lies within an array, or another process has locked it;
            the message names that process.
    """
    check_outside_arrays(path)
    begun = (
        LOCK,
        f"{index}.part",
        NOTE,
        f"{NOTE}.part",
    )  # all that a process leaves which is killed while it begins a run
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
    lock, note = FileLock(path / LOCK), path / NOTE
    try:
        lock.acquire(timeout=0)
        holder = _holder(note)
        if holder is not None and not holder.is_here and not holder.is_gone:
            lock.release()
            raise RunError(_refusal(note, name or path, holder))
    except Timeout:
        raise RunError(_refusal(note, name or path, _holder(note))) from None
    except OSError as error:
        _remove_empty(created)
        raise disk_error(error, path / LOCK) from error
    me = Holder.me()
    try:
        with suppress(GanstrataError):  # on a full disk, where what is there may still be read
            write_bytes(note, me.text())
        with beating(lambda: write_bytes(note, me.text())):
            yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        # The lock is still held, so no other process can have begun a run. Windows removes no open file.
        empty = not (path / index).exists()
        if empty:
            for left in begun[1:]:
                (path / left).unlink(missing_ok=True)
        if empty and os.name != "nt":
            (path / LOCK).unlink(missing_ok=True)
        lock.release()
        if empty:
            with suppress(OSError):
                (path / LOCK).unlink(missing_ok=True)
            _remove_empty(created)


@contextmanager
def locked_results(folder: Path) -> Iterator[None]:
    """Lock a folder of results, which is replaced as a whole: the lock lies beside it, and goes at the end.

    Raises:
        RunError: another process has locked it; the message names that process.
    """
    check_outside_arrays(folder)
    real = folder.resolve()
    place = real.with_name(f".{real.name}.ganstrata-lock")
    with locked(place, what="lock", name=folder):
        yield
    _remove_empty([place])  # one that a killed process has left stays otherwise


def _holder(note: Path) -> Holder | None:
    """Return the process that holds a directory, as far as it is noted there."""
    try:
        return Holder.read(note.read_bytes())
    except OSError:
        return None


def _refusal(note: Path, name: Path, holder: Holder | None) -> str:
    """Return why a directory cannot be used."""
    who = "" if holder is None else f": {holder}"
    # Some file systems do not pass locks from one machine to another.
    elsewhere = ""
    if holder is not None and not holder.is_here:
        elsewhere = (
            f". If it was killed, this works {STALE / 60:.0f} minutes after its last sign of life, "
            f"or at once when you have removed {note}"
        )
    return f"{name} is in use by another process{who}; wait until that has finished{elsewhere}"


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove these folders, innermost first, as far as they are empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
