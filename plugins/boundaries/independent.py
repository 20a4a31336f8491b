"""Separate independent sources by FastICA, with memory that does not grow with the number of samples.

Shapes: N samples, D numbers of a code, K sources.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import FastICA

from ...core.storage.rows import Rows, blocks, rows_at
from .common import record_convergence
from .spectrum import Floats

HELD = 2**25  # bytes of whitened codes, in float64, with which the iteration begins


class Whitened:
    """Represent codes by their coordinates along K principal components, each of mean 0 and variance 1.

    They are computed when they are read.
    """

    def __init__(self, codes: Rows, mean: Floats, matrix: Floats) -> None:
        """Take codes (N, D), their mean (D,), and the matrix (K, D) that makes coordinates of them."""
        self._codes, self._mean, self._matrix = codes, mean, matrix
        self.shape = (codes.shape[0], len(matrix))

    def __getitem__(self, rows: slice) -> Floats:
        """Return consecutive rows, (n, K)."""
        return (self._codes[rows].astype(np.float64) - self._mean) @ self._matrix.T


class Separation(NamedTuple):
    """Hold how whitened codes z are separated.

    Attributes:
        rotation: orthogonal, (K, K); the sources are rotation @ z.
        kurtosis: excess kurtosis of each source, (K,).
        iterations: number of iterations, over held samples and over all.
        converged: whether the last one changed no direction by more than the tolerance.
    """

    rotation: Floats
    kurtosis: Floats
    iterations: int
    converged: bool


def separate(white: Rows, *, max_iterations: int, tolerance: float, seed: int) -> Separation:
    """Separate whitened codes into independent sources: symmetric FastICA with log cosh.

    Hyvärinen, "Fast and robust fixed-point algorithms for independent component analysis", 1999. The step
    w+ = E[z g(w.z)] - E[g'(w.z)] w, with g = tanh, needs two means over samples. As many samples as fit into
    `HELD`, evenly spaced, are held, and scikit-learn iterates on them. If those are not all samples, the
    iteration goes on from there with means over all of them, read block by block: at least once, and until
    it converges.

    Args:
        white: whitened codes, (N, K).
        max_iterations: limit on iterations, but for the one over all samples.
        tolerance: largest change of a direction, as 1 - |cosine|, with which the iteration ends.
        seed: seed of the rotation with which it begins.
    """
    count, size = white.shape
    most = HELD // (8 * size)
    solver = FastICA(whiten=False, max_iter=max_iterations, tol=tolerance, random_state=seed % 2**32)
    with record_convergence() as facts:
        solver.fit(rows_at(white, np.linspace(0, count - 1, min(count, most)).astype(np.int64)))
    rotation, iterations, converged = solver.components_, int(solver.n_iter_), facts["converged"]
    if count > most:
        converged, left = False, max(max_iterations - iterations, 1)
        while not converged and left:
            turned = _iterated(rotation, white)
            change = float(np.abs(np.abs(np.einsum("ij,ij->i", turned, rotation)) - 1.0).max())
            rotation, converged, iterations, left = turned, change < tolerance, iterations + 1, left - 1
    return Separation(rotation, _kurtosis(rotation, white), iterations, converged)


def _iterated(rotation: Floats, white: Rows) -> Floats:
    """Return the rotation (K, K) after an iteration over all samples (N, K)."""
    products, slopes = np.zeros_like(rotation), np.zeros(len(rotation))
    for _, (z,) in blocks(white):
        values = np.tanh(z @ rotation.T)  # (n, K)
        products += values.T @ z
        slopes += (1.0 - values**2).sum(axis=0)
    turned = (products - slopes[:, None] * rotation) / white.shape[0]
    variances, axes = np.linalg.eigh(turned @ turned.T)
    least = np.finfo(np.float64).tiny
    return np.asarray((axes / np.sqrt(np.maximum(variances, least))) @ axes.T @ turned)


def _kurtosis(rotation: Floats, white: Rows) -> Floats:
    """Return the excess kurtosis of the sources (K,) of whitened codes (N, K)."""
    squares, fourths = np.zeros(len(rotation)), np.zeros(len(rotation))
    for _, (z,) in blocks(white):
        powers = (z @ rotation.T) ** 2
        squares, fourths = squares + powers.sum(axis=0), fourths + (powers**2).sum(axis=0)
    return np.asarray(white.shape[0] * fourths / squares**2 - 3.0)
