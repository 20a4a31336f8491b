"""Zarr arrays that several processes fill piece by piece, with a mark for each finished piece.

A piece is written by one process into chunks of its own, then marked with a checksum of what was
written. A piece without a mark, or whose data no longer match it, is computed again.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from .disk import disk_error, write_text
from .errors import RunError
from .interrupts import deferred

Region = tuple[slice | int, ...]
Arrays = Mapping[str, tuple[Region, NDArray[Any]]]


class Shards:
    """A group of arrays under `path` that is filled piece by piece.

    Ctrl-C waits for each of these steps: zarr works in threads of its own, which an interruption would
    leave in the middle of something.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._marks = path / "done"

    @deferred()
    def create(self, arrays: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], str]], stamp: str = "") -> None:
        """Make the arrays that are not there yet, or not of this kind: name to (shape, chunks, dtype); floats begin as NaN.

        `stamp` names what the data are computed from: arrays of another stamp are thrown away.
        """
        origin = self._marks / "stamp"
        try:
            # Where the stamp is missing, making or removing the arrays was interrupted.
            if not origin.is_file() or origin.read_text(encoding="utf-8") != stamp:
                if self.path.exists():
                    shutil.rmtree(self.path)
                self._marks.mkdir(parents=True)
                write_text(origin, stamp)
            group = zarr.open_group(self.path, mode="a", zarr_format=3)
            for name, (shape, chunks, dtype) in arrays.items():
                there = group.get(name)
                if isinstance(there, zarr.Array) and there.shape == shape and there.chunks == chunks and there.dtype == np.dtype(dtype):
                    continue
                fill = np.nan if np.dtype(dtype).kind == "f" else 0
                group.create_array(name, shape=shape, chunks=chunks, dtype=dtype, fill_value=fill, overwrite=True)
        except OSError as error:
            raise disk_error(error, self.path) from error

    @deferred()
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
            raise disk_error(error, self.path) from error
        mark = {name: [_as_lists(region), _checksum(values)] for name, (region, values) in arrays.items()}
        write_text(self._marks / f"{piece}.json", json.dumps(mark))

    @deferred()
    def is_whole(self, piece: str) -> bool:
        """Whether a piece is marked and its data are what was written."""
        try:
            mark = json.loads((self._marks / f"{piece}.json").read_text(encoding="utf-8"))
            group = zarr.open_group(self.path, mode="r")
            return all(
                _checksum(np.asarray(cast("zarr.Array[Any]", group[name])[_as_region(region)])) == checksum
                for name, (region, checksum) in mark.items()
            )
        except Exception:
            # A mark or chunk that cannot be read in whatever way is one that is not whole.
            return False

    @deferred()
    def read(self, name: str) -> NDArray[Any]:
        """A whole array.

        Raises:
            RunError: it is not there or cannot be read.
        """
        try:
            return np.asarray(cast("zarr.Array[Any]", zarr.open_group(self.path, mode="r")[name])[:])
        except Exception as error:
            raise RunError(f"{self.path / name} cannot be read ({type(error).__name__}: {error}); run the stage that writes it again") from None


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """The same values with one bit pattern for NaN: zarr does not keep its sign."""
    return np.where(np.isnan(values), np.array(np.nan, values.dtype), values) if values.dtype.kind == "f" else values


def _checksum(values: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(_plain(values)).tobytes())


def _as_lists(region: Region) -> list[list[int] | int]:
    return [[part.start, part.stop] if isinstance(part, slice) else part for part in region]


def _as_region(lists: list[list[int] | int]) -> Region:
    return tuple(slice(*part) if isinstance(part, list) else part for part in lists)
