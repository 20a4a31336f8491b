"""Warn of pictures outside the generator's domain, with a known rate of false alarms.

Samples of the generator are inverted as the pictures were. A number that is large for a picture out of the
domain, such as the distance of its code, is measured for all of them, and its threshold is the k-th smallest
of the n numbers of the samples. If a picture is one more sample, its number is above the threshold with
probability (n + 1 - k) / (n + 1) on average over calibrations; of one calibration that probability is
distributed as Beta(n + 1 - k, k), whatever the distribution of the numbers is.

Source: Vovk, "Conditional validity of inductive conformal predictors", ACML 2012, proposition 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...distributions import beta_quantile
from ...errors import UserError

Floats = NDArray[np.float64]
RATE = 0.05


@dataclass(frozen=True)
class Alarm:
    """Hold a threshold and how often it gives a false alarm.

    Attributes:
        threshold: largest number that is no alarm.
        rate: expected share of false alarms among samples of the generator.
        low, high: 95 % interval of the share of false alarms of this threshold.
        samples: number n of samples that were inverted.
    """

    threshold: float
    rate: float
    low: float
    high: float
    samples: int

    def raised(self, values: Floats) -> NDArray[np.bool_]:
        """Return whether each number (N,) is above the threshold; an undefined one is not."""
        return np.asarray(np.nan_to_num(values, nan=-np.inf) > self.threshold)


def fewest(rate: float = RATE) -> int:
    """Return the smallest number of samples with which a rate of false alarms can be reached.

    >>> fewest(0.05)
    19
    """
    return math.ceil(1.0 / rate - 1e-9) - 1


def alarm_of(values: Floats, rate: float = RATE) -> Alarm:
    """Return the smallest threshold whose expected share of false alarms is at most `rate`.

    Args:
        values: number of each inverted sample, (n,), finite.
        rate: in (0, 1).

    Raises:
        UserError: there are too few samples for such a rate.

    >>> alarm = alarm_of(np.arange(39.0))
    >>> alarm.threshold, alarm.rate, round(alarm.low, 3), round(alarm.high, 3)
    (37.0, 0.05, 0.006, 0.135)
    """
    n = len(values)
    if n < fewest(rate):
        raise UserError(
            f"{n} inverted samples cannot give a warning with {rate:.0%} of false alarms; at least "
            f"{fewest(rate)} are needed"
        )
    above = math.floor(rate * (n + 1) + 1e-9)  # n + 1 - k
    low, high = (float(beta_quantile(p, above, n + 1 - above)) for p in (0.025, 0.975))
    return Alarm(float(np.sort(values)[n - above]), above / (n + 1), low, high, n)
