"""Compute effects with intervals, p values and q values from the sums of re-scoring (method B). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
"""The sums over samples kept for every direction, layer set, sign and concept: see `sums_of`."""

SIGNS = (1.0, -1.0)
BACKWARD = ("all", "everywhere", "none")


def moved_backwards(backward: str, sets: Iterable[str]) -> tuple[bool, ...]:
    """At which layer sets boundaries are moved backwards as well as forwards, (S,).

    Args:
        backward: `all` for the set `all` alone, `everywhere` or `none`.
        sets: names of the layer sets.

    >>> moved_backwards("all", ["0", "all"]), moved_backwards("everywhere", ["0", "all"])
    ((False, True), (True, True))
    """
    return tuple(backward == "everywhere" or (backward == "all" and name == "all") for name in sets)


def sums_of(baseline: NDArray[np.float32], edited: NDArray[np.float32]) -> Floats:
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


@dataclass(frozen=True)
class EffectArrays:
    """Hold the effects of B boundaries on C concepts at S layer sets, each array (B, S, 2, C).

    Axis 2 is the sign of the step: 0 forwards, 1 backwards. delta_k is the change of the score of sample k.

    Attributes:
        count: number of samples whose score is defined before and after the edit; 0 where a boundary
            was not moved.
        mean: the signed effect, mean of delta_k.
        error: standard error of the mean.
        low, high: 95 % interval of the mean over verification samples. For a boundary's own concept it allows
            for skewed changes (`skewed_interval`); elsewhere it is Student's.
        clipped: the paper's score, mean of max(delta_k, 0) (Yang, Shen and Zhou 2021, section 2.2, eq. 1). It
            is above zero even for pure noise.
        undefined: number of samples left out because a score is NaN; 0 where a boundary was not moved.
        made_undefined: number of samples whose score was defined before the edit and is NaN after it.
        in_sd: mean / max(sd, least) of the concept; NaN where both are 0.
        p: p value against the null distribution of random directions (`null_p_value`): one-sided for the own
            concept, two-sided elsewhere; NaN for the negative step.
        rank: rank among the null directions (`rank_p_value`), not corrected; NaN for the negative step.
        q: p after Benjamini and Hochberg's correction, over the own concepts at each layer set, and
            separately over all other pairs at the set `all`; NaN elsewhere.
        null_count: number of null directions with a defined effect, on which p and rank rest; NaN for the
            negative step.
        low_total, high_total: 95 % interval over learning samples as well, for a boundary's own concept at
            the set `all` and the positive step; NaN elsewhere, and where no boundary was learnt again.
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
    """Compute effects from sums over all samples.

    Args:
        sums: FIELDS of the boundaries, (B, S, 2, C, 5); NaN where one was not moved.
        null: FIELDS of the null directions at the positive step, (R, S, C, 5).
        own_changes: each boundary's changes of its own concept, (B, S, 2, K).
        own: column of each boundary's concept, (B,).
        samples: K.
        unit: divisor of `in_sd` for each concept, max(sd, least), (C,).
        all_set: position of the layer set `all` on axis 1.
    """
    moved = ~np.isnan(sums[..., :1, 0])  # (B, S, 2, 1)
    count, mean, error, clipped, made_undefined = _moments(np.where(moved[..., None], sums, 0.0))
    low, high = mean_interval(mean, error, count)
    rows = np.arange(len(own))
    low[rows, :, :, own], high[rows, :, :, own] = skewed_interval(own_changes)  # (B, S, 2)
    p, rank, null_count = _compare_with_null(mean, null_means(null), own)
    return EffectArrays(
        count=count,
        mean=mean,
        error=error,
        low=low,
        high=high,
        clipped=clipped,
        undefined=samples * moved - count,
        made_undefined=made_undefined,
        in_sd=mean / unit,
        p=p,
        rank=rank,
        q=_q_values(p, own, all_set),
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
    """Compute effects where each boundary stopped at its own interim analysis (look) at each layer set.

    The p value combines all looks taken (`sequential_p`). At the set `all`, where decisions fall, the
    interval is Student's at the level 1 - 0.05 v_k, with v_k the share of the error rate of the last look
    taken (`spending`). At other sets sampling stops for precision, so the interval is Student's at 95 %.

    Args:
        sums: FIELDS of the boundaries by batch, (B, N, S, 2, C, 5); NaN where a batch was not moved.
        null: FIELDS of the null directions at the positive step, (R, N, S, C, 5), as far as any boundary
            went.
        own: column of each boundary's concept, (B,).
        looks: number of samples at each look, ascending.
        step: samples in a batch.
        unit: divisor of `in_sd` for each concept, max(sd, least), (C,).
        all_set: position of the layer set `all`.
    """
    reached = samples_used(sums, looks[-1], step)  # (B, S)
    taken = np.asarray(looks)[:, None, None] <= reached  # (looks, B, S)
    by_look: list[tuple[Floats, Floats, Floats]] = []
    for look in looks:
        batches = -(-look // step)
        mean = _moments(np.nansum(sums[:, :batches], axis=1))[1]
        by_look.append(_compare_with_null(mean, null_means(np.nansum(null[:, :batches], axis=1)), own))
    last = taken.sum(axis=0) - 1  # (B, S)
    is_all = np.arange(sums.shape[2]) == all_set
    weights = np.where(
        is_all, spending(looks, AT_ALL)[:, None], spending(looks, ELSEWHERE)[:, None]
    )  # (looks, S)
    p = sequential_p(
        np.stack([p for p, _, _ in by_look]), weights[:, None, :, None, None], taken[..., None, None]
    )
    rank, null_count = (
        np.take_along_axis(np.stack([row[k] for row in by_look]), last[None, :, :, None, None], axis=0)[0]
        for k in (1, 2)
    )
    moved = ~np.isnan(sums[..., :1, 0]).all(axis=1)  # (B, S, 2, 1)
    count, mean, error, clipped, made_undefined = _moments(np.nansum(sums, axis=1))
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
        undefined=reached[:, :, None, None] * moved - count,
        made_undefined=made_undefined,
        in_sd=mean / unit,
        p=p,
        rank=rank,
        q=_q_values(p, own, all_set),
        null_count=null_count,
        low_total=np.full(mean.shape, np.nan),
        high_total=np.full(mean.shape, np.nan),
    )


def over_learning(
    effects: EffectArrays, error: Floats, freedom: NDArray[np.int64], own: NDArray[np.int64], *, all_set: int
) -> EffectArrays:
    """Return the effects with the intervals over learning samples filled in (`total_interval`).

    Args:
        effects: with intervals over verification samples.
        error: standard error of each boundary's effect at `all` due to learning, (B,); NaN where unknown.
        freedom: degrees of freedom of `error`, (B,).
        own: column of each boundary's concept, (B,).
        all_set: position of the layer set `all`.
    """
    at = (np.arange(len(own)), all_set, 0, own)
    low, high = effects.low_total.copy(), effects.high_total.copy()
    low[at], high[at] = total_interval(effects.mean[at], effects.low[at], effects.high[at], error, freedom)
    return replace(effects, low_total=low, high_total=high)


def samples_used(sums: Floats, samples: int, step: int) -> NDArray[np.int64]:
    """Return how many samples each direction was moved on at each layer set, (B, S).

    Args:
        sums: FIELDS by batch, (B, N, S, 2, C, 5); NaN where a batch was not moved.
        samples: K, the most there are.
        step: samples in a batch; the last batch may be smaller.
    """
    batches = (~np.isnan(sums[:, :, :, 0, 0, 0])).sum(axis=1)
    return np.asarray(np.minimum(batches * step, samples))


def null_means(null: Floats) -> Floats:
    """Return mean changes of null directions, (R, ...), from FIELDS (R, ..., 5); NaN where none is known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(null[..., 0] > 0, null[..., 1] / null[..., 0], np.nan)


def _moments(sums: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return count, mean, standard error, clipped mean and made_undefined, each (...), from FIELDS."""
    count, total, squares, clipped, made_undefined = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        variance = np.where(count > 1, (squares - count * mean**2) / (count - 1.0), np.nan)
        error = np.sqrt(np.maximum(variance, 0.0) / count)
    return count, mean, error, np.where(count > 0, clipped / np.maximum(count, 1.0), np.nan), made_undefined


def _compare_with_null(
    mean: Floats, null_mean: Floats, own: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Compare mean changes (B, S, 2, C) with those of null directions (R, S, C).

    Returns:
        p values, ranks, and number of defined null effects, each (B, S, 2, C); NaN for the negative step.
    """
    p, rank, count = (np.full(mean.shape, np.nan) for _ in range(3))
    for i, j in enumerate(own):
        p[i, :, 0] = null_p_value(mean[i, :, 0], null_mean, two_sided=True)
        p[i, :, 0, j] = null_p_value(mean[i, :, 0, j], null_mean[:, :, j], two_sided=False)
        rank[i, :, 0] = rank_p_value(mean[i, :, 0], null_mean)
    count[:, :, 0] = null_moments(null_mean)[0]
    return p, rank, count


def _q_values(p: Floats, own: NDArray[np.int64], all_set: int) -> Floats:
    """Return q values (B, S, 2, C): of own concepts at each layer set, and of all other pairs at `all`."""
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
    """Decide which boundaries are variation factors, (B,).

    A boundary is one if, for its own concept at the set `all`, q < rate, the concept varies, and both
    intervals (over verification samples, and over learning samples too) lie above zero. An unknown interval
    over learning samples does not count against a boundary.

    Args:
        effects: of all boundaries.
        own: column of each boundary's concept, (B,).
        varies: whether each concept varies, (C,).
        all_set: position of the layer set `all`.
        rate: false discovery rate, in (0, 1).
    """
    at = (np.arange(len(own)), all_set, 0, own)
    with np.errstate(invalid="ignore"):
        above = (effects.low[at] > 0.0) & ~(effects.low_total[at] <= 0.0)
        return np.asarray((effects.q[at] < rate) & above & varies[own])
