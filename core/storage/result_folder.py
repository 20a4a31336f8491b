"""Write folders of results completely or not at all, with an index that lists and verifies their files.

To replace a folder, the new one is written beside it and the old one is renamed. If a process is killed in
between, both remain, and the next call recovers. Files that the index does not list are never removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import RunError, UserError
from ..messages import listed
from .disk import content_hash, disk_error, make_folder, read_bytes, remove, write_bytes
from .interrupts import defer_interrupt
from .json_values import JsonObject
from .seal import read_sealed, sealed_text

LOCK = ".ganstrata-lock"  # ending of the folder that holds the lock of another
_UNREADABLE = (OSError, ValueError, LookupError, AttributeError, TypeError)
_PART, _OLD, _READY = ".ganstrata-part", ".ganstrata-old", ".ganstrata-ready"
_BESIDE = (_PART, _OLD, LOCK)  # endings of what lies beside a folder while it is written


def index_text(
    content: JsonObject, files: Mapping[str, bytes], others: Mapping[str, str] | None = None
) -> bytes:
    """Return an index as JSON: the content, the SHA-256 of every file by name, and a digest of both.

    Args:
        content: what the index says besides.
        files: content of the files by name.
        others: SHA-256 of further files by name.
    """
    hashes = {name: hashlib.sha256(file).hexdigest() for name, file in files.items()} | dict(others or {})
    return sealed_text({**content, "files": hashes}).encode()


def read_index(file: Path) -> dict[str, Any]:
    """Read an index that `index_text` made.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or far too large.
    """
    try:
        return read_sealed(read_bytes(file))
    except UserError as error:
        raise ValueError(str(error)) from None


def faults_of(folder: Path, index: str) -> list[str]:
    """Return the names of files that the index of a folder lists and that are missing or modified.

    If the index is damaged, its name is the only one.
    """
    try:
        hashes = read_index(folder / index)["files"]
    except _UNREADABLE:
        return [index]
    return [name for name, digest in hashes.items() if not _is_as_written(folder / name, digest)]


def damaged_results(run: Path, analyses: Collection[str]) -> list[str]:
    """Return the results of analyses and edits in a run that are damaged, with the names of their files.

    Folders that a killed process left half-replaced are recovered first.

    Args:
        run: the run directory.
        analyses: names of analyses, whose folders need an index. Other folders of `analysis/` count as
            results only if they have one.
    """
    damaged = []
    for parent in (run / "analysis", run / "manipulations"):
        for name in sorted({_owner(path.name) for path in parent.glob("*") if path.is_dir()}):
            folder, index = (
                parent / name,
                "manipulate.json" if parent.name == "manipulations" else f"{name}.json",
            )
            if parent.name == "analysis" and name not in analyses and not _has_index(folder, index):
                continue
            recover(folder, index)
            faults = faults_of(folder, index) if folder.exists() else []
            damaged += [f"{parent.name}/{name} ({listed(faults, 3)})"] if faults else []
    return damaged


def stale_results(run: Path, stages: Mapping[str, str]) -> list[str]:
    """Return the results of analyses and edits in a run that were computed from an earlier state of a stage.

    Args:
        run: the run directory.
        stages: the current key of each stage's results.
    """
    stale = []
    for file in sorted([*run.glob("analysis/*/*.json"), *run.glob("manipulations/*/manipulate.json")]):
        try:
            keys = read_index(file)["stands_on"]
            is_stale = any(stages.get(stage) != key for stage, key in keys.items())
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue  # not an index, one of an early version, or damaged, which damaged_results reports
        stale += [file.parent.relative_to(run).as_posix()] if is_stale else []
    return stale


def _owner(name: str) -> str:
    """Return the name of the folder of results to which a folder, its temporary copy or its lock belongs."""
    ending = next((one for one in _BESIDE if name.startswith(".") and name.endswith(one)), "")
    return name[1:].removesuffix(ending) if ending else name


def _has_index(folder: Path, index: str) -> bool:
    """Return whether a folder of results, or the old one that it replaces, has its index."""
    return any((place / index).is_file() for place in (folder, _beside(folder)[1]))


def check_free(folder: Path, index: str, command: str) -> None:
    """Refuse a folder with files that were modified, or not written by an earlier call of the command.

    Raises:
        RunError: there are such files; the message names them.
    """
    check_outside_arrays(folder)
    recover(folder, index)
    if not folder.exists():
        return
    unlisted = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [folder.name]
    if (folder / index).is_file() and not (folder / index).is_symlink():
        hashes = _listed(folder, index)
        unlisted = (
            [*(name for name in unlisted if name != index), index]
            if hashes is None
            else [
                name
                for name in unlisted
                if name != index and not _is_as_written(folder / name, hashes.get(name))
            ]
        )
    if unlisted:
        names = ", ".join(name[:80] for name in unlisted[:3])
        more = f" and {len(unlisted) - 3} more" if len(unlisted) > 3 else ""
        raise RunError(
            f"{folder} contains files that `{command}` did not write there: {names}{more}; "
            "give an empty or a new --out"
        )


def check_outside_arrays(folder: Path) -> None:
    """Refuse a folder within the arrays of a run, which would count as damaged with more files in them.

    Raises:
        RunError: it is such a folder.
    """
    real = _real(folder)
    for place in (real, *real.parents):
        if (place / "zarr.json").is_file():
            raise RunError(
                f"{folder} lies within the array {place}, which must hold nothing else; give another --out"
            )


def replace_folder(folder: Path, index: str, files: Mapping[str, bytes]) -> None:
    """Replace a folder of results in one step: it holds either all new files or all old files.

    Files that the earlier index does not list stay.

    Raises:
        RunError: a folder has the name of one of the files.
        GanstrataError: the disk is full or the directory cannot be written.
    """
    folder = _real(folder)
    recover(folder, index)
    if not folder.is_dir() or not any(folder.iterdir()):
        add_files(folder, files, index)
        return
    _check_names(folder, files)
    fresh, old = _beside(folder)
    try:
        _stage(fresh, files)
        with defer_interrupt():
            folder.rename(old)
            try:
                fresh.rename(folder)
            except OSError:
                old.rename(folder)
                raise
        recover(folder, index)
    except OSError as error:
        raise disk_error(error, folder) from error
    finally:
        _discard(fresh)


def add_files(folder: Path, files: Mapping[str, bytes], index: str = "") -> None:
    """Write files into a folder, which is created if it is missing: all of them or none; see `staged`."""
    with staged(folder, index) as place:
        for name, content in files.items():
            write_bytes(place / name, content)


@contextmanager
def staged(folder: Path, index: str = "") -> Iterator[Path]:
    """Yield a temporary folder whose files move into `folder` together when the block ends without an error.

    If a process is killed while they move, the next call moves the rest.

    Args:
        folder: the folder, which is created if it is missing.
        index: the file whose presence says that the others are there; it moves last.

    Raises:
        RunError: a folder has the name of one of the files, of which none is moved then.
        GanstrataError: the disk is full or the directory cannot be written.
    """
    check_outside_arrays(folder)
    folder = _real(folder)
    recover(folder, index)
    exists = folder.is_dir()
    place = folder / _PART if exists else _beside(folder)[0]
    try:
        remove(place)
        place.mkdir(parents=True)
        yield place
        if exists:
            _check_names(folder, [path.name for path in place.iterdir() if not path.is_dir()])
        with defer_interrupt():
            if exists:
                place.rename(folder / _READY)
                _move(folder / _READY, folder, index)
            else:
                place.rename(folder)
    except OSError as error:
        raise disk_error(error, folder) from error
    finally:
        _discard(place)


def recover(folder: Path, index: str) -> None:
    """Complete or undo the replacement of a folder by a process that was killed.

    Raises:
        GanstrataError: the directory cannot be written.
    """
    folder = _real(folder)
    fresh, old = _beside(folder)
    try:
        if old.is_dir() and not folder.exists():
            old.rename(folder)
        elif old.is_dir():
            known = {index, *(_listed(old, index) or ()), *(path.name for path in folder.iterdir())}
            for path in list(old.iterdir()):
                if path.name in known and (path.is_symlink() or not path.is_dir()):
                    path.unlink()
                else:
                    path.rename(folder / path.name)
            old.rmdir()
        if (folder / _READY).is_dir():
            _move(folder / _READY, folder, index)
        remove(fresh)
        remove(folder / _PART)
    except OSError as error:
        raise disk_error(error, folder) from error


def _check_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse to write files where folders of their names are.

    Raises:
        RunError: there is such a folder.
    """
    if taken := sorted(name for name in names if (folder / name).is_dir()):
        raise RunError(
            f"{folder} has a folder {taken[0]}, but a file of this name must be written; move it aside"
        )


