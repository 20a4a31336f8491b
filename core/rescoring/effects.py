"""From the raw sums of re-scoring to effects with intervals, p and q values (method B). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import total_interval
from ..statistics import (
    benjamini_hochberg,
    mean_interval,
    null_moments,
    null_p_value,
    rank_p_value,
    skewed_interval,
)
from .interim import AT_ALL, ELSEWHERE, sequential_p, spending

Floats = NDArray[np.float64]

FIELDS = ("count", "sum", "squares", "clipped", "made_undefined")
"""What is summed over samples for every direction, layer set, sign and concept."""

SIGNS = (1.0, -1.0)


def sums_of(baseline: NDArray[np.float32], edited: NDArray[np.float32]) -> Floats:
    """FIELDS of the changes from baseline to edited scores (K, C): (C, 5). Pairs with a NaN are left out."""
    changes = edited.astype(np.float64) - baseline
    valid = ~np.isnan(changes)
    known = np.where(valid, changes, 0.0)
    lost = ~np.isnan(baseline) & np.isnan(edited)
    return np.stack(
        [valid.sum(0), known.sum(0), (known**2).sum(0), np.maximum(known, 0.0).sum(0), lost.sum(0)], axis=1
    )


@dataclass(frozen=True)
class EffectArrays:
    """Effects of B boundaries on C concepts at S layer sets; axis 2 is the sign of the step.

    Attributes:
        count: pairs of images that both have a score, (B, S, 2, C).
        mean, error, low, high: mean change, its standard error and 95 % interval. The interval allows for skewed
            changes where it is of a boundary's own concept, and is Student's elsewhere. It holds over other verification samples.
        clipped: the paper's figure, mean of max(change, 0).
        undefined, made_undefined: pairs left out; those whose score the edit made undefined.
        in_sd: mean over the larger of the concept's sd and its least; NaN where both are 0.
        p, rank: against the null of random directions; only for the positive step, else NaN.
        q: Benjamini-Hochberg over the own concepts at each layer set, and apart over all other
            pairs at the set `all`; NaN elsewhere.
        null_count: how many null directions have an effect on the concept that is defined, and so
            stand behind p and rank; NaN for the negative step.
        low_total, high_total: 95 % interval that holds over other learning samples as well, of a boundary's
            own concept at the set `all` and the positive step; NaN elsewhere, and where no boundary was learnt again.
    """

    count: Floats
    mean: Floats
    error: Floats
    low: Floats
    high: Floats
    clipped: Floats
    undefined: Floats
    made_undefined: Floats
    in_sd: Floats
    p: Floats
    rank: Floats
    q: Floats
    null_count: Floats
    low_total: Floats
    high_total: Floats


def effects_of(
    sums: Floats,
    null: Floats,
    own_changes: Floats,
    own: NDArray[np.int64],
    *,
    samples: int,
    unit: Floats,
    all_set: int,
) -> EffectArrays:
    """Turn sums into effects.

    Args:
        sums: of the boundaries, (B, S, 2, C, 5).
        null: of the null directions at the positive step, (R, S, C, 5).
        own_changes: each boundary's changes of its own concept, (B, S, 2, K).
        own: column of each boundary's concept, (B,).
        samples: K.
        unit: what a change is divided by for in_sd, (C,): the larger of sd and least.
        all_set: which layer set is `all`.
    """
    count, mean, error, clipped, made = _moments(sums)
    low, high = mean_interval(mean, error, count)
    rows = np.arange(len(own))
    low[rows, :, :, own], high[rows, :, :, own] = skewed_interval(own_changes)  # (B, S, 2)
    p, rank, null_count = _against(mean, null_means(null), own)
    return EffectArrays(
        count=count,
        mean=mean,
        error=error,
        low=low,
        high=high,
        clipped=clipped,
        undefined=samples - count,
        made_undefined=made,
        in_sd=mean / unit,
        p=p,
        rank=rank,
        q=_corrected(p, own, all_set),
        null_count=null_count,
        low_total=np.full(mean.shape, np.nan),
        high_total=np.full(mean.shape, np.nan),
    )


def effects_of_looks(
    sums: Floats,
    null: Floats,
    own: NDArray[np.int64],
    *,
    looks: Sequence[int],
    step: int,
    unit: Floats,
    all_set: int,
) -> EffectArrays:
    """Effects where each boundary stopped at a look of its own at each layer set.

    A p value is that of all looks taken together, and so is the interval at the set `all`, where
    decisions were taken: each look has its share of the error rate (core.rescoring.interim). At other sets
    sampling stops for precision, which leaves Student's interval as it is.

    Args:
        sums: of the boundaries by batch, (B, N, S, 2, C, 5); NaN where a batch was not moved.
        null: of the null directions at the positive step, (R, N, S, C, 5), as far as any boundary went.
        own: column of each boundary's concept, (B,).
        looks: samples at each of them.
        step: samples in a batch.
        unit: what a change is divided by for in_sd, (C,).
        all_set: which layer set is `all`.
    """
    reached = samples_used(sums, looks[-1], step)  # (B, S)
    done = np.asarray(looks)[:, None, None] <= reached  # (looks, B, S)
    taken: list[tuple[Floats, Floats, Floats]] = []
    for look in looks:
        batches = -(-look // step)
        mean = _moments(np.nansum(sums[:, :batches], axis=1))[1]
        taken.append(_against(mean, null_means(np.nansum(null[:, :batches], axis=1)), own))
    last = done.sum(axis=0) - 1  # (B, S)
    everywhere = np.arange(sums.shape[2]) == all_set
    weights = np.where(
        everywhere, spending(looks, AT_ALL)[:, None], spending(looks, ELSEWHERE)[:, None]
    )  # (looks, S)
    p = sequential_p(
        np.stack([p for p, _, _ in taken]), weights[:, None, :, None, None], done[..., None, None]
    )
    rank, null_count = (
        np.take_along_axis(np.stack([row[k] for row in taken]), last[None, :, :, None, None], axis=0)[0]
        for k in (1, 2)
    )
    count, mean, error, clipped, made = _moments(np.nansum(sums, axis=1))
    low, high = mean_interval(mean, error, count)
    for i in range(len(own)):
        share = weights[last[i, all_set], all_set]
        at = (i, all_set)
        low[at], high[at] = mean_interval(mean[at], error[at], count[at], 1.0 - 0.05 * share)
    return EffectArrays(
        count=count,
        mean=mean,
        error=error,
        low=low,
        high=high,
        clipped=clipped,
        undefined=reached[:, :, None, None] - count,
        made_undefined=made,
        in_sd=mean / unit,
        p=p,
        rank=rank,
        q=_corrected(p, own, all_set),
        null_count=null_count,
        low_total=np.full(mean.shape, np.nan),
        high_total=np.full(mean.shape, np.nan),
    )


def over_learning(
    effects: EffectArrays, error: Floats, freedom: NDArray[np.int64], own: NDArray[np.int64], *, all_set: int
) -> EffectArrays:
    """Add the intervals that hold over other learning samples too.

    Args:
        effects: with intervals over verification samples.
        error: of each boundary's effect at `all` due to the learning, (B,); NaN where it is not known.
        freedom: its degrees of freedom, (B,).
        own: column of each boundary's concept, (B,).
        all_set: which layer set is `all`.
    """
    at = (np.arange(len(own)), all_set, 0, own)
    low, high = effects.low_total.copy(), effects.high_total.copy()
    low[at], high[at] = total_interval(effects.mean[at], effects.low[at], effects.high[at], error, freedom)
    return replace(effects, low_total=low, high_total=high)


def samples_used(sums: Floats, samples: int, step: int) -> NDArray[np.int64]:
    """How many samples each direction was moved on at each layer set, (B, S), from sums by batch (B, N, S, 2, C, 5)."""
    batches = (~np.isnan(sums[:, :, :, 0, 0, 0])).sum(axis=1)
    return np.asarray(np.minimum(batches * step, samples))


def null_means(null: Floats) -> Floats:
    """Mean changes that null directions make, (R, ...), from their sums (R, ..., 5)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(null[..., 0] > 0, null[..., 1] / null[..., 0], np.nan)


