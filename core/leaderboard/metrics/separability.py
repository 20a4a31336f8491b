"""Compute linear separability: what the side of a hyperplane leaves unknown about a concept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
KEPT = 0.25  # share of the samples at either end that is kept: the most confident half


def separability(above: NDArray[np.bool_], labels: NDArray[np.int64], weights: Floats) -> Floats:
    """Compute the exponential of the conditional entropy H(Y | X) of a label, given the side.

    It is 1 where the side tells the label for certain, and 2 where it tells nothing. Karras, Laine and Aila
    (A style-based generator architecture, 2019, section 4.2) take exp of the sum over attributes, which is
    the B-th power of the geometric mean over concepts.

    Args:
        above: X, whether a sample is on the positive side, (N,).
        labels: Y, 0 or 1, (N,).
        weights: how often each sample counts, (R, N).

    Returns:
        (R,); from 1 to 2 with equally many labels of either kind.

    >>> labels = np.array([0, 0, 1, 1])
    >>> separability(labels == 1, labels, np.ones((1, 4))).tolist()
    [1.0]
    >>> separability(np.array([True, False, True, False]), labels, np.ones((1, 4))).round(6).tolist()
    [2.0]
    """
    cells = np.stack([(above == side) & (labels == label) for side in (False, True) for label in (0, 1)])
    joint = (weights @ cells.T).reshape(-1, 2, 2) / weights.sum(axis=1)[:, None, None]  # (R, side, label)
    side = joint.sum(axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(joint > 0.0, joint * np.log(joint / side), 0.0)
    return np.asarray(np.exp(-terms.sum(axis=(1, 2))))
