"""Zarr arrays that several processes fill piece by piece, with a mark for each finished piece.

A piece is written by one process into chunks of its own, then marked with a checksum of what was
written. A piece without a mark, or whose data no longer match it, is computed again. What zarr keeps
beside the chunks follows from the layout alone, so it is never trusted: it is compared and written anew.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from ..errors import RunError
from .disk import disk_error, remove, write_bytes, write_text
from .interrupts import defer_interrupt

Region = tuple[slice | int, ...]
Arrays = Mapping[str, tuple[Region, NDArray[Any]]]
Layout = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], str]]
"""Name to (shape, chunks, dtype)."""

DOCUMENT = "zarr.json"
GRID = ("shape", "data_type", "chunk_grid", "chunk_key_encoding")
"""What decides which values lie in which chunk."""


class Shards:
    """A group of arrays under `path` that is filled piece by piece.

    Ctrl-C waits for each of these steps: zarr works in threads of its own, which an interruption would
    leave in the middle of something.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._marks = path / "done"

    @defer_interrupt()
    def create(self, arrays: Layout, stamp: str = "") -> None:
        """Make the arrays that are not there yet, not of this layout, or damaged; floats begin as NaN.

        `stamp` names what the data are computed from: arrays of another stamp are thrown away.

        Raises:
            GanstrataError: the disk is full or the directory cannot be written.
        """
        origin = self._marks / "stamp"
        try:
            # Where the stamp is missing, making or removing the arrays was interrupted.
            if not origin.is_file() or origin.read_bytes() != stamp.encode():
                remove(self.path)
                self._marks.mkdir(parents=True)
                write_text(origin, stamp)
            for left in self.path.rglob("*.partial"):  # of a process that was killed
                left.unlink()
            for name, document in _documents(arrays).items():
                self._restore(self.path / name, document)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def _restore(self, file: Path, document: bytes) -> None:
        """Write what zarr says of an array or a group, unless it is there; chunks of another grid go."""
        there = file.read_bytes() if file.is_file() else b""
        if there == document:
            return
        if _is_another_grid(there, document):
            remove(file.parent)
        for place in (file.parent, file):
            if place.exists() and place.is_dir() == (place == file):
                remove(place)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, document)

    @defer_interrupt()
    def write(self, piece: str, arrays: Arrays) -> None:
        """Write one piece, name to (region, values), and mark it as finished.

        Raises:
            GanstrataError: the disk is full; the piece stays unmarked.
        """
        try:
            group = zarr.open_group(self.path, mode="r+")
            for name, (region, values) in arrays.items():
                cast("zarr.Array[Any]", group[name])[region] = _plain(values)
        except OSError as error:
            raise disk_error(error, Path(error.filename2 or self.path)) from error
        mark = {name: [_as_lists(region), _checksum(values)] for name, (region, values) in arrays.items()}
        write_text(self._marks / f"{piece}.json", _sealed(json.dumps(mark)))

    @defer_interrupt()
    def is_whole(self, piece: str) -> bool:
        """Whether a piece is marked and its data are what was written."""
        try:
            text = (self._marks / f"{piece}.json").read_bytes().decode("utf-8")
            content = text.split("\n", 1)[0]
            if text != _sealed(content):
                return False
            group = zarr.open_group(self.path, mode="r")
            return all(
                _checksum(np.asarray(cast("zarr.Array[Any]", group[name])[_as_region(region)])) == checksum
                for name, (region, checksum) in json.loads(content).items()
            )
        except Exception:
            # A mark or chunk that cannot be read in whatever way is one that is not whole.
            return False

    @defer_interrupt()
    def has(self, name: str) -> bool:
        """Whether there is an array of this name."""
        return (self.path / name / "zarr.json").is_file()

    def read(self, name: str) -> NDArray[Any]:
        """A whole array.

        Raises:
            RunError: it is not there or cannot be read.
        """
        try:
            return np.asarray(cast("zarr.Array[Any]", zarr.open_group(self.path, mode="r")[name])[:])
        except Exception as error:
            words = str(error)[:300]
            raise RunError(
                f"{self.path / name} cannot be read ({type(error).__name__}: {words}); run the stage that writes it again"
            ) from None


def _documents(arrays: Layout) -> dict[str, bytes]:
    """The `zarr.json` of the group, of groups in it and of every array, by path. Chunks carry a checksum."""
    store: dict[str, Any] = {}
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


def _is_another_grid(there: bytes, wanted: bytes) -> bool:
    """Whether a document that can be read says of its chunks what they no longer are."""
    try:
        old, new = json.loads(there), json.loads(wanted)
        return any(old.get(key) != new[key] for key in GRID if key in new)
    except (ValueError, AttributeError, RecursionError):
        return False


def _sealed(content: str) -> str:
    """A line, and one with its checksum."""
    return f"{content}\n{zlib.crc32(content.encode()):08x}\n"


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """The same values with one bit pattern for NaN: zarr does not keep its sign."""
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
