"""Lock a run directory against other processes."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import GanstrataError, RunError
from ..storage.disk import NO_LOCKS, DiskError, disk_error, make_folder, write_bytes
from ..storage.partial import is_partial
from ..storage.result_folder import LOCK as BESIDE
from ..storage.result_folder import check_free, check_outside_arrays
from .holder import STALE, Holder, beating

LOCK, NOTE = "run.lock", "run.lock.json"
ATTEMPTS = 100  # at a lock that other processes remove meanwhile
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
    note = path / NOTE
    lock, created = _taken(path, index, what, name or path)
    me = Holder.me()
    try:
        with suppress(GanstrataError):  # on a full disk, where what is there may still be read
            write_bytes(note, me.text())
        with beating(lambda: write_bytes(note, me.text())):
            yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        # The lock is still held, so no other process can have begun a run.
        empty = not (path / index).exists()
        if empty:
            for left in filter(is_partial, os.listdir(path) if path.is_dir() else ()):
                (path / left).unlink(missing_ok=True)
        if empty and os.name != "nt":
            (path / LOCK).unlink(missing_ok=True)
        lock.release()
        if empty:
            if os.name == "nt":  # which removes no open file, so none that another process has locked since
                with suppress(OSError):
                    (path / LOCK).unlink(missing_ok=True)
            _remove_empty(created)


def _taken(path: Path, index: str, what: str, name: Path) -> tuple[FileLock, list[Path]]:
    """Take the lock of a directory; return it with the directories that were created for it.

    Whoever holds it may remove it, and the directory too, at any moment before it is taken here: then this
    begins anew.

    Raises:
        RunError: as for `locked`.
    """
    note = path / NOTE
    created: list[Path] = []
    for attempt in range(ATTEMPTS):
        try:
            _check_kind(path, index, what)
            created = [folder for folder in (path, *path.parents) if folder in created or not folder.exists()]
            make_folder(path)
            lock = FileLock(path / LOCK)
            _acquire(lock)
        except Timeout:
            break
        except (OSError, DiskError) as error:
            if created and getattr(error, "errno", None) in NO_LOCKS:  # so nobody else can hold it
                with suppress(OSError):
                    (path / LOCK).unlink(missing_ok=True)
            _remove_empty(created)
            reason = error if isinstance(error, OSError) else error.__cause__
            if isinstance(reason, (FileNotFoundError, FileExistsError)) and attempt < ATTEMPTS - 1:
                continue
            raise disk_error(error, path / LOCK) if isinstance(error, OSError) else error from reason
        holder = _holder(note)
        if not _is_at(lock, path / LOCK):
            lock.release()
        elif holder is not None and not holder.is_here and not holder.is_gone:
            lock.release()
            break
        else:
            return lock, created
    raise RunError(_refusal(note, name, _holder(note)))


def _acquire(lock: FileLock) -> None:
    """Take a lock, if nobody else has it.

    Where the file system has no locks, newer versions of filelock mark the file as taken, with a warning that
    helps nobody, and older ones refuse.

    Raises:
        Timeout: another process has it.
        OSError: the file cannot be made, or not be locked.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            lock.acquire(timeout=0)
    except NotImplementedError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), lock.lock_file) from None


def _check_kind(path: Path, index: str, what: str) -> None:
    """Refuse a directory that holds more than a process leaves which is killed while it begins a run.

    Raises:
        RunError: it does.
    """
    if (path / index).is_file() or not path.exists():
        return
    if path.is_dir() and all(file.name in (LOCK, NOTE) or is_partial(file.name) for file in path.iterdir()):
        return
    lost = path.is_dir() and any((path / name).exists() for name in WRITTEN)
    cure = (
        "put it back; it cannot be made again, and it says what the rest was computed from"
        if lost
        else "give an empty or a new one"
    )
    raise RunError(f"{path} exists and is not a {what}: it has no {index}; {cure}")


def _is_at(lock: FileLock, file: Path) -> bool:
    """Return whether the file that was locked still has its name.

    Between opening it and locking it, the process that held it may have removed it; then another process can
    lock a new file of the name at the same time. Windows removes no open file.
    """
    opened = lock._context.lock_file_fd  # filelock has no public name for it
    if opened is None or os.name == "nt":
        return True
    try:
        return os.path.samestat(os.fstat(opened), os.stat(file))
    except FileNotFoundError:
        return False


@contextmanager
def locked_results(folder: Path) -> Iterator[None]:
    """Lock a folder of results, which is replaced as a whole: the lock lies beside it, and goes at the end.

    Where nothing can be written beside an existing folder, such as a mounted one, it is not locked.

    Raises:
        RunError: another process has locked it; the message names that process.
    """
    check_outside_arrays(folder)
    real = folder.resolve()
    if not real.name:
        raise RunError(f"{folder} cannot be a folder of results; give an empty or a new --out")
    if real.is_dir() and not os.access(real.parent, os.W_OK):
        yield
        return
    place = real.with_name(f".{real.name}{BESIDE}")
    try:
        with locked(place, what="lock", name=folder):
            yield
    finally:
        _remove_empty([place])  # one that a killed process has left stays otherwise


@contextmanager
def results_of(folder: Path, index: str, command: str) -> Iterator[None]:
    """Lock a folder of results, as `locked_results`, that a command is to write alone.

    Args:
        folder: the folder; it need not exist.
        index: the file in it that lists the others.
        command: the command, for messages.

    Raises:
        RunError: another process has locked it, or it has files that the command did not write there.
    """
    with locked_results(folder):
        check_free(folder, index, command)
        yield


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
