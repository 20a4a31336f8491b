"""Compute how far directions move their own concept and others: effect on target, effect on others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...statistics import resampled_means

Floats = NDArray[np.float64]


def mean_changes(changes: Floats, weights: Floats) -> Floats:
    """Return the mean change of every concept along every direction in each resample.

    Args:
        changes: (B, K, B), by direction, sample and concept; NaN is left out.
        weights: how often each sample counts, (R, K).

    Returns:
        (R, B, B), by direction and concept.
    """
    return resampled_means(np.moveaxis(changes, 1, 2), weights)


def chance_changes(null: Floats, weights: Floats) -> Floats:
    """Return how far random directions move each concept on average, whichever way, (R, B).

    Args:
        null: changes along random directions at the last step, (M, K, B).
        weights: (R, K).
    """
    return np.asarray(np.abs(mean_changes(null, weights)).mean(axis=1))


def effects(changes: Floats, chance: Floats, weights: Floats) -> dict[str, Floats]:
    """Compute the effect of each direction on its target and on others.

        target_i = M_ii        others_i = mean over j != i of ( |M_ij| - chance_j )

    M_ij is the mean change of concept j along direction i: the matrix of re-scoring (Shen et al.,
    Interpreting the latent space of GANs, 2020), with the size of a random direction's effect subtracted from
    side effects.

    Args:
        changes: at the last step, (B, K, B).
        chance: from `chance_changes` at the layers of each direction, (R, B, B) by direction and concept.
        weights: (R, K).

    Returns:
        `target` and `others`, each (R, B); `others` is NaN with one concept.

    >>> moved = np.zeros((2, 4, 2)); moved[0, :, 0], moved[0, :, 1], moved[1, :, 1] = 2.0, -0.5, 1.0
    >>> found = effects(moved, np.full((1, 2, 2), 0.1), np.ones((1, 4)))
    >>> found["target"].tolist(), found["others"].round(3).tolist()
    ([[2.0, 1.0]], [[0.4, -0.1]])
    """
    count = len(changes)
    diagonal = np.arange(count)
    means = mean_changes(changes, weights)
    beside = np.where(np.eye(count, dtype=bool), 0.0, np.abs(means) - chance)
    target = means[:, diagonal, diagonal]
    others = beside.sum(axis=-1) / (count - 1) if count > 1 else np.full_like(target, np.nan)
    return {"target": target, "others": others}