def _stage(fresh: Path, files: Mapping[str, bytes]) -> None:
    remove(fresh)
    make_folder(fresh)
    for name, content in files.items():
        write_bytes(fresh / name, content)


def _move(ready: Path, folder: Path, index: str) -> None:
    """Move complete files to their folder, the index last; the next call moves what is left of them."""
    for path in sorted(ready.iterdir(), key=lambda path: path.name == index):
        path.replace(folder / path.name)
    ready.rmdir()


def _listed(folder: Path, index: str) -> dict[str, str] | None:
    """Return the files of an index with their digests, or None if it is missing or damaged."""
    try:
        return dict(read_index(folder / index)["files"])
    except _UNREADABLE:
        return None


def _is_as_written(file: Path, digest: str | None) -> bool:
    return digest is not None and not file.is_symlink() and content_hash(file) == digest


def _real(folder: Path) -> Path:
    """Return the path of a folder with links resolved, so that a link to it stays a link."""
    try:
        return folder.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise RunError(f"cannot write to {folder}: {error}") from None


def _beside(folder: Path) -> tuple[Path, Path]:
    """Return the temporary names of the new and of the old folder while it is replaced."""
    return folder.parent / f".{folder.name}{_PART}", folder.parent / f".{folder.name}{_OLD}"


def _discard(place: Path) -> None:
    """Remove a temporary folder, if that is possible."""
    with suppress(OSError):
        remove(place)
