"""Looks fixed in advance, and what may be said after stopping at one of them (method B, adaptive). Pure.

The looks at one effect are anything but independent: the spread of the null directions does not shrink
with samples, so the p values of two looks are nearly the same number. Boundaries for independent
increments (Lan and DeMets 1983, with O'Brien and Fleming's or Pocock's function) would promise what
does not hold here. Each look is therefore given a share of the error rate, and shares add up by
Bonferroni's inequality, which holds however the looks depend on each other and whatever stops them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..counts import ceil_share

Floats = NDArray[np.float64]

SMALLEST = 16
"""Samples of the first look at least: a standard error of fewer says little."""

AT_ALL, ELSEWHERE = 3.0, 1.0
"""Powers of the spending function at the set `all`, where decisions fall, and at the others, whose sampling stops for precision."""


def look_sizes(samples: int, shares: Sequence[float], batch: int) -> tuple[int, tuple[int, ...]]:
    """How many samples a batch has, and how many are there at each look: whole batches, and all of them at the last.

    Args:
        samples: K.
        shares: of K at which to look, ascending; the last is 1.
        batch: images in one pass at most.

    >>> look_sizes(128, (0.125, 0.25, 0.5, 1.0), 32)
    (16, (16, 32, 64, 128))
    >>> look_sizes(500, (0.125, 0.25, 0.5, 1.0), 32)
    (32, (64, 128, 256, 500))
    >>> look_sizes(20, (0.125, 0.25, 0.5, 1.0), 32)
    (16, (16, 20))
    """
    first = min(samples, max(SMALLEST, ceil_share(shares[0], samples)))
    step = min(batch, first)
    looks: list[int] = []
    for share in shares:
        wanted = max(first, ceil_share(share, samples))
        size = min(samples, -(-wanted // step) * step)
        if size not in looks:
            looks.append(size)
    return step, tuple(looks)


def spending(looks: Sequence[int], power: float) -> Floats:
    """The share of an error rate that each look may use: increments of t^power, t the share of all samples (Kim and DeMets 1987).

    They add up to 1. Power 3 keeps most for the last look, as O'Brien and Fleming's function does; power 1 spends with the samples.

    >>> spending((16, 32, 64, 128), 1.0).tolist()
    [0.125, 0.125, 0.25, 0.5]
    >>> spending((16, 32, 64, 128), 3.0).round(3).tolist()
    [0.002, 0.014, 0.109, 0.875]
    """
    t = np.asarray(looks, dtype=np.float64) / looks[-1]
    return np.diff(t**power, prepend=0.0)


def sequential_p(p: Floats, weights: Floats, done: NDArray[np.bool_]) -> Floats:
    """One p value from those of all looks that were taken: the least of p_k / weight_k, at most 1.

    P(min_k p_k / weight_k <= a) <= sum_k weight_k a = a for the looks 1 .. any, so it is valid whatever
    rule stopped the looks, and can only fall while they go on.

    Args:
        p: of each look, (K, ...); NaN where the effect is undefined.
        weights: of each look, to be broadcast against p.
        done: which looks were taken, to be broadcast against p.

    Returns:
        (...); NaN where no look taken has a p value.
    """
    shares = np.where(done & ~np.isnan(p), p / weights, np.inf)
    least = shares.min(axis=0)
    return np.where(np.isinf(least), np.nan, np.minimum(least, 1.0))


def half_width(changes: Floats, confidence: float = 0.95) -> Floats:
    """Half of Student's interval of the mean of changes (..., K), NaN left out: (...); infinite with fewer than two."""
    valid = ~np.isnan(changes)
    count = valid.sum(axis=-1)
    least = np.maximum(count, 2)
    known = np.where(valid, changes, 0.0)
    mean = known.sum(axis=-1) / np.maximum(count, 1)
    squares = (np.where(valid, changes - mean[..., None], 0.0) ** 2).sum(axis=-1)
    half = stats.t.ppf(0.5 + confidence / 2.0, least - 1) * np.sqrt(squares / (least - 1) / least)
    return np.where(count < 2, np.inf, half)