def _moments(sums: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Count, mean, standard error, clipped mean and made_undefined from FIELDS on the last axis."""
    count, total, squares, clipped, made = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        variance = np.where(count > 1, (squares - count * mean**2) / (count - 1.0), np.nan)
        error = np.sqrt(np.maximum(variance, 0.0) / count)
    return count, mean, error, np.where(count > 0, clipped / np.maximum(count, 1.0), np.nan), made


def _against(mean: Floats, null_mean: Floats, own: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """P values and ranks of mean changes (B, S, 2, C) among those of null directions (R, S, C), and how many of these are defined."""
    p, rank, count = (np.full(mean.shape, np.nan) for _ in range(3))
    for i, j in enumerate(own):
        p[i, :, 0] = null_p_value(mean[i, :, 0], null_mean, two_sided=True)
        p[i, :, 0, j] = null_p_value(mean[i, :, 0, j], null_mean[:, :, j], two_sided=False)
        rank[i, :, 0] = rank_p_value(mean[i, :, 0], null_mean)
    count[:, :, 0] = null_moments(null_mean)[0]
    return p, rank, count


def _corrected(p: Floats, own: NDArray[np.int64], all_set: int) -> Floats:
    q = np.full(p.shape, np.nan)
    rows = np.arange(len(own))
    for s in range(p.shape[1]):
        q[rows, s, 0, own] = benjamini_hochberg(p[rows, s, 0, own])
    others = np.ones((len(own), p.shape[3]), dtype=bool)
    others[rows, own] = False
    q[:, all_set, 0][others] = benjamini_hochberg(p[:, all_set, 0][others])
    return q


def variation_factors(
    effects: EffectArrays, own: NDArray[np.int64], varies: NDArray[np.bool_], *, all_set: int, rate: float
) -> NDArray[np.bool_]:
    """Which boundaries are variation factors (B,): q < rate at all layers, concept varies, both intervals above zero.

    An interval over learning samples that is not known does not count against a boundary.
    """
    at = (np.arange(len(own)), all_set, 0, own)
    with np.errstate(invalid="ignore"):
        above = (effects.low[at] > 0.0) & ~(effects.low_total[at] <= 0.0)
        return np.asarray((effects.q[at] < rate) & above & varies[own])
