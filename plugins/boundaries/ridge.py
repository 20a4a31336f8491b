"""Regress the scores of all concepts at once on the codes of all samples, with a ridge penalty."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import Ridge as RidgeRegression

from .common import Hyperplane, Learner, LinearFit, Samples, Settings
from .regression import fit_scores


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

    def _regress(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[Hyperplane]:
        """Yield a plane for each column of scores y (n, K), from codes x (n, D)."""
        regression = RidgeRegression(alpha=self.config.alpha).fit(x, y)
        slopes, intercepts = np.atleast_2d(regression.coef_), np.atleast_1d(regression.intercept_)
        for slope, intercept in zip(slopes, intercepts, strict=True):  # slope (D,)
            yield Hyperplane(slope, float(intercept), {})
