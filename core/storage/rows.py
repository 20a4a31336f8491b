"""Read tables of samples by rows, so that memory does not grow with the number of samples.

A table is anything with a shape that gives rows for a slice: an array in memory, an array of a run that is
read from disk, or some rows or columns of another table. What streams goes through `blocks`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .shards import Shards

BLOCK_BYTES = 2**23  # of float32 numbers in a block
FEWEST, MOST = 64, 4096  # rows in a block


class Rows(Protocol):
    """Represent a table of N rows; a slice of it is an array that the reader must not change."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (N, ...)."""

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return consecutive rows, (n, ...)."""


class StoredRows:
    """Represent an array of a run, read from disk when rows are asked for.

    The last chunk is kept, so that a pass reads each chunk once wherever its blocks begin.
    """

    def __init__(self, shards: Shards, name: str) -> None:
        self._shards, self._name = shards, name
        self.shape = shards.shape(name)
        self._size = shards.chunk_rows(name)
        self._last: tuple[int, NDArray[Any]] | None = None

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return consecutive rows.

        Raises:
            RunError: they are damaged.
        """
        start, stop, _ = rows.indices(self.shape[0])
        first, last = start // self._size, max(-(-stop // self._size), start // self._size + 1)
        parts = [
            self._chunk(i)[max(start - i * self._size, 0) : max(stop - i * self._size, 0)]
            for i in range(first, last)
        ]
        return np.concatenate(parts)

    def _chunk(self, i: int) -> NDArray[Any]:
        """Return all rows of chunk i."""
        if self._last is None or self._last[0] != i:
            rows = slice(i * self._size, (i + 1) * self._size)
            self._last = (i, self._shards.read(self._name, (rows,)))
        return self._last[1]


class JoinedColumns:
    """Represent tables (N, C_i) side by side, as one of all columns."""

    def __init__(self, tables: Sequence[Rows]) -> None:
        self._tables = tables
        self.shape = (tables[0].shape[0], sum(table.shape[1] for table in tables))

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return consecutive rows."""
        return np.concatenate([table[rows] for table in self._tables], axis=1)


class ChosenColumns:
    """Represent some columns of a table (N, C), in the given order."""

    def __init__(self, table: Rows, columns: Sequence[int]) -> None:
        self._table, self._columns = table, list(columns)
        self.shape = (table.shape[0], len(self._columns))

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return consecutive rows."""
        return self._table[rows][:, self._columns]


class ChosenRows:
    """Represent rows of a table whose numbers do not decrease; a row may be there several times."""

    def __init__(self, table: Rows, chosen: NDArray[np.int64]) -> None:
        self._table, self._chosen = table, chosen
        self.shape = (len(chosen), *table.shape[1:])

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return consecutive rows."""
        chosen = self._chosen[rows]
        if not len(chosen):
            return self._table[:0]
        first = int(chosen[0])
        return self._table[first : int(chosen[-1]) + 1][chosen - first]


def with_columns(table: Rows, columns: Sequence[int]) -> Rows:
    """Return some columns of a table (N, C); of an array, at once."""
    chosen = ChosenColumns(table, columns)
    return chosen[:] if isinstance(table, np.ndarray) else chosen


def with_rows(table: Rows, chosen: NDArray[np.int64]) -> Rows:
    """Return rows of a table, ascending and maybe repeated, which are read when they are needed."""
    return ChosenRows(table, chosen)


def block_rows(*tables: Rows) -> int:
    """Return how many rows of the widest of these tables one block has: a power of 2.

    >>> block_rows(np.zeros((10, 512)), np.zeros((10, 3))), block_rows(np.zeros((1, 14, 512)))
    (4096, 256)
    """
    width = max(math.prod(table.shape[1:]) for table in tables)
    rows = max(BLOCK_BYTES // (4 * max(width, 1)), FEWEST)
    return min(int(2 ** math.floor(math.log2(rows))), MOST)


def blocks(*tables: Rows) -> Iterator[tuple[slice, tuple[NDArray[Any], ...]]]:
    """Yield the rows of tables of equal length together, block by block, with where the block lies."""
    count, size = tables[0].shape[0], block_rows(*tables)
    for start in range(0, count, size):
        here = slice(start, min(start + size, count))
        yield here, tuple(table[here] for table in tables)


def rows_at(table: Rows, wanted: NDArray[np.int64]) -> NDArray[Any]:
    """Return rows of a table by number, in any order and maybe repeated, from one pass through it.

    >>> rows_at(np.array([[0.0], [1.0], [2.0]]), np.array([2, 0, 2])).tolist()
    [[2.0], [0.0], [2.0]]
    """
    if isinstance(table, np.ndarray):
        return np.asarray(table[wanted])
    order = np.argsort(wanted, kind="stable")
    ascending = wanted[order]
    found = np.empty((len(wanted), *table.shape[1:]), dtype=table[:0].dtype)
    for here, (block,) in blocks(table):
        first, last = np.searchsorted(ascending, (here.start, here.stop))
        found[order[first:last]] = block[ascending[first:last] - here.start]
    return found
