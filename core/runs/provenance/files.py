"""Compute digests of the files and folders that a config names, at any depth."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...checkpoints import BUNDLED, WEIGHTS, is_remote
from ...checkpoints.remote import cached
from ...storage.disk import file_hash
from .records import DIGEST

LONGEST = 4096  # characters of a path
SKIPPED = ("__pycache__", ".git")  # folders that are ignored
SYSTEM = tuple(map(Path, ("/proc", "/sys")))  # virtual files, which may be endless


def values_in(data: Any, place: str = "") -> Iterator[tuple[str, str | os.PathLike[str]]]:
    """Yield texts and paths in plain data, with their places.

    >>> list(values_in({"a": {"b": ["x", 1]}}))
    [('a.b.0', 'x')]
    """
    if isinstance(data, str | os.PathLike):
        yield place, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from values_in(value, f"{place}.{key}" if place else str(key))
    elif isinstance(data, list | tuple | set | frozenset):
        for i, value in enumerate(sorted(data, key=str) if isinstance(data, set | frozenset) else data):
            yield from values_in(value, f"{place}.{i}" if place else str(i))


def files_named(data: Any) -> dict[str, str]:
    """Compute the digest of each file, folder and bundled checkpoint that the values of a config name.

    A text names a file if that file exists, or if it is the name of a file on the network and that file is
    in the cache. It names a folder if the folder exists, the text has a separator
    or begins with a dot or a tilde, and the folder does not contain the working directory.

    Returns:
        Place -> digest.

    Raises:
        OSError: a file cannot be read.
    """
    digests = {}
    for place, value in values_in(data):
        digest = _digest_of_text(value) if isinstance(value, str) else _digest(value)
        if digest is not None:
            digests[place] = digest
    return digests


def _digest_of_text(value: str) -> str | None:
    """Return the digest of the bundle, the fetched file, or the file or folder that a text names."""
    if value.startswith(BUNDLED):
        return _bundle(value)
    if is_remote(value):
        path = cached(value)
        return None if path is None else file_hash(path)[:DIGEST]
    return _digest(value)


def _digest(value: str | os.PathLike[str]) -> str | None:
    """Return the digest of the file or folder that a value names, or None if it names neither."""
    text = os.fspath(value)
    if not text or len(text) > LONGEST or "\0" in text:
        return None
    try:
        path = Path(text).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, RuntimeError, ValueError):  # no valid file name
        return None
    if any(path.resolve().is_relative_to(place) for place in SYSTEM):
        return None
    if is_file:
        return file_hash(path)[:DIGEST]
    if is_folder and (
        not isinstance(value, str)
        or (_reads_as_folder(text) and not Path.cwd().is_relative_to(path.resolve()))
    ):
        return folder_hash(path)
    return None


def _reads_as_folder(text: str) -> bool:
    """Return whether a text looks like the path of a folder."""
    return text.startswith((".", "~")) or any(separator in text for separator in (os.sep, "/"))


def folder_hash(folder: Path) -> str:
    """Compute the digest of a folder from the names and contents of its files."""
    folder_digest = hashlib.sha256()
    for path in sorted(all_files(folder)):
        folder_digest.update(
            f"{path.relative_to(folder).as_posix()}\0{file_hash(path)}\n".encode("utf-8", "surrogateescape")
        )
    return folder_digest.hexdigest()[:DIGEST]


def all_files(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and its subfolders, without the SKIPPED folders."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        yield from (path for name in names if (path := Path(place, name)).is_file())


def _bundle(value: str) -> str | None:
    """Return the digest of what a run reads of a bundled checkpoint, or None if no bundle has this name.

    Its encoder is left out: no run reads it, and an inversion has its digest in keys of its own.
    """
    name = value.removeprefix(BUNDLED)
    found = [] if "/" in name or "*" in name else sorted(WEIGHTS.glob(f"{name}.*.safetensors"))
    files = [file for file in found if file.name != f"{name}.encoder.safetensors"]
    return hashlib.sha256("".join(map(file_hash, files)).encode()).hexdigest()[:DIGEST] if files else None
