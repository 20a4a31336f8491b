"""Digests of the files that a config names, wherever in it and however deep."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...checkpoints import BUNDLED, WEIGHTS
from ...storage.disk import file_hash
from .records import DIGEST

LONGEST = 4096  # characters of a path, at most
SKIPPED = ("__pycache__", ".git")  # folders whose content is no input
SYSTEM = tuple(
    map(Path, ("/proc", "/sys"))
)  # what stands there is made while it is read, and may have no end


def values_in(data: Any, place: str = "") -> Iterator[tuple[str, str | os.PathLike[str]]]:
    """Texts and paths in plain data, each with its place.

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
    """Digest of every file, folder and bundled checkpoint that plain data name, by place.

    A text counts as a file where there is one of this name, and as a folder where it has a separator in
    it or begins with a dot or a tilde, and does not contain the working directory.

    Raises:
        OSError: one of them cannot be read.
    """
    found = {}
    for place, value in values_in(data):
        digest = _bundle(value) if isinstance(value, str) and value.startswith(BUNDLED) else _digest(value)
        if digest is not None:
            found[place] = digest
    return found


def _digest(value: str | os.PathLike[str]) -> str | None:
    text = os.fspath(value)
    if not text or len(text) > LONGEST or any(sign in text for sign in "\0\n"):
        return None
    try:
        path = Path(text).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, RuntimeError, ValueError):  # a name that no file can have
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
    return text.startswith((".", "~")) or any(separator in text for separator in (os.sep, "/"))


def folder_hash(folder: Path) -> str:
    """Digest of a folder: names and contents of all files in it."""
    found = hashlib.sha256()
    for path in sorted(all_files(folder)):
        found.update(
            f"{path.relative_to(folder).as_posix()}\0{file_hash(path)}\n".encode("utf-8", "surrogateescape")
        )
    return found.hexdigest()[:DIGEST]


def all_files(folder: Path) -> Iterator[Path]:
    """All files in a folder and in those below it, but for caches."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        yield from (path for name in names if (path := Path(place, name)).is_file())


def _bundle(value: str) -> str | None:
    files = (
        sorted(WEIGHTS.glob(f"{value.removeprefix(BUNDLED)}.*.safetensors"))
        if "/" not in value and "*" not in value
        else []
    )
    return hashlib.sha256("".join(map(file_hash, files)).encode()).hexdigest()[:DIGEST] if files else None
