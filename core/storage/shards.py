"""Store Zarr arrays that several processes fill shard by shard, with a mark for each complete shard.

One process writes a shard as whole files of its own, each in one step, then marks it with their checksums. A
shard without a mark, or with a file that does not match it, is computed again. Zarr's metadata follow from
the layout alone: they are compared with it, and rewritten if they differ.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import RunError
from .chunks import DOCUMENT, Layout, Region, documents, encoded, is_another_grid, plain
from .interrupts import defer_interrupt
from .marks import Mark, Written, mark_text, read_mark
from .places import Place, place_of

Arrays = Mapping[str, tuple[Region, NDArray[Any]]]

Part = tuple[slice | int, ...]
"""What is read: a slice or a number for each of the first axes."""

STAMP = "done/stamp"


class Shards:
    """A group of arrays in a place that is filled shard by shard.

    Ctrl-C is deferred during each method: Zarr works in threads of its own, which an interrupt would stop
    halfway.
    """

    def __init__(self, where: Place | Path) -> None:
        self.place = place_of(where)

    @defer_interrupt()
    def create(self, arrays: Layout, key: str = "") -> None:
        """Create the arrays that are missing, damaged or of another layout. Floats are NaN at first.

        Args:
            arrays: how each array is stored, by name.
            key: identifies the inputs from which the data are computed; arrays with another key are removed.

        Raises:
            GanstrataError: the place is full or cannot be written.
        """
        # If the key is missing, creating or removing the arrays was interrupted.
        if self.place.get(STAMP) != key.encode():
            self.place.clear()
            self.place.put(STAMP, key.encode())
        self.place.tidy()
        for name, document in documents(arrays).items():
            self._restore(name, document)

    def _restore(self, name: str, document: bytes) -> None:
        """Write the metadata of an array or a group if they differ, and remove chunks of another grid."""
        current = self.place.get(name)
        if current == document:
            return
        if current is not None and is_another_grid(current, document):
            self.place.clear(name.removesuffix(DOCUMENT))
        self.place.replace(name, document)

    @defer_interrupt()
    def write(self, shard: str, arrays: Arrays) -> None:
        """Write one shard and mark it as complete.

        Args:
            shard: name of the shard.
            arrays: region and values of each array by name. A region covers whole shards of its array.

        Raises:
            GanstrataError: the place is full; the shard stays unmarked.
            ValueError: a region covers part of a shard of its array.
        """
        chunks: dict[str, Written] = {}
        for name, (region, values) in arrays.items():
            for file, content in encoded(self._document(name), region, values).items():
                chunks[f"{name}/{file}"] = Written.of(content, self.place.put(f"{name}/{file}", content))
        self.place.put(_mark_of(shard), mark_text(chunks))

    def _document(self, name: str) -> bytes:
        """Return the metadata of an array.

        Raises:
            RunError: they are missing.
        """
        document = self.place.get(f"{name}/{DOCUMENT}")
        if document is None:
            raise RunError(f"{self.place}/{name} has been removed; run the same command again")
        return document

    @defer_interrupt()
    def whole(self, shards: Iterable[str]) -> set[str]:
        """Return which of these shards are marked, with files that match their checksums."""
        names = {_mark_of(shard): shard for shard in shards}
        found = self.place.get_all(names)
        tags = self.place.tags() if len(names) > 1 else None
        marks = {shard: read_mark(found[name]) for name, shard in names.items()}
        return {shard for shard, mark in marks.items() if mark is not None and self._matches(mark, tags)}

    def _matches(self, mark: Mark, tags: Mapping[str, str] | None) -> bool:
        """Return whether all files of a shard are as its mark says, by their tags or else by their bytes."""
        return all(
            bool(tags and written.tag and tags.get(name) == written.tag)
            or written.is_of(self.place.get(name))
            for name, written in mark.chunks.items()
        ) and self._has_values(mark)

    def _has_values(self, mark: Mark) -> bool:
        """Return whether the arrays hold the values that a mark of an early version describes."""
        try:
            return all(
                _checksum(self.read(name, _as_region(region))) == checksum
                for name, (region, checksum) in mark.values.items()
            )
        except (RunError, TypeError):  # the mark itself is intact, so the chunk is damaged
            return False

    @defer_interrupt()
    def discard(self, shards: Iterable[str]) -> None:
        """Remove the marks of these shards, and the files that the marks name.

        Raises:
            GanstrataError: the place cannot be written.
        """
        names = [_mark_of(shard) for shard in shards]
        for name, content in self.place.get_all(names).items():
            mark = read_mark(content)
            # First the mark: a process that is killed here leaves files that count as not written.
            self.place.remove([name])
            self.place.remove(() if mark is None else mark.chunks)

    @defer_interrupt()
    def has(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return self.place.get(f"{name}/{DOCUMENT}") is not None

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array.

        Raises:
            RunError: it is missing or cannot be read.
        """
        with self._readable(name) as array:
            return tuple(array.shape)

    def chunk_rows(self, name: str) -> int:
        """Return how many rows of an array are decoded together.

        Raises:
            RunError: it is missing or cannot be read.
        """
        with self._readable(name) as array:
            return int(array.chunks[0])

    def read(self, name: str, region: Part = ()) -> NDArray[Any]:
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
            yield cast("zarr.Array[Any]", zarr.open_group(self.place.zarr_store(), mode="r")[name])
        except Exception as error:
            raise self.place.unreadable(name, error) from None


def _mark_of(shard: str) -> str:
    return f"done/{shard}.json"


def _checksum(values: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(plain(values)).tobytes())


def _as_region(lists: list[list[int] | int]) -> Part:
    return tuple(slice(*part) if isinstance(part, list) else part for part in lists)
