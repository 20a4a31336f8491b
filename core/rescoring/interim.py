"""Plan interim analyses (looks), and compute p values that are valid after early stopping (method B). Pure.

The p values of two looks at one effect are nearly the same number, because the spread of the null directions
does not shrink with more samples. Group-sequential boundaries assume independent increments (Lan and DeMets
1983, with the spending functions of O'Brien and Fleming or of Pocock), so they would not hold here. Instead,
each look spends a share of the error rate, and the shares add up by Bonferroni's inequality. This holds for
any dependence between looks and for any stopping rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..distributions import t_quantile
from ..rounding import ceil_share

Floats = NDArray[np.float64]

SMALLEST = 16
"""Fewest samples of the first look: with fewer, a standard error is too uncertain."""

POWER = 3.0
"""Power of the spending function."""


def look_sizes(samples: int, shares: Sequence[float], batch: int) -> tuple[int, tuple[int, ...]]:
    """Return the batch size and the number of samples at each look at the set `all`.

    A look falls at the end of a batch, the last one at K. The first look has at least SMALLEST samples (or
    K), and a batch at most SMALLEST, because sampling at the other layer sets may stop there (`layer_looks`).

    Args:
        samples: K, the most samples to take.
        shares: shares of K at which to look, ascending; the last is 1.
        batch: largest number of images in one pass.

    >>> look_sizes(128, (0.125, 0.25, 0.5, 1.0), 32)
    (16, (16, 32, 64, 128))
    >>> look_sizes(500, (0.125, 0.25, 0.5, 1.0), 32)
    (16, (64, 128, 256, 500))
    >>> look_sizes(20, (0.125, 0.25, 0.5, 1.0), 32)
    (16, (16, 20))
    """
    first = min(samples, max(SMALLEST, ceil_share(shares[0], samples)))
    step = min(batch, SMALLEST, samples)
    looks: list[int] = []
    for share in shares:
        wanted = max(first, ceil_share(share, samples))
        size = min(samples, -(-wanted // step) * step)
        if size not in looks:
            looks.append(size)
    return step, tuple(looks)


def layer_looks(samples: int, step: int) -> tuple[int, ...]:
    """Return the number of samples at each look at the other layer sets: SMALLEST, twice as many, ... K.

    Sampling stops there as soon as an effect is precise. That spends no error rate, so looks may be early and
    many.

    Args:
        samples: K, the most samples to take.
        step: samples in a batch, from `look_sizes`; looks are whole batches.

    >>> layer_looks(128, 16), layer_looks(500, 16), layer_looks(12, 12)
    ((16, 32, 64, 128), (16, 32, 64, 128, 256, 500), (12,))
    """
    looks = [min(samples, -(-SMALLEST // step) * step)]
    while looks[-1] < samples:
        looks.append(min(samples, 2 * looks[-1]))
    return tuple(looks)


def null_samples(samples: int, step: int) -> int:
    """Return on how many samples null directions are moved at `all`: half of K, at least 32, whole batches.

    Their spread is mostly that of directions, to which more samples add little; the rest is allowed for by
    `extra_variance`.

    >>> null_samples(128, 16), null_samples(500, 16), null_samples(24, 16)
    (64, 256, 24)
    """
    wanted = max(2 * SMALLEST, -(-samples // 2))
    return min(samples, -(-wanted // step) * step)


def spending(looks: Sequence[int], power: float = POWER) -> Floats:
    """Return the share of the error rate that each look spends.

        v_k = t_k^power - t_{k-1}^power,    t_k = n_k / n_last

    This is the family of spending functions of Kim and DeMets (1987). The shares sum to 1. Power 3 keeps most
    of the error rate for the last look, like O'Brien and Fleming's function; power 1 spends in proportion to
    the samples.

    Args:
        looks: number of samples n_k at each look, ascending.
        power: exponent, above 0.

    >>> spending((16, 32, 64, 128), 1.0).tolist()
    [0.125, 0.125, 0.25, 0.5]
    >>> spending((16, 32, 64, 128)).round(3).tolist()
    [0.002, 0.014, 0.109, 0.875]
    """
    t = np.asarray(looks, dtype=np.float64) / looks[-1]
    return np.diff(t**power, prepend=0.0)


def sequential_p(p: Floats, weights: Floats, taken: NDArray[np.bool_]) -> Floats:
    """Combine the p values of all looks taken into one that is valid for any stopping rule.

        p = min(1, min over looks taken of p_k / v_k)

    By Bonferroni's inequality P(min_k p_k / v_k <= a) <= sum_k v_k a = a, however the looks depend on each
    other. The combined p value can only fall as more looks are taken.

    Args:
        p: p value of each look, (looks, ...); NaN where the effect is undefined.
        weights: share v_k of the error rate of each look (`spending`), broadcast against p.
        taken: whether each look was taken, broadcast against p.

    Returns:
        Combined p values, (...); NaN where no look taken has a p value.
    """
    adjusted = np.where(taken & ~np.isnan(p), p / weights, np.inf)
    least = adjusted.min(axis=0)
    return np.where(np.isinf(least), np.nan, np.minimum(least, 1.0))


def half_width(changes: Floats, confidence: float = 0.95) -> Floats:
    """Return half the width of Student's interval of mean changes (..., K), as (...).

    NaN changes are left out. The width is infinite with fewer than two defined changes.
    """
    valid = ~np.isnan(changes)
    count = valid.sum(axis=-1)
    least = np.maximum(count, 2)
    known = np.where(valid, changes, 0.0)
    mean = known.sum(axis=-1) / np.maximum(count, 1)
    squares = (np.where(valid, changes - mean[..., None], 0.0) ** 2).sum(axis=-1)
    half = t_quantile(0.5 + confidence / 2.0, least - 1) * np.sqrt(squares / (least - 1) / least)
    return np.where(count < 2, np.inf, half)
