"""Logistic regression on the highest and the lowest scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression

from .common import Facts, Settings, convergence
from .extremes import ExtremesLearner


class Logistic(ExtremesLearner):
    """Minimises 1/2 |v|^2 + C sum log(1 + exp(-y (v.x + b))), b free: scikit-learn's, by L-BFGS.

    A small C shrinks the coefficients towards the difference of the means, which helps where scores
    are noisy.
    """

    class Config(Settings):
        """Which samples, and how strictly they are separated."""

        C: float = Field(
            default=1.0,
            gt=0.0,
            le=1e12,
            description="weight of errors against the length of the coefficients",
        )
        max_iterations: int = Field(default=1000, ge=1, le=1_000_000, description="of the solver")

    config: Config

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Coefficients (D,), intercept and facts for centred codes (n, D) and labels (n,)."""
        machine = LogisticRegression(C=self.config.C, max_iter=self.config.max_iterations)
        with convergence() as facts:
            machine.fit(x, labels)
        return machine.coef_[0], float(machine.intercept_[0]), facts | {"iterations": int(machine.n_iter_[0])}
