"""The difference between the mean codes of the highest and of the lowest scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .common import Facts, Hyperplane
from .extremes import ExtremesLearner, Problem


class MeanDifference(ExtremesLearner):
    """The normal is mean of positives - mean of negatives; the boundary lies half way between them.

    The best there is where codes are spread alike in all directions; elsewhere it leans towards
    directions in which codes are spread widely. No solver, and nothing to choose.
    """

    def solve(self, problems: Sequence[Problem], seed: int) -> Iterator[Hyperplane]:
        """A plane for each problem; the codes are not copied to be centred."""
        for problem in problems:
            yield Hyperplane(*self.fit(problem.codes(), problem.labels, seed))

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Coefficients (D,), intercept and no facts for codes (n, D) and labels (n,)."""
        high, low = x[labels == 1].mean(axis=0), x[labels == 0].mean(axis=0)
        difference = high - low
        return difference, -float(difference @ (high + low)) / 2.0, {}
