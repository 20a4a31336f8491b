"""Compute attribute dependency: what else has changed when the target has changed by a fixed amount."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...statistics import resampled_means

Floats = NDArray[np.float64]
AMOUNTS = (0.25, 0.5, 1.0)
"""Changes of the target, in sd, at which dependency is measured."""


def sizes_on_the_way(changes: Floats, targets: NDArray[np.int64], weights: Floats) -> dict[str, Floats]:
    """Compute the mean absolute change of all concepts but the target at every step.

    Args:
        changes: (B, T, K, C), by direction, step, sample and concept; the first step is 0.
        targets: column of each direction's target, (B,).
        weights: how often each sample counts, (R, K).

    Returns:
        `mean` and `max` over the other concepts, each (R, B, T); NaN without other concepts.
    """
    sizes = resampled_means(np.moveaxis(np.abs(changes), 2, 3), weights)  # (R, B, T, C)
    is_own = np.arange(changes.shape[-1])[None, None] == targets[:, None, None]  # (B, 1, C)
    others = changes.shape[-1] - 1
    if not others:
        nothing = np.full(sizes.shape[:-1], np.nan)
        return {"mean": nothing, "max": nothing}
    return {
        "mean": np.where(is_own, 0.0, sizes).sum(axis=-1) / others,
        "max": np.where(is_own, 0.0, sizes).max(axis=-1),
    }


def at_amount(target: Floats, beside: Floats, amount: float) -> Floats:
    """Read off what else has changed where the mean change of the target first reaches an amount.

        AD(d) = mean or max over others of mean |change| at the step where mean change of target = d

    Between two steps both are taken as straight. This is attribute dependency of Wu, Lischinski and Shechtman
    (StyleSpace analysis, 2021, section 5), with the mean over samples taken before the amount is read off, so
    that samples whose target does not react are not left out.

    Args:
        target: mean change of the target at each step, (..., T); the first step is 0.
        beside: what else has changed there, (..., T).
        amount: d > 0.

    Returns:
        (...); NaN where the amount is not reached.

    >>> path, beside = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.1, 0.5])
    >>> [round(float(at_amount(path, beside, amount)), 3) for amount in (0.5, 1.5, 3.0)]
    [0.05, 0.3, nan]
    """
    found = np.full(target.shape[:-1], np.nan)
    for t in range(target.shape[-1] - 1, 0, -1):  # the first step that reaches it is set last
        before, after = target[..., t - 1], target[..., t]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (amount - before) / (after - before)
            here = beside[..., t - 1] + share * (beside[..., t] - beside[..., t - 1])
        found = np.where((before < amount) & (after >= amount), here, found)
    return found
