"""Compute the editing precision ratio: how much of what an edit changes is its target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .effects import mean_changes

Floats = NDArray[np.float64]
EPSILON = 1e-8


def change_sizes(changes: Floats, weights: Floats) -> dict[str, Floats]:
    """Compute the mean absolute change of each direction's own concept and of the others.

    Args:
        changes: at the last step, (B, K, B), by direction, sample and concept.
        weights: how often each sample counts, (R, K).

    Returns:
        `own` and `beside`, each (R, B); `beside` is NaN with one concept.
    """
    sizes, count = mean_changes(np.abs(changes), weights), len(changes)
    own = sizes[:, np.arange(count), np.arange(count)]
    beside = np.where(np.eye(count, dtype=bool), 0.0, sizes).sum(axis=-1)
    return {"own": own, "beside": beside / (count - 1) if count > 1 else np.full_like(own, np.nan)}


def precision_ratio(own: Floats, beside: Floats) -> Floats:
    """Compute the editing precision ratio (CASL, arXiv 2601.15441, 2026).

        EPR = mean |change of target| / (mean over others of mean |change| + 1e-8)

    The source takes changes of logits; these are in standard deviations, so that concepts of different scales
    are comparable. A random direction has an EPR of about 1.

    >>> precision_ratio(np.array([2.0, 1.0]), np.array([1.0, 0.0])).round(3).tolist()
    [2.0, 100000000.0]
    """
    return np.asarray(own / (beside + EPSILON))
