"""Separate the highest and lowest scores by logistic regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression

from .common import Facts, Settings, record_convergence
from .extremes import ExtremesLearner


class Logistic(ExtremesLearner):
    """Minimise 1/2 |v|^2 + C sum_k log(1 + exp(-y_k (v.x_k + b))) over v and b; b is not penalised.

    This is scikit-learn's LogisticRegression, solved by L-BFGS. A small C moves the direction towards the
    difference of the means, which helps where scores are noisy.
    """

    class Config(Settings):
        """Set the selection of samples and the options of the solver."""

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
        """Return coefficients (D,), intercept and facts for centred codes (n, D) and labels (n,)."""
        regression = LogisticRegression(C=self.config.C, max_iter=self.config.max_iterations)
        with record_convergence() as facts:
            regression.fit(x, labels)
        iterations = int(regression.n_iter_[0])
        return regression.coef_[0], float(regression.intercept_[0]), facts | {"iterations": iterations}
