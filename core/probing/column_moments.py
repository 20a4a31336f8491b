"""Sum up means and variances of columns block by block, without undefined numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ColumnMoments:
    """Hold count, mean and variance of each column of all blocks that were added, in float64.

    Blocks are centred at their own means before they are added (Chan, Golub and LeVeque, "Algorithms for
    computing the sample variance", 1983), so that a mean far from 0 costs no digits.

    Attributes:
        count: number of defined values of each column, (C,).
        mean: their mean, 0 where there is none, (C,).
        squares: sum of (x - mean)^2, (C,).
        undefined: number of NaN, (C,).

    >>> moments = ColumnMoments(1)
    >>> moments.add(np.array([[1.0], [np.nan]]))
    >>> moments.add(np.array([[5.0]]))
    >>> moments.count.tolist(), moments.mean.tolist(), moments.squares.tolist()
    ([2], [3.0], [8.0])
    """

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns, dtype=np.int64)
        self.undefined = np.zeros(columns, dtype=np.int64)
        self.mean: Floats = np.zeros(columns)
        self.squares: Floats = np.zeros(columns)

    def add(self, block: NDArray[np.floating]) -> None:
        """Add the rows of a block (n, C)."""
        values = block.astype(np.float64)
        missing = np.isnan(values)
        values[missing] = 0.0
        lost = missing.sum(axis=0)
        count = len(values) - lost
        own = values.sum(axis=0) / np.maximum(count, 1)
        values -= own
        values[missing] = 0.0
        total = self.count + count
        share = count / np.maximum(total, 1)
        apart = own - self.mean
        self.squares += np.einsum("nc,nc->c", values, values) + apart**2 * self.count * share
        self.mean += apart * share
        self.count, self.undefined = total, self.undefined + lost

    @property
    def variance(self) -> Floats:
        """Variance with n - 1 in the denominator, (C,); NaN for fewer than two values."""
        return np.where(self.count > 1, self.squares / np.maximum(self.count - 1, 1), np.nan)
