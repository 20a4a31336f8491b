"""Regress the scores of all concepts at once on the codes of all samples, with a ridge penalty."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import linalg

from .common import Hyperplane, Learner, LinearFit, Samples, Settings
from .regression import fit_scores
from .score_moments import ScoreMoments

PIVOT = 1e-7  # smallest pivot of a Cholesky factor, relative to the largest, whose solution is trusted


class Ridge(Learner):
    """Minimise |y - X v - b|^2 + alpha |v|^2 over v and b, with y the scores; b is not penalised.

    Every score is used, not only the extremes, and one factorisation serves all concepts.

    Source: Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970.
    """

    class Config(Settings):
        """Set the strength of the penalty, and the selection of samples that measure accuracy."""

        alpha: float = Field(default=1.0, ge=0.0, le=1e12, description="penalty on the squared coefficients")

    config: Config

    def fit_concepts(self, samples: Samples) -> list[list[LinearFit]]:
        """Fit, at each layer, one regression for all concepts that are defined for the same samples."""
        return fit_scores(samples, self._regress)

    def _regress(self, moments: ScoreMoments) -> Iterator[Hyperplane]:
        """Yield a plane for each of the K scores."""
        matrix = moments.scatter.copy()
        matrix[np.diag_indices_from(matrix)] += self.config.alpha
        for slope, mean in zip(solved(matrix, moments.with_scores).T, moments.score_mean, strict=True):
            yield Hyperplane(slope, float(mean - slope @ moments.mean), {})


def solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve matrix V = right (D, K) for V; a matrix (D, D) without an inverse gives the shortest solution.

    >>> solved(np.diag([2.0, 0.0]), np.array([[4.0], [0.0]])).tolist()
    [[2.0], [0.0]]
    """
    try:
        factor = linalg.cho_factor(matrix, lower=True)
        pivots = np.diag(factor[0])
        if pivots.min() > PIVOT * pivots.max():
            return np.asarray(linalg.cho_solve(factor, right))
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0])
