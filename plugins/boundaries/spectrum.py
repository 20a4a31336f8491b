"""Compute means and covariances of streams of codes without keeping them, and eigenvectors in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Moments:
    """Hold mean and covariance of all vectors that were added, in float64; memory is that of one matrix.

    Blocks are centred at their own mean before they are added (Chan, Golub and LeVeque, "Algorithms for
    computing the sample variance", 1983), so that a mean far from 0 costs no digits.

    Attributes:
        count: number of vectors N.
        mean: (D,).
        scatter: sum of (x - mean) (x - mean)^T, (D, D).

    >>> moments = Moments(1)
    >>> moments.add(np.array([[1.0], [2.0]]))
    >>> moments.add(np.array([[6.0]]))
    >>> moments.mean.tolist(), moments.covariance.tolist()
    ([3.0], [[7.0]])
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean: Floats = np.zeros(size)
        self.scatter: Floats = np.zeros((size, size))

    def add(self, block: NDArray[np.floating]) -> None:
        """Add the rows of a block (n, D)."""
        rows = block.astype(np.float64)
        own = rows.mean(axis=0)
        rows -= own
        total = self.count + len(rows)
        apart = own - self.mean
        self.scatter += rows.T @ rows + np.outer(apart, apart) * (self.count * len(rows) / total)
        self.mean += apart * (len(rows) / total)
        self.count = total

    @property
    def covariance(self) -> Floats:
        """Return the covariance (D, D), with N - 1 in the denominator."""
        return self.scatter / max(self.count - 1, 1)


def spectrum(matrix: Floats) -> tuple[Floats, Floats]:
    """Return eigenvalues (D,), descending and at least 0, and eigenvectors (D, D) by row.

    Args:
        matrix: symmetric and positive semidefinite, (D, D).

    >>> values, vectors = spectrum(np.diag([1.0, 4.0]))
    >>> values.tolist(), np.abs(vectors).tolist()
    ([4.0, 1.0], [[0.0, 1.0], [1.0, 0.0]])
    """
    values, vectors = np.linalg.eigh(matrix)  # ascending, by column
    return np.maximum(values[::-1], 0.0), np.ascontiguousarray(vectors[:, ::-1].T)


def rank_of(values: Floats, share: float) -> int:
    """Return how many descending eigenvalues (D,) are above this share of the largest; 0 if that is 0.

    >>> rank_of(np.array([2.0, 1.0, 1e-15]), 1e-10), rank_of(np.zeros(2), 1e-10)
    (2, 0)
    """
    return int((values > share * values[0]).sum())
