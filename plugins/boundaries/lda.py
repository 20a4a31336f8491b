"""Separate the highest and lowest scores by Fisher's linear discriminant with a shrunk covariance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from .common import Facts
from .extremes import ExtremesLearner


class Lda(ExtremesLearner):
    """Take v = S^-1 (m1 - m0), with S the covariance within positives and negatives, m1 and m0 their means.

    The plane is that of equal posterior probability: b = -v.(m1 + m0) / 2 + log(n1 / n0), with n1 and n0 the
    numbers of positives and negatives. S is shrunk towards the diagonal of variances by the factor of
    Ledoit and Wolf, so that it is invertible with few samples too.

    Sources: Fisher, "The use of multiple measurements in taxonomic problems", 1936; Ledoit and Wolf, "A
    well-conditioned estimator for large-dimensional covariance matrices", 2004. Solved by scikit-learn.
    """

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Return coefficients (D,), intercept and no facts for centred codes (n, D) and labels (n,)."""
        discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, labels)
        return discriminant.coef_[0], float(discriminant.intercept_[0]), {}
