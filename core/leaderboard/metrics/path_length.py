"""Compute perceptual path length: how much pictures change on the way, for the length of the way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...statistics import resampled_means

Floats = NDArray[np.float64]
TRIMMED = 0.01  # share of the samples at either end that the path length of a space leaves out
EPSILON = 1e-3  # of the distance of two codes: in single precision 1e-4, which is usual, is lost in rounding


def segment_lengths(squared: Floats, steps: Floats, unit: float) -> Floats:
    """Compute the mean squared distance of consecutive pictures, for a step of one, in a unit.

        mean over segments of  d(G(t), G(t'))^2 / (t' - t)^2 / unit

    Args:
        squared: squared distances of pictures at consecutive steps, (B, T - 1, K).
        steps: the steps, (T,), in sd of w.
        unit: mean squared distance of two independent pictures.

    Returns:
        (B, K).
    """
    return np.asarray((squared / np.diff(steps)[:, None] ** 2).mean(axis=1) / unit)


def trimmed(lengths: Floats) -> Floats:
    """Return the lengths (N,) without the lowest and the highest hundredth (Karras et al. 2019), as NaN.

    >>> lengths = np.arange(200.0)
    >>> int(np.isnan(trimmed(lengths)).sum())
    2
    """
    low = np.nanquantile(lengths, TRIMMED, method="lower")
    high = np.nanquantile(lengths, 1.0 - TRIMMED, method="higher")
    return np.where((lengths < low) | (lengths > high), np.nan, lengths)


def mean_lengths(lengths: Floats, weights: Floats) -> Floats:
    """Return the mean of lengths (..., K) in each resample (R, K), as (R, ...)."""
    return resampled_means(lengths, weights)
