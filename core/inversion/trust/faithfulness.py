"""Measure edit faithfulness: does moving an inverted code change scores as moving a sample does?

    ratio = mean change of inverted codes / mean change of samples        (1: as faithful as a sample)
    difference = mean change of inverted codes - mean change of samples   (in sd of the concept's scores)

The change is that of the boundary's own concept after a step of the same length at the same layers. Intervals
are of the bootstrap over pictures and, independently, over samples.

Shapes: N inverted pictures, M samples, R resamplings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...statistics import bootstrap_means, bootstrap_weights, interval, sample_means

Floats = NDArray[np.float64]
RESAMPLINGS = 2000


@dataclass(frozen=True)
class Compared:
    """Hold a number with its 95 % interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Faithfulness:
    """Hold how an edit of inverted pictures compares with that of samples. Changes are in sd of the scores.

    Attributes:
        inverted: mean change of inverted pictures.
        samples: mean change of samples.
        difference: of the two.
        ratio: of the two; undefined where samples do not change for certain.
        pictures, drawn: numbers of pictures and samples with a defined change.
    """

    inverted: Compared
    samples: Compared
    difference: Compared
    ratio: Compared
    pictures: int
    drawn: int


def faithfulness(inverted: Floats, samples: Floats, seed: int = 0) -> Faithfulness:
    """Compare the changes of inverted pictures (N,) with those of samples (M,); NaN is left out.

    Args:
        inverted: change of each inverted picture, in sd.
        samples: change of each sample, in sd.
        seed: seed of the resamplings.

    >>> found = faithfulness(np.array([0.5, 0.6, 0.4, 0.5]), np.array([1.0, 1.1, 0.9, 1.0]))
    >>> round(found.ratio.value, 3), found.ratio.low < 0.5 < found.ratio.high
    (0.5, True)
    """
    one, other = (_replicates(changes, seed + i) for i, changes in enumerate((inverted, samples)))
    means = [float(sample_means(changes)) for changes in (inverted, samples)]
    alone = [_compared(mean, drawn) for mean, drawn in zip(means, (one, other), strict=True)]
    certain = alone[1].low > 0.0 or alone[1].high < 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _compared(means[0] / means[1], one / other) if certain else Compared(*[float("nan")] * 3)
    pictures, drawn = (int((~np.isnan(changes)).sum()) for changes in (inverted, samples))
    difference = _compared(means[0] - means[1], one - other)
    return Faithfulness(alone[0], alone[1], difference, ratio, pictures, drawn)


def mean_ratio(inverted: Floats, samples: Floats, seed: int = 0) -> Compared:
    """Return the mean over B boundaries of their ratios, with an interval.

    Pictures are resampled for all boundaries together, since the same ones are moved along each. Boundaries
    along which samples do not change for certain must be left out before.

    Args:
        inverted: changes in sd, (B, N).
        samples: changes in sd, (B, M).
        seed: seed of the resamplings.
    """
    if not len(inverted):
        return Compared(*[float("nan")] * 3)
    one, other = (_replicates(changes, seed + i) for i, changes in enumerate((inverted, samples)))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.nanmean(sample_means(inverted) / sample_means(samples)))
        drawn = np.nanmean(one / other, axis=1)
    return _compared(value, drawn)


def _replicates(changes: Floats, seed: int) -> Floats:
    """Return resampled means (R, ...) of changes (..., K)."""
    return bootstrap_means(changes, bootstrap_weights(changes.shape[-1], RESAMPLINGS, seed))


def _compared(value: float, replicates: Floats) -> Compared:
    low, high = interval(replicates)
    return Compared(value, float(low), float(high))
