"""Compute effects with intervals from sums, and decide which are variation factors (method B). Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import total_interval
from ..statistics import mean_interval, skewed_interval
from .interim import sequential_p, spending
from .null_comparison import NullComparison, by_layers, compare_with_null, extra_variance, q_values
from .sums import LookSums, Moments, Sums, moments_of, null_means

Floats = NDArray[np.float64]

CELLS = 2**18  # effects that are computed together

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
        p: p value against the null distribution and against zero (`compare_with_null`): one-sided for the
            own concept, two-sided elsewhere; NaN for the negative step.
        rank: rank among the null directions (`rank_p_value`), not corrected; NaN for the negative step.
        q: p after Benjamini and Hochberg's correction, over the own concepts at each layer set, and
            separately over all other pairs at the set `all`; NaN elsewhere. See `q_values` for targets.
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
    ways: NDArray[np.int64] | None = None,
    kind: NDArray[np.int64] | None = None,
) -> EffectArrays:
    """Compute effects from sums over all samples.

    Args:
        sums: FIELDS of the boundaries, (B, S, 2, C, 5); NaN where one was not moved.
        null: FIELDS of the null directions at the positive step, moved at each of G sets of layers that
            boundaries have (`null_layers`), (G, R, S, C, 5).
        own_changes: each boundary's changes of its own concept, (B, S, 2, K).
        own: column of each boundary's concept, (B,).
        samples: K.
        unit: divisor of `in_sd` for each concept, max(sd, least), (C,).
        all_set: position of the layer set `all` on axis 1.
        ways: as for `q_values`.
        kind: which of the G null directions each boundary is compared with, (B,); None for the first.
    """
    kind = np.zeros(len(own), dtype=np.int64) if kind is None else kind
    null_mean = [null_means(each) for each in null]  # (R, S, C) each
    effects = _empty(sums.shape[:-1])
    # Boundaries do not depend on each other but for q, and some at a time need little memory besides.
    some = max(1, CELLS // max(math.prod(sums.shape[1:-1]), 1))
    for start in range(0, len(own), some):
        part = slice(start, start + some)
        moved = ~np.isnan(sums[part, ..., :1, 0])  # (b, S, 2, 1)
        moments = moments_of(np.where(moved[..., None], sums[part], 0.0))
        low, high = mean_interval(moments.mean, moments.error, moments.count)
        rows = np.arange(len(low))
        low[rows, :, :, own[part]], high[rows, :, :, own[part]] = skewed_interval(own_changes[part])
        comparison = _by_kind(moments, null_mean, own[part], kind[part])
        _fill(effects, part, moments, (low, high), comparison, samples=samples * moved, unit=unit)
    return replace(effects, q=q_values(effects.p, own, all_set, ways))


def effects_of_looks(
    sums: LookSums,
    own: NDArray[np.int64],
    *,
    looks: Sequence[int],
    step: int,
    unit: Floats,
    all_set: int,
    ways: NDArray[np.int64] | None = None,
    kind: NDArray[np.int64] | None = None,
) -> EffectArrays:
    """Compute effects where each boundary stopped at its own interim analysis (look) at each layer set.

    At the set `all`, where decisions fall, the p value combines all looks taken (`sequential_p`), and the
    interval of the forward step is Student's at the level 1 - 0.05 v_k, with v_k the share of the error rate
    of the last look taken (`spending`). At other sets boundaries are compared with the null directions once,
    at the first of `layer_looks`. Sampling stops there for precision, so the interval is Student's at 95 %,
    and so is that of backward steps, which stop nothing.

    Args:
        sums: of the boundaries, and of null directions moved at each of G sets of layers that boundaries
            have, on the first samples of the boundaries: at `all`
            `null_samples` of them, at other sets the first look.
        own: column of each boundary's concept, (B,).
        looks: number of samples at each look at `all`, ascending.
        step: samples in a batch.
        unit: divisor of `in_sd` for each concept, max(sd, least), (C,).
        all_set: position of the layer set `all`.
        ways: as for `q_values`.
        kind: which of the G null directions each boundary is compared with, (B,); None for the first.
    """
    count = len(own)
    forwards, backwards = (sums.used(looks[-1], step, sign)[:count] for sign in (0, 1))  # each (B, S)
    kind = np.zeros(count, dtype=np.int64) if kind is None else kind
    comparison = _compared(sums.first, sums.null_first, own, kind)
    by_look = [
        _compared(at_look[:, None], sums.null_at_all[:, :, : -(-look // step)], own, kind)  # (B, 1, 2, C)
        for look, at_look in zip(looks, sums.at_all, strict=True)
    ]
    taken = np.asarray(looks)[:, None] <= forwards[:, all_set]  # (looks, B)
    last = np.maximum(taken.sum(axis=0) - 1, 0)  # (B,)
    shares = spending(looks)
    p = sequential_p(
        np.stack([look.p for look in by_look]),
        shares[:, None, None, None, None],
        taken[:, :, None, None, None],
    )
    at_last = (last, np.arange(count))
    comparison.p[:, all_set] = p[:, 0]
    comparison.rank[:, all_set] = np.stack([look.rank for look in by_look])[at_last][:, 0]
    comparison.count[:, all_set] = np.stack([look.count for look in by_look])[at_last][:, 0]
    moments = moments_of(sums.total[:count])
    effects = _empty(moments.mean.shape)
    low, high = mean_interval(moments.mean, moments.error, moments.count)
    for i in range(count):
        at = (i, all_set, 0)
        confidence = 1.0 - 0.05 * shares[last[i]]
        low[at], high[at] = mean_interval(moments.mean[at], moments.error[at], moments.count[at], confidence)
    used = np.stack([forwards, backwards], axis=2)[..., None]
    _fill(effects, slice(None), moments, (low, high), comparison, samples=used, unit=unit)
    return replace(effects, q=q_values(effects.p, own, all_set, ways))


def _compared(sums: Floats, null: Floats, own: NDArray[np.int64], kind: NDArray[np.int64]) -> NullComparison:
    """Compare boundaries with null directions at a look.

    Args:
        sums: FIELDS of the boundaries up to the look, (B, S, 2, C, 5).
        null: count and sum of the null directions by batch, up to the look, (G, R, n, S, C, 2).
        own: column of each boundary's concept, (B,).
        kind: which of the G null directions each boundary is compared with, (B,).
    """
    moments = moments_of(sums)

    def against(g: int, rows: NDArray[np.int64]) -> NullComparison:
        some = moments.of(rows)
        extra = extra_variance(null[g], some.count[:, :, 0])
        return compare_with_null(some, null_means(np.nansum(null[g], axis=1)), own[rows], extra)

    return by_layers(kind, against)


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


def _by_kind(
    moments: Moments, null_mean: Sequence[Floats], own: NDArray[np.int64], kind: NDArray[np.int64]
) -> NullComparison:
    """Compare b boundaries each with its null directions, of which `null_mean` has G."""
    return by_layers(kind, lambda g, rows: compare_with_null(moments.of(rows), null_mean[g], own[rows]))


def _empty(shape: tuple[int, ...]) -> EffectArrays:
    """Return arrays of NaN, to be filled."""
    return EffectArrays(**{field.name: np.full(shape, np.nan) for field in fields(EffectArrays)})


def _fill(
    effects: EffectArrays,
    rows: slice,
    moments: Moments,
    interval: tuple[Floats, Floats],
    comparison: NullComparison,
    *,
    samples: NDArray[np.int64],
    unit: Floats,
) -> None:
    """Write the effects of b boundaries; q and the intervals over learning samples are not known yet.

    Args:
        effects: of all boundaries.
        rows: these b of them.
        moments: of their changes, each (b, S, 2, C).
        interval: low and high of the means.
        comparison: with the null directions.
        samples: number of samples moved, (b, S, 2, 1).
        unit: divisor of `in_sd` for each concept, (C,).
    """
    effects.count[rows], effects.mean[rows], effects.error[rows] = moments.count, moments.mean, moments.error
    effects.low[rows], effects.high[rows] = interval
    effects.clipped[rows], effects.made_undefined[rows] = moments.clipped, moments.made_undefined
    effects.undefined[rows] = samples - moments.count
    effects.in_sd[rows] = moments.mean / unit
    effects.p[rows], effects.rank[rows] = comparison.p, comparison.rank
    effects.null_count[rows] = comparison.count


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


def effects_from(
    measured: Sums,
    own: NDArray[np.int64],
    kinds: int,
    *,
    samples: int,
    unit: Floats,
    all_set: int,
    ways: NDArray[np.int64],
    kind: NDArray[np.int64],
) -> tuple[EffectArrays, Floats, NDArray[np.int64]]:
    """Compute effects from sums, with looks or without.

    Args:
        measured: the sums.
        own: column of each boundary's concept, (B,).
        kinds: number G of sets of layers that boundaries have.
        samples: K, the most samples taken.
        unit: divisor of each concept's changes, (C,).
        all_set: position of the layer set `all`.
        ways: see `ways_of_choice`.
        kind: which of the G each boundary is compared with, (B,).

    Returns:
        The effects, the sums over all samples (B + G R, S, 2, C, 5), and the number of samples that each
        direction was moved on at each layer set, (B + G R, S).
    """
    if isinstance(measured.sums, LookSums):
        arrays = effects_of_looks(
            measured.sums,
            own,
            looks=measured.looks,
            step=measured.batch,
            unit=unit,
            all_set=all_set,
            ways=ways,
            kind=kind,
        )
        return arrays, measured.sums.total, measured.sums.used(samples, measured.batch)
    sums, count = measured.sums, len(own)
    arrays = effects_of(
        sums[:count],
        by_kinds(sums[count:, :, 0], kinds),
        measured.changes,
        own,
        samples=samples,
        unit=unit,
        all_set=all_set,
        ways=ways,
        kind=kind,
    )
    return arrays, sums, np.full(sums.shape[:2], samples)


def by_kinds(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Return values of null directions (G R, ...) by the set of layers that they move, (G, R, ...)."""
    return values.reshape(count, -1, *values.shape[1:])
