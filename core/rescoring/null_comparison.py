"""Compare effects with the null distribution of random directions (method B). Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..statistics import benjamini_hochberg, mean_p_value, null_moments, null_p_value, rank_p_value
from .sums import Moments

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NullComparison:
    """Hold p values, ranks, and number of defined null effects, each (B, S, 2, C); NaN backwards."""

    p: Floats
    rank: Floats
    count: Floats


def compare_with_null(moments: Moments, null_mean: Floats, own: NDArray[np.int64]) -> NullComparison:
    """Compare mean changes with those of null directions: one-sided for own concepts, two-sided elsewhere.

        p = max( p against the null directions, p of Student's test of the mean against zero )

    The first p (`null_p_value`) asks whether the effect is that of a random direction, the second
    (`mean_p_value`) whether it is the chance of the samples. An effect must pass both, and the larger of two
    p values is valid for "one of the two is true" (Berger, Technometrics 24, 1982). The second matters where
    scores jump: if all null directions leave a category unchanged in the samples at hand, their spread is
    next to nothing, and the first p is far too small.

    Args:
        moments: of the boundaries, each (B, S, 2, C).
        null_mean: mean changes of the null directions, (R, S, C).
        own: column of each boundary's concept, (B,).
    """
    mean, error, number = (x[:, :, 0] for x in (moments.mean, moments.error, moments.count))  # (B, S, C)
    p, rank, count = (np.full(moments.mean.shape, np.nan) for _ in range(3))
    p[:, :, 0] = np.maximum(
        null_p_value(mean, null_mean, two_sided=True),
        mean_p_value(mean, error, number, two_sided=True),
    )
    at = (np.arange(len(own)), slice(None), own)  # (B, S)
    own_p = mean_p_value(mean[at], error[at], number[at], two_sided=False)
    for i, j in enumerate(own):
        p[i, :, 0, j] = np.maximum(null_p_value(mean[i, :, j], null_mean[:, :, j], two_sided=False), own_p[i])
        rank[i, :, 0] = rank_p_value(mean[i], null_mean)
    count[:, :, 0] = null_moments(null_mean)[0]
    return NullComparison(p, rank, count)


def q_values(p: Floats, own: NDArray[np.int64], all_set: int) -> Floats:
    """Return q values (B, S, 2, C): of own concepts at each layer set, and of all other pairs at `all`."""
    q = np.full(p.shape, np.nan)
    rows = np.arange(len(own))
    for s in range(p.shape[1]):
        q[rows, s, 0, own] = benjamini_hochberg(p[rows, s, 0, own])
    others = np.ones((len(own), p.shape[3]), dtype=bool)
    others[rows, own] = False
    q[:, all_set, 0][others] = benjamini_hochberg(p[:, all_set, 0][others])
    return q
