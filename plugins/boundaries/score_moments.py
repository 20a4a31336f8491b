"""Sum up what regressions of scores on codes need, block by block.

Shapes: D numbers of a code, K scores, G classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class ClassMeans:
    """Hold the mean codes and scores of each class, and of all samples.

    Args:
        classes: classes of all samples (N,).
        size: D.
        columns: K.
    """

    def __init__(self, classes: Rows, size: int, columns: int) -> None:
        self._members = np.unique(classes)
        self._count = np.zeros(len(self._members))
        self._codes = np.zeros((len(self._members), size))
        self._scores = np.zeros((len(self._members), columns))

    def add(self, classes: Rows, x: Floats, y: Floats) -> None:
        """Add codes (n, D) and scores (n, K) of samples of these classes (n,)."""
        index = np.searchsorted(self._members, classes)
        self._count += np.bincount(index, minlength=len(self._members))
        np.add.at(self._codes, index, x)
        np.add.at(self._scores, index, y)

    def removed(self, classes: Rows, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return codes and scores with the mean of every class moved to the mean of all.

        For sample i of class c: value_i - mean_c + mean.
        """
        index = np.searchsorted(self._members, classes)
        own = np.maximum(self._count, 1.0)[index, None]
        total = max(float(self._count.sum()), 1.0)
        return (
            x - self._codes[index] / own + self._codes.sum(axis=0) / total,
            y - self._scores[index] / own + self._scores.sum(axis=0) / total,
        )


class ScoreMoments:
    """Hold the moments of codes and scores of all samples that were added, in float64.

    Blocks are centred at their own means before they are added (Chan, Golub and LeVeque, "Algorithms for
    computing the sample variance", 1983), so that means far from 0 cost no digits.

    Attributes:
        count: number of samples n.
        mean: mean code, (D,).
        score_mean: mean scores, (K,).
        scatter: X^T X of centred codes, (D, D).
        with_scores: X^T Y of centred codes and scores, (D, K).
        squares: sum of squares of centred scores, (K,).
        largest: largest size of a score as it was given, (K,).
    """

    def __init__(self, size: int, columns: int) -> None:
        self.count = 0
        self.mean: Floats = np.zeros(size)
        self.score_mean: Floats = np.zeros(columns)
        self.scatter: Floats = np.zeros((size, size))
        self.with_scores: Floats = np.zeros((size, columns))
        self.squares: Floats = np.zeros(columns)
        self.largest: Floats = np.zeros(columns)

    def add(self, x: Floats, y: Floats, means: ClassMeans | None = None, classes: Rows | None = None) -> None:
        """Add codes (n, D) and scores (n, K), without differences between classes if means are given."""
        self.largest = np.maximum(self.largest, np.abs(y).max(axis=0))
        if means is not None and classes is not None:
            x, y = means.removed(classes, x, y)
        own, score_own = x.mean(axis=0), y.mean(axis=0)
        x, y = x - own, y - score_own
        total = self.count + len(x)
        weight = self.count * len(x) / total
        apart, score_apart = own - self.mean, score_own - self.score_mean
        self.scatter += x.T @ x + weight * np.outer(apart, apart)
        self.with_scores += x.T @ y + weight * np.outer(apart, score_apart)
        self.squares += np.square(y).sum(axis=0) + weight * score_apart**2
        self.mean += apart * (len(x) / total)
        self.score_mean += score_apart * (len(x) / total)
        self.count = total

    @property
    def sd(self) -> Floats:
        """Standard deviation of the scores, (K,), with n in the denominator."""
        return np.sqrt(self.squares / self.count)

    @property
    def spread(self) -> float:
        """Spread sqrt(trace Cov / D) of the codes, with n in the denominator."""
        return float(np.sqrt(np.trace(self.scatter) / self.count / len(self.scatter)))
