"""Ridge regression of every concept's score on the codes: all samples, all concepts at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import Ridge as Regression

from .common import Hyperplane, Learner, LinearFit, Samples, Settings
from .regression import on_scores


class Ridge(Learner):
    """Uses every score, not only the extremes, and one factorisation for all concepts.

    Minimises |y - Xv - b|^2 + alpha |v|^2 with b free (Hoerl and Kennard 1970).
    """

    class Config(Settings):
        """Strength of the penalty, and how accuracy is measured."""

        alpha: float = Field(default=1.0, ge=0.0, le=1e12, description="penalty on the squared coefficients")

    config: Config

    def find(self, samples: Samples) -> list[list[LinearFit]]:
        """One regression for all concepts that are defined for the same samples, at each layer."""
        return on_scores(samples, self._regress)

    def _regress(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[Hyperplane]:
        fitted = Regression(alpha=self.config.alpha).fit(x, y)
        for slope, level in zip(np.atleast_2d(fitted.coef_), np.atleast_1d(fitted.intercept_), strict=True):
            yield Hyperplane(slope, float(level), {})
