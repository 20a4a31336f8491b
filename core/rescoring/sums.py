"""Sum up changes of scores over samples, and take moments of the sums (method B). Pure.

Effects need no more than these sums, so a run stores them for each batch instead of all scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIELDS = ("count", "sum", "squares", "clipped", "made_undefined")
"""The sums over samples kept for every direction, layer set, sign and concept: see `sums_of`."""

SIGNS = (1.0, -1.0)


def sums_of(baseline: NDArray[np.floating], edited: NDArray[np.floating]) -> Floats:
    """Sum up the changes between two arrays of scores.

    With delta_k = edited_k - baseline_k for each sample k and concept (see `measure.changes_along`), the sums
    are the number of defined delta_k, sum delta_k, sum delta_k^2, sum max(delta_k, 0), and the number of
    samples whose score the edit made undefined. A pair with a NaN on either side is left out.

    Args:
        baseline: scores of the unedited samples, (K, C).
        edited: scores of the edited samples, (K, C).

    Returns:
        FIELDS of each concept, (C, 5).
    """
    changes = edited.astype(np.float64) - baseline
    valid = ~np.isnan(changes)
    known = np.where(valid, changes, 0.0)
    lost = ~np.isnan(baseline) & np.isnan(edited)
    return np.stack(
        [valid.sum(0), known.sum(0), (known**2).sum(0), np.maximum(known, 0.0).sum(0), lost.sum(0)], axis=1
    )


def samples_used(sums: Floats, samples: int, step: int, sign: int = 0) -> NDArray[np.int64]:
    """Return how many samples each direction was moved on at each layer set, (B, S).

    Args:
        sums: FIELDS by batch, (B, N, S, 2, C, 5); NaN where a batch was not moved.
        samples: K, the most there are.
        step: samples in a batch; the last batch may be smaller.
        sign: 0 for forwards, 1 for backwards.
    """
    batches = (~np.isnan(sums[:, :, :, sign, 0, 0])).sum(axis=1)
    return np.asarray(np.minimum(batches * step, samples))


def null_means(null: Floats) -> Floats:
    """Return mean changes of null directions, (R, ...), from FIELDS (R, ..., 5); NaN where none is known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(null[..., 0] > 0, null[..., 1] / null[..., 0], np.nan)


@dataclass(frozen=True)
class Moments:
    """Hold what FIELDS say of changes: count, mean, standard error, clipped mean and made_undefined."""

    count: Floats
    mean: Floats
    error: Floats
    clipped: Floats
    made_undefined: Floats

    def of(self, rows: NDArray[np.int64]) -> Moments:
        """Return those of some rows of the first axis."""
        return Moments(*(values[rows] for values in vars(self).values()))


def moments_of(sums: Floats) -> Moments:
    """Compute the moments of changes, each (...), from FIELDS (..., 5)."""
    count, total, squares, clipped, made_undefined = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        variance = np.where(count > 1, (squares - count * mean**2) / (count - 1.0), np.nan)
        error = np.sqrt(np.maximum(variance, 0.0) / count)
    clipped = np.where(count > 0, clipped / np.maximum(count, 1.0), np.nan)
    return Moments(count, mean, error, clipped, made_undefined)
