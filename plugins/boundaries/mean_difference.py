"""Take the difference between the mean codes of the highest and the lowest scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from .common import Facts, Hyperplane
from .extremes import ExtremesLearner, Problem


class MeanDifference(ExtremesLearner):
    """Take v = m1 - m0 and b = -v.(m1 + m0) / 2, with m1 and m0 the means of positives and negatives.

    The boundary lies half way between the two means. The direction is the best one if codes have the same
    variance in all directions; otherwise it leans towards directions of large variance. There is no solver
    and no option.
    """

    def solve(self, problems: Iterable[Problem], seed: int) -> Iterator[Hyperplane]:
        """Yield a plane for each problem; the result does not depend on centring, so it is left out."""
        for problem in problems:
            yield Hyperplane(*self.fit(problem.codes(), problem.labels, seed))

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Return coefficients (D,), intercept and no facts for codes (n, D) and labels (n,)."""
        positive_mean, negative_mean = x[labels == 1].mean(axis=0), x[labels == 0].mean(axis=0)  # (D,) each
        difference = positive_mean - negative_mean
        return difference, -float(difference @ (positive_mean + negative_mean)) / 2.0, {}
