"""Encode arrays as the files that Zarr stores: their metadata, and the chunks of a region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer

Region = tuple[slice, ...]

DOCUMENT = "zarr.json"
GRID = ("shape", "data_type", "chunk_grid", "chunk_key_encoding")
"""Keys of Zarr's metadata that determine which values are in which file."""


class ArrayLayout(NamedTuple):
    """Represent how an array is stored.

    Attributes:
        shape: of the array.
        shard: shape of what is written at once, in one file.
        dtype: of its values.
        chunk: shape of what is read at once, a part of a shard; None for the whole shard.
    """

    shape: tuple[int, ...]
    shard: tuple[int, ...]
    dtype: str
    chunk: tuple[int, ...] | None = None


Layout = Mapping[str, ArrayLayout]
"""Arrays by name."""


def documents(arrays: Layout) -> dict[str, bytes]:
    """Return the `zarr.json` of the group, its groups and arrays, by path, outer ones first.

    Floats are NaN where nothing was written, and chunks contain a checksum.
    """
    store: dict[str, Buffer] = {}
    group = zarr.open_group(MemoryStore(store), mode="w", zarr_format=3)
    for name, array in arrays.items():
        whole = array.chunk is None or array.chunk == array.shard
        group.create_array(
            name,
            shape=array.shape,
            chunks=array.shard if array.chunk is None else array.chunk,
            shards=None if whole else array.shard,
            dtype=array.dtype,
            fill_value=np.nan if np.dtype(array.dtype).kind == "f" else 0,
            compressors=(ZstdCodec(level=0), Crc32cCodec()),
        )
    outside_in = sorted(
        (name for name in store if name.endswith(DOCUMENT)), key=lambda name: (name.count("/"), name)
    )
    return {name: store[name].to_bytes() for name in outside_in}


def is_another_grid(current: bytes, expected: bytes) -> bool:
    """Return whether metadata can be read and describe files of other regions."""
    try:
        old, new = json.loads(current), json.loads(expected)
        return any(old.get(key) != new[key] for key in GRID if key in new)
    except (ValueError, AttributeError, RecursionError):
        return False


def encoded(document: bytes, region: Region, values: NDArray[Any]) -> dict[str, bytes]:
    """Return the files of a region of an array, by name within the array.

    Args:
        document: the array's zarr.json.
        region: the region, which covers whole shards.
        values: its values.

    Raises:
        ValueError: the region covers part of a shard, whose other values would be lost.
    """
    store: dict[str, Buffer] = {DOCUMENT: default_buffer_prototype().buffer.from_bytes(document)}
    # An empty chunk is written too: a chunk of another content may have its name.
    with zarr.config.set({"array.write_empty_chunks": True}):
        array = zarr.open_array(MemoryStore(store), mode="r+", zarr_format=3)
        if not _covers_whole_shards(array, region):
            raise ValueError(f"the region {region} covers part of a shard of {array.shards or array.chunks}")
        array[region] = plain(values)
    return {name: content.to_bytes() for name, content in store.items() if name != DOCUMENT}


def _covers_whole_shards(array: zarr.Array[Any], region: Region) -> bool:
    return len(region) == array.ndim and all(
        part.start % size == 0 and part.start < part.stop and (part.stop % size == 0 or part.stop == length)
        for part, size, length in zip(region, array.shards or array.chunks, array.shape, strict=True)
    )


def plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values with one bit pattern for NaN, so that equal values are equal bytes."""
    return (
        np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
        if values.dtype.kind == "f"
        else values
    )
