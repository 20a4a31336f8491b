"""Hold a number for each learner, with its interval and with what random directions reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ENDS = (0.025, 0.975)


class Chance(NamedTuple):
    """Hold what random directions reach in the place of a learner's: mean, and the middle 95 % of them.

    All are NaN where a random direction has no such number.
    """

    value: float
    low: float
    high: float


class Estimate(NamedTuple):
    """Hold one number per learner (E,), its 95 % interval, and its resamples (R, E)."""

    value: Floats
    low: Floats
    high: Floats
    drawn: Floats

    def against(self, baseline: int) -> Estimate:
        """Compute the differences from one learner, from resamples common to both."""
        return estimate(self.value - self.value[baseline], self.drawn - self.drawn[:, [baseline]])


def estimate(value: Floats, drawn: Floats, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Estimate:
    """Compute an interval that lies about the value as the resamples lie about their own mean.

    The absolute value of a mean grows with every source of noise, and resampling is one, so plain
    percentiles would be too high.

    Args:
        value: (E,).
        drawn: (R, E); NaN is left out.
        bounds: least and largest possible value, which the interval does not exceed.
    """
    undefined = np.isnan(drawn).all(axis=0) | np.isnan(value)
    filled = np.where(undefined, 0.0, drawn)
    low, high = np.nanquantile(filled - np.nanmean(filled, axis=0), ENDS, axis=0)
    low, high = (np.where(undefined, np.nan, np.clip(value + end, *bounds)) for end in (low, high))
    return Estimate(value, low, high, drawn)


def chance_of(values: Floats) -> Chance:
    """Return what random directions (M,) reach; NaN is left out.

    >>> chance_of(np.array([1.0, 3.0, np.nan])).value
    2.0
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return Chance(np.nan, np.nan, np.nan)
    low, high = np.quantile(known, ENDS)
    return Chance(float(known.mean()), float(low), float(high))


def over_concepts(values: Floats, weights: Floats) -> Floats:
    """Average values (R, B) over concepts with weights (R, B), giving (R,); NaN is left out."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            (np.where(known, values, 0.0) * weights).sum(axis=1) / (known * weights).sum(axis=1)
        )
