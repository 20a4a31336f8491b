"""Find order statistics of columns exactly, in a few passes and without sorting or holding a column.

The bits of a float32, read as a whole number, rise with its value once negative numbers are turned round.
Each pass counts the values by their next few bits, among those that agree with the wanted value in the bits
before (radix selection: Knuth, The Art of Computer Programming 3, 5.2.5). After all 32 bits the value
is known, and how many are below it or equal to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]
Pass = Callable[[], Iterable[tuple[Floats, NDArray[np.int64] | None]]]
"""Begins a pass; yields values (n, C), NaN if undefined, and groups of the rows (n,), None for one group."""

WORD = 32
MEMORY = 2**27  # bytes of counts
NOTHING = 2**32 - 1  # what no value begins with
WIDE, NARROW = 11, 8  # bits per pass: as fit into that memory


@dataclass(frozen=True)
class Ranked:
    """Hold T order statistics of G groups and C columns, each (T, G, C).

    Attributes:
        value: NaN where no rank was asked for.
        below: number of values below it.
        equal: number of values equal to it.
    """

    value: Floats
    below: Counts
    equal: Counts


def order_statistics(
    read: Pass, groups: int, columns: int, ranks_of: Callable[[Counts], Counts], wanted: int
) -> Ranked:
    """Find values by rank within each group and column.

    Args:
        read: begins a pass through all values; it is called several times and must yield the same.
        groups: G.
        columns: C.
        ranks_of: from the number of defined values (G, C), the ranks from 0 that are wanted, ascending, (T,
            G, C); -1 for none.
        wanted: T.

    Raises:
        DataError: the memory for counts does not suffice; ask for fewer columns at a time.
    """
    cells = groups * columns
    bits = WIDE if wanted * cells * 8 * 2**WIDE <= MEMORY else NARROW
    if cells > cells_at_once(wanted):
        raise DataError(f"{groups} x {columns} order statistics are too many for one pass")
    counts = np.zeros((1, cells, 2**bits), dtype=np.int64)
    for values, group in read():
        defined, key = _keys(values)
        first = np.arange(columns)[None] if group is None else np.arange(columns) + columns * group[:, None]
        place = (key >> np.uint32(WORD - bits)) + (first << bits)  # (n, C)
        counts[0] += np.bincount(place[defined], minlength=counts.size).reshape(cells, -1)
    ranks = ranks_of(counts.sum(axis=2).reshape(groups, columns)).reshape(wanted, cells)
    below = np.zeros((wanted, cells), dtype=np.int64)
    same = np.zeros((wanted, cells), dtype=np.int64)
    prefix, equal = _descend(counts, same, ranks, below)
    taken = bits
    while taken < WORD:
        bits = min(bits, WORD - taken)
        counts, same = _counted(read, prefix, groups, columns, taken, bits)
        digit, equal = _descend(counts, same, ranks, below)
        prefix = (prefix << bits) + digit
        taken += bits
    value = np.where(ranks < 0, np.float32(np.nan), _values(prefix.astype(np.uint32)))
    shape = (wanted, groups, columns)
    return Ranked(value.reshape(shape), below.reshape(shape), equal.reshape(shape))


def _counted(
    read: Pass, prefix: Counts, groups: int, columns: int, taken: int, bits: int
) -> tuple[Counts, Counts]:
    """Count values by their next digit, among those that begin like the wanted ones.

    Args:
        read: begins a pass.
        prefix: digits of the wanted values so far, (T, cells).
        groups: G.
        columns: C.
        taken: number of bits in these digits.
        bits: number of bits in the next one.

    Returns:
        Counts (T, cells, 2^bits), and for each wanted value the first with the same prefix, in whose
        place it is counted, (T, cells).
    """
    wanted, cells = prefix.shape
    same = (prefix[:, None] == prefix[None]).argmax(axis=1)  # (T, cells)
    own = np.where(same == np.arange(wanted)[:, None], prefix, NOTHING).astype(np.uint32)
    own = own.reshape(wanted, groups, columns)
    counts = np.zeros((wanted, cells << bits), dtype=np.int64)
    shift = np.uint32(WORD - taken - bits)
    for values, group in read():
        defined, key = _keys(values)
        key = key >> shift
        leading = np.where(defined, key >> np.uint32(bits), np.uint32(NOTHING - 1))
        for t in range(wanted):
            found = np.flatnonzero(leading == (own[t] if group is None else own[t][group]))
            if len(found):
                row, column = np.divmod(found, columns)
                cell = column if group is None else column + columns * group[row]
                digit = key.reshape(-1)[found] & np.uint32(2**bits - 1)
                np.add.at(counts[t], (cell << bits) + digit, 1)
    return counts.reshape(wanted, cells, -1), same


def cells_at_once(wanted: int) -> int:
    """Return for how many groups and columns the counts of T order statistics fit into the memory."""
    return max(MEMORY // (8 * wanted << NARROW), 1)


def quantiles(read: Pass, columns: int, shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Return exact quantiles of the defined values of each column, as `numpy.quantile` interpolates them.

    Args:
        read: begins a pass; groups are not used.
        columns: C.
        shares: in [0, 1], (Q,).

    Returns:
        (Q, C), NaN for a column without a value.
    """
    at = np.array(shares)[:, None]  # (Q, 1)
    positions = np.zeros((len(shares), columns))

    def ranks_of(counts: Counts) -> Counts:
        positions[:] = at * np.maximum(counts[0] - 1, 0)
        low = np.floor(positions).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(counts[0] - 1, 0))
        ranks = np.concatenate([low, high])
        return np.where(counts[0] > 0, ranks, -1)[:, None]

    found = order_statistics(read, 1, columns, ranks_of, 2 * len(shares)).value[:, 0].astype(np.float64)
    low, high = found[: len(shares)], found[len(shares) :]
    between = positions - np.floor(positions)
    step = high - low
    with np.errstate(invalid="ignore"):
        exact = np.where(between >= 0.5, high - step * (1.0 - between), low + step * between)
    return np.where(low == high, low, exact)


def _keys(values: Floats) -> tuple[NDArray[np.bool_], NDArray[np.uint32]]:
    """Return which values are defined, and their keys, both (n, C)."""
    bits = (values.astype(np.float32) + np.float32(0.0)).view(np.uint32)  # -0 becomes 0
    sign = np.uint32(1 << 31)
    return ~np.isnan(values), np.where(bits & sign, ~bits, bits | sign)


def _values(keys: NDArray[np.uint32]) -> Floats:
    """Return the numbers that have these keys."""
    sign = np.uint32(1 << 31)
    return np.where(keys & sign, keys ^ sign, ~keys).astype(np.uint32).view(np.float32)


def _descend(counts: Counts, same: Counts, ranks: Counts, below: Counts) -> tuple[Counts, Counts]:
    """Return the digit under which each wanted rank lies, and how many values share it, both (T, cells).

    Args:
        counts: number of values by digit, (T, cells, 2^bits).
        same: in whose place each wanted value was counted, (T, cells).
        ranks: wanted, (T, cells).
        below: number of values below the digits before, (T, cells); those below the new digit are added.
    """
    digit, equal = np.empty_like(ranks), np.empty_like(ranks)
    cell = np.arange(ranks.shape[1])
    for t in range(len(ranks)):
        own = counts[same[t], cell]  # (cells, 2^bits)
        upto = own.cumsum(axis=1)
        digit[t] = np.minimum((upto <= (ranks[t] - below[t])[:, None]).sum(axis=1), own.shape[1] - 1)
        equal[t] = own[cell, digit[t]]
        below[t] += upto[cell, digit[t]] - equal[t]
    return digit, equal
