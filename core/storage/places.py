"""Keep named contents in a place: a folder on disk, or a prefix of an object store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import GanstrataError, RunError
from ..shortage import shortage
from .disk import check_is_there_to_read, content_hash, disk_error, make_folder, remove, write_bytes

if TYPE_CHECKING:
    from zarr.abc.store import Store


class Place(Protocol):
    """What arrays are stored in. Names are relative, with `/` between their parts.

    All methods raise GanstrataError, with what to do, if the place cannot be reached, read or written.
    """

    def get(self, name: str) -> bytes | None:
        """Return a content, or None if there is none of this name."""
        ...

    def put(self, name: str, content: bytes) -> str:
        """Write a content in one step, complete or not at all.

        Returns:
            A tag by which `tags` shows that the content is still this one; empty where there are no tags.
        """
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write a content, and remove whatever else has its name or the names of its folders."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove the contents of these names that exist."""
        ...

    def clear(self, folder: str = "") -> None:
        """Remove everything in a folder of the place, or everything."""
        ...

    def tidy(self) -> None:
        """Remove what killed processes left half-written."""
        ...

    def get_all(self, names: Iterable[str]) -> Mapping[str, bytes | None]:
        """Return contents by name, as `get` does."""
        ...

    def tags(self) -> Mapping[str, str] | None:
        """Return the tag of every content by name; None where contents have no tags."""
        ...

    def digest(self) -> str | None:
        """Return a digest of all names, and of all contents but chunks; None if there is nothing."""
        ...

    def zarr_store(self) -> Store | Path:
        """Return what Zarr reads the arrays from."""
        ...

    def unreadable(self, name: str, error: Exception) -> GanstrataError:
        """Return the error to raise for an array that Zarr could not read."""
        ...


class Folder:
    """A folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        """Return the path."""
        return str(self.path)

    def get(self, name: str) -> bytes | None:
        """Return the content of a file, or None if there is none that can be read.

        Raises:
            GanstrataError: it cannot be read now, and later can.
        """
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            check_is_there_to_read(error, self.path / name)
            return None

    def put(self, name: str, content: bytes) -> str:
        """Write a file in one step. Files have no tags."""
        make_folder((self.path / name).parent)
        write_bytes(self.path / name, content)
        return ""

    def replace(self, name: str, content: bytes) -> None:
        """Write a file; a file where its folder should be is removed, and a folder in its own place."""
        file = self.path / name
        try:
            for folder in reversed(file.relative_to(self.path).parents):
                if not (self.path / folder).is_dir():
                    remove(self.path / folder)
            if file.is_dir():
                remove(file)
        except OSError as error:
            raise disk_error(error, file) from error
        self.put(name, content)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, if they exist. A folder of such a name stays."""
        for name in names:
            try:
                (self.path / name).unlink(missing_ok=True)
            except (NotADirectoryError, IsADirectoryError, PermissionError):
                continue  # whatever else is there is named when the file is written
            except OSError as error:
                raise disk_error(error, self.path / name) from error

    def clear(self, folder: str = "") -> None:
        """Remove a folder with its content."""
        try:
            remove(self.path / folder)
        except OSError as error:
            raise disk_error(error, self.path / folder) from error

    def tidy(self) -> None:
        """Remove partial files."""
        try:
            for file in [file for end in ("part", "partial") for file in self.path.rglob(f"*.{end}")]:
                remove(file)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def get_all(self, names: Iterable[str]) -> Mapping[str, bytes | None]:
        """Return the contents of files by name; None for those that do not exist."""
        return {name: self.get(name) for name in names}

    def tags(self) -> None:
        """Files have no tags: whether one has changed, only its content shows."""
        return

    def digest(self) -> str | None:
        """Return a digest of all names, and of all contents but chunks of arrays."""
        return content_hash(self.path)

    def zarr_store(self) -> Path:
        """Return the path."""
        return self.path

    def unreadable(self, name: str, error: Exception) -> GanstrataError:
        """Return the error to raise for an array that Zarr could not read."""
        if not self.path.parent.is_dir():
            return RunError(
                f"{self.path.parent} is not there any more: it was removed or renamed, or its disk is gone"
            )
        return unreadable(str(self.path / name), error)


def unreadable(what: str, error: Exception) -> GanstrataError:
    """Return the error for an array that is missing or damaged, or that this machine cannot read now."""
    if lacking := shortage(error):
        return GanstrataError(f"{what} cannot be read: {lacking}. It is kept as it is")
    return RunError(
        f"{what} cannot be read ({type(error).__name__}: {str(error)[:300]}); "
        "run the stage that writes it again"
    )


def place_of(where: Place | Path | str) -> Place:
    """Return a place, or that of a path."""
    return Folder(Path(where)) if isinstance(where, str | os.PathLike) else where
