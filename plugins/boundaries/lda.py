"""Fisher's linear discriminant on the highest and the lowest scores, with a shrunk covariance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from .common import Facts
from .extremes import ExtremesLearner


class Lda(ExtremesLearner):
    """The normal is the inverse covariance within the two ends times the difference of their means.

    The covariance is shrunk towards a multiple of the identity by as much as Ledoit and Wolf (2004)
    say, so that it has an inverse with few samples too.
    """

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Coefficients (D,), intercept and no facts for centred codes (n, D) and labels (n,)."""
        machine = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, labels)
        return machine.coef_[0], float(machine.intercept_[0]), {}
