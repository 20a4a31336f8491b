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
    """Hold one number per learner (E,), its 95 % interval, its resamples (R, E); whether it is a ratio."""

    value: Floats
    low: Floats
    high: Floats
    drawn: Floats
    ratio: bool = False

    def against(self, baseline: int) -> Estimate:
        """Compute the differences from one learner, from resamples common to both."""
        apart = self.value - self.value[baseline], self.drawn - self.drawn[:, [baseline]]
        return estimate(*apart, ratio=self.ratio)


def estimate(
    value: Floats,
    drawn: Floats,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    *,
    ratio: bool = False,
) -> Estimate:
    """Compute an interval that lies about the value as the resamples lie about their own middle.

    The absolute value of a mean grows with every source of noise, and resampling is one, so plain
    percentiles would be too high. The middle is the mean; of a ratio it is the median, because a few
    resamples that nearly divide by 0 would carry the mean away. The interval contains the value.

    Args:
        value: (E,), within the bounds.
        drawn: (R, E); NaN is left out.
        bounds: least and largest possible value, which the interval does not exceed.
        ratio: whether it is a ratio whose denominator may come near 0.

    >>> heavy = np.concatenate([np.linspace(0.0, 1.0, 99), [1e6]])[:, None]
    >>> found = estimate(np.array([0.4]), heavy, ratio=True)
    >>> bool(found.low[0] < 0.4 < found.high[0])
    True
    """
    undefined = np.isnan(drawn).all(axis=0) | np.isnan(value)
    filled = np.where(undefined, 0.0, drawn)
    low, high = np.nanquantile(filled, ENDS, axis=0)
    middle = np.nanmedian(filled, axis=0) if ratio else np.clip(np.nanmean(filled, axis=0), low, high)
    low, high = (np.where(undefined, np.nan, np.clip(value + (end - middle), *bounds)) for end in (low, high))
    return Estimate(value, low, high, drawn, ratio)


def where_above_zero(found: Estimate, divisor: Estimate) -> Estimate:
    """Return a ratio that is undefined (NaN) for learners for whom its divisor may be 0 or less.

    Args:
        found: the ratio.
        divisor: what it divides by; its interval has to lie above 0.
    """
    kept = divisor.low > 0.0  # (E,)
    value, low, high = (np.where(kept, part, np.nan) for part in found[:3])
    return found._replace(value=value, low=low, high=high, drawn=np.where(kept, found.drawn, np.nan))


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
