"""Compute how evenly a score follows the steps: steadiness and straightness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def smoothness(changes: Floats, steps: Sequence[float], weights: Floats) -> dict[str, Floats]:
    """Compute steadiness and straightness of the paths y(t) of each direction's own concept.

        steadiness   = sum_k (y_k(last) - y_k(first)) / sum_k sum_t |y_k(t+1) - y_k(t)|
        straightness = 1 - sum_k sum_t (y_k(t) - line_k(t))^2 / sum_k sum_t (y_k(t) - mean_k)^2

    Steadiness is 1 where all scores rise all the way, and 0 where they go up as much as down. line_k is the
    straight line that fits sample k best. A sample with an undefined score on its way is left out.

    Args:
        changes: (B, T, K, B), by direction, step, sample and concept.
        steps: T of them, rising.
        weights: how often each sample counts, (R, K).

    Returns:
        `steadiness` and `straightness`, each (R, B); NaN where nothing moves.
    """
    diagonal = np.arange(len(changes))
    own = changes[diagonal, :, :, diagonal].transpose(0, 2, 1)  # (B, K, T)
    whole = ~np.isnan(own).any(axis=-1, keepdims=True)
    own = np.where(whole, own, 0.0)
    rise, travel = own[..., -1] - own[..., 0], np.abs(np.diff(own, axis=-1)).sum(axis=-1)
    about_step = np.asarray(steps, dtype=np.float64) - np.mean(steps)
    about = own - own.mean(axis=-1, keepdims=True)
    slope = about @ about_step / (about_step @ about_step)
    spread = (about**2).sum(axis=-1)
    left = ((about - slope[..., None] * about_step) ** 2).sum(axis=-1)
    return {
        "steadiness": _ratio(rise, travel, weights),
        "straightness": 1.0 - _ratio(left, spread, weights),
    }


def _ratio(above: Floats, below: Floats, weights: Floats) -> Floats:
    """Divide weighted sums over samples (B, K), giving (R, B); NaN where nothing moves."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((above @ weights.T / (below @ weights.T)).T)
