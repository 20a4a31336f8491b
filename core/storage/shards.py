"""Store Zarr arrays that several processes fill shard by shard, with a mark for each complete shard.

One process writes a shard into chunks of its own, then marks it with a checksum of the data. A shard without
a mark, or whose data do not match it, is computed again. Zarr's metadata follow from the layout alone: they
are compared with it, and rewritten if they differ.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from ..errors import RunError
from .disk import disk_error, remove, write_bytes, write_text
from .interrupts import defer_interrupt

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer

Region = tuple[slice | int, ...]
Arrays = Mapping[str, tuple[Region, NDArray[Any]]]
Layout = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], str]]
"""Name to (shape, chunks, dtype)."""

DOCUMENT = "zarr.json"
GRID = ("shape", "data_type", "chunk_grid", "chunk_key_encoding")
"""Keys of Zarr's metadata that determine which values are in which chunk."""


class Shards:
    """A group of arrays under `path` that is filled shard by shard.

    Ctrl-C is deferred during each method: Zarr works in threads of its own, which an interrupt would stop
    halfway.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._marks = path / "done"

    @defer_interrupt()
    def create(self, arrays: Layout, key: str = "") -> None:
        """Create the arrays that are missing, damaged or of another layout. Floats are NaN at first.

        Args:
            arrays: shape, chunks and dtype of each array by name.
            key: identifies the inputs from which the data are computed; arrays with another key are removed.

        Raises:
            GanstrataError: the disk is full or the directory cannot be written.
        """
        key_file = self._marks / "stamp"
        try:
            # If the key is missing, creating or removing the arrays was interrupted.
            if not key_file.is_file() or key_file.read_bytes() != key.encode():
                remove(self.path)
                self._marks.mkdir(parents=True)
                write_text(key_file, key)
            for partial in self.path.rglob("*.partial"):  # of a process that was killed
                partial.unlink()
            for name, document in _documents(arrays).items():
                self._restore(self.path / name, document)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def _restore(self, file: Path, document: bytes) -> None:
        """Write the metadata of an array or a group if they differ, and remove chunks of another grid."""
        current = file.read_bytes() if file.is_file() else b""
        if current == document:
            return
        if _is_another_grid(current, document):
            remove(file.parent)
        for place in (file.parent, file):
            if place.exists() and place.is_dir() == (place == file):
                remove(place)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, document)

    @defer_interrupt()
    def write(self, shard: str, arrays: Arrays) -> None:
        """Write one shard and mark it as complete.

        Args:
            shard: name of the shard.
            arrays: region and values of each array by name.

        Raises:
            GanstrataError: the disk is full; the shard stays unmarked.
        """
        try:
            group = zarr.open_group(self.path, mode="r+")
            for name, (region, values) in arrays.items():
                cast("zarr.Array[Any]", group[name])[region] = _plain(values)
        except OSError as error:
            raise disk_error(error, Path(error.filename2 or self.path)) from error
        mark = {name: [_as_lists(region), _checksum(values)] for name, (region, values) in arrays.items()}
        write_text(self._marks / f"{shard}.json", _with_checksum(json.dumps(mark)))

    @defer_interrupt()
    def is_whole(self, shard: str) -> bool:
        """Return whether a shard is marked and its data match the checksum."""
        try:
            text = (self._marks / f"{shard}.json").read_bytes().decode("utf-8")
            content = text.split("\n", 1)[0]
            if text != _with_checksum(content):
                return False
            group = zarr.open_group(self.path, mode="r")
            return all(
                _checksum(np.asarray(cast("zarr.Array[Any]", group[name])[_as_region(region)])) == checksum
                for name, (region, checksum) in json.loads(content).items()
            )
        except Exception:
            # A mark or chunk that cannot be read, for whatever reason, is damaged.
            return False

    @defer_interrupt()
    def has(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return (self.path / name / "zarr.json").is_file()

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array.

        Raises:
            RunError: it is missing or cannot be read.
        """
        with self._readable(name) as array:
            return tuple(array.shape)

    def read(self, name: str, region: Region = ()) -> NDArray[Any]:
        """Return an array, or a region of it.

        Args:
            name: of the array.
            region: a slice or a number for each of the first axes; all of the others are read.

        Raises:
            RunError: it is missing or cannot be read.
        """
        with self._readable(name) as array:
            return np.asarray(array[(*region, ...)])

    def blocks(self, name: str, rows: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield an array piece by piece along its first axis: the first row of a piece, and the piece.

        Args:
            name: of the array.
            rows: rows in a piece; the last one may be shorter.

        Raises:
            RunError: it is missing or cannot be read.
        """
        for start in range(0, self.shape(name)[0], rows):
            yield start, self.read(name, (slice(start, start + rows),))

    @contextmanager
    def _readable(self, name: str) -> Iterator[zarr.Array[Any]]:
        """Give an array to read; every failure in the block becomes an error that names the array."""
        try:
            yield cast("zarr.Array[Any]", zarr.open_group(self.path, mode="r")[name])
        except Exception as error:
            text = str(error)[:300]
            raise RunError(
                f"{self.path / name} cannot be read ({type(error).__name__}: {text}); "
                "run the stage that writes it again"
            ) from None


def _documents(arrays: Layout) -> dict[str, bytes]:
    """Return the `zarr.json` of the group, its groups and arrays, by path. Chunks contain a checksum."""
    store: dict[str, Buffer] = {}
    group = zarr.open_group(MemoryStore(store), mode="w", zarr_format=3)
    for name, (shape, chunks, dtype) in arrays.items():
        fill = np.nan if np.dtype(dtype).kind == "f" else 0
        group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill,
            compressors=(ZstdCodec(level=0), Crc32cCodec()),
        )
    outside_in = sorted(
        (name for name in store if name.endswith(DOCUMENT)), key=lambda name: (name.count("/"), name)
    )
    return {name: store[name].to_bytes() for name in outside_in}


def _is_another_grid(current: bytes, expected: bytes) -> bool:
    """Return whether metadata can be read and describe another grid of chunks."""
    try:
        old, new = json.loads(current), json.loads(expected)
        return any(old.get(key) != new[key] for key in GRID if key in new)
    except (ValueError, AttributeError, RecursionError):
        return False


def _with_checksum(content: str) -> str:
    """Return a line followed by a line with its checksum."""
    return f"{content}\n{zlib.crc32(content.encode()):08x}\n"


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values with one bit pattern for NaN: Zarr does not store its sign."""
    return (
        np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
        if values.dtype.kind == "f"
        else values
    )


def _checksum(values: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(_plain(values)).tobytes())


def _as_lists(region: Region) -> list[list[int] | int]:
    return [[part.start, part.stop] if isinstance(part, slice) else part for part in region]


def _as_region(lists: list[list[int] | int]) -> Region:
    return tuple(slice(*part) if isinstance(part, list) else part for part in lists)
