"""Choose the level above which a unit counts as on, from counts of pixels.

A unit is on where its enlarged feature map is above its level. Counts are over all pixels of all pictures
laid side by side: the pooled IoU, as of Bau et al.

Shapes: U units, Q candidate levels, M classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..statistics import Floats

Counts = NDArray[np.int64]
Measure = Literal["iqr", "iou"]

SHARES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
"""Shares of pixels above the candidate levels."""


@dataclass(frozen=True)
class Tally:
    """Hold counts of pixels of units and classes.

    Attributes:
        both: pixels where the unit is on and that have the class, (..., M).
        on: pixels where the unit is on, (...).
        labelled: pixels that have the class, (M,).
        pixels: number of pixels.
    """

    both: Counts
    on: Counts
    labelled: Counts
    pixels: int


def candidates(values: Floats | NDArray[np.float32], shares: tuple[float, ...] = SHARES) -> Floats:
    """Return candidate levels (Q, U): the quantiles of values (K, U) above which the given shares lie.

    >>> candidates(np.arange(101.0)[:, None], (0.5, 0.1)).round().tolist()
    [[50.0], [90.0]]
    """
    return np.asarray(np.quantile(values, 1.0 - np.array(shares), axis=0), dtype=np.float64)


def pooled_iou(tally: Tally) -> Floats:
    """Return the pooled IoU of units and classes, (..., M); NaN for a class without pixels.

        IoU = |on and class| / |on or class|

    Source: Bau et al., "GAN Dissection", ICLR 2019, section 3.1. Its code counts a unit only in pictures
    with labels of the class's category (object, part, material); here every picture counts.

    >>> float(pooled_iou(Tally(np.array([2]), np.array(4), np.array([6]), 10))[0])
    0.25
    """
    either = tally.on[..., None] + tally.labelled - tally.both
    return np.where(tally.labelled > 0, tally.both / np.maximum(either, 1), np.nan)


def information_ratio(tally: Tally) -> Floats:
    """Return the information quality ratio of units and classes, (..., M), from 0 to 1.

        IQR = I(on; class) / H(on, class)

    I is the mutual information of the two masks and H their joint entropy. Unlike the IoU it does not favour
    large classes and low levels. A unit that is off where the class is informs as well, but does not detect
    it: without a positive association the ratio is 0. It is NaN for a class without pixels.

    Source: Bau et al., "GAN Dissection", ICLR 2019, section 3.1.

    >>> same, apart = np.array([5, 0]), np.array([5, 5])
    >>> information_ratio(Tally(same, np.array(5), apart, 10)).tolist()
    [1.0, 0.0]
    """
    n = float(tally.pixels)
    both, on = tally.both / n, tally.on[..., None] / n
    labelled = tally.labelled / n
    cells = (
        (both, on * labelled),
        (on - both, on * (1.0 - labelled)),
        (labelled - both, (1.0 - on) * labelled),
        (1.0 - on - labelled + both, (1.0 - on) * (1.0 - labelled)),
    )
    information, entropy = np.zeros(both.shape), np.zeros(both.shape)
    for joint, product in cells:
        joint = np.where(joint > 1e-12, joint, 0.0)
        logarithm = np.log(np.where(joint > 0.0, joint, 1.0))
        information += joint * (logarithm - np.log(np.where(joint > 0.0, product, 1.0)))
        entropy -= joint * logarithm
    ratio = np.where(entropy > 0.0, information / np.where(entropy > 0.0, entropy, 1.0), 0.0)
    ratio = np.where(both > on * labelled, ratio, 0.0)
    return np.where(tally.labelled > 0, ratio, np.nan)


@dataclass(frozen=True)
class Chosen:
    """Hold what was chosen for each unit.

    Attributes:
        level: number of the candidate level, (U,).
        label: class that the unit detects best, (U,); -1 for a unit that detects none.
    """

    level: NDArray[np.int64]
    label: NDArray[np.int64]


def choose(tally: Tally, measure: Measure, allowed: NDArray[np.bool_]) -> Chosen:
    """Choose level and class of each unit: those with the highest measure.

    Args:
        tally: counts of every unit at every candidate level, `both` (Q, U, M) and `on` (Q, U).
        measure: `iqr` or `iou`.
        allowed: classes that may be chosen, (M,).

    Returns:
        A unit that goes with no class at any level, such as a constant one, has label -1 and level 0.
    """
    found = information_ratio(tally) if measure == "iqr" else pooled_iou(tally)
    found = np.where(allowed & ~np.isnan(found), found, 0.0)
    flat = found.swapaxes(0, 1).reshape(found.shape[1], -1)
    best = flat.argmax(axis=1)
    level, label = np.divmod(best, found.shape[2])
    none = flat[np.arange(len(flat)), best] <= 0.0
    return Chosen(np.where(none, 0, level), np.where(none, -1, label))
