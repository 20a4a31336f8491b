"""Compare effects with the null distribution of random directions (method B). Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..statistics import benjamini_hochberg, mean_p_value, null_moments, null_p_value, rank_p_value
from .sums import Moments

Floats = NDArray[np.float64]

NO_NULL = (
    "without null directions (rescoring.null_directions: 0) there are no p and q values, "
    "and no effect is known to be more than chance"
)


@dataclass(frozen=True)
class NullComparison:
    """Hold p values, ranks, and number of defined null effects, each (B, S, 2, C); NaN backwards."""

    p: Floats
    rank: Floats
    count: Floats


def by_layers(
    kind: NDArray[np.int64], compare: Callable[[int, NDArray[np.int64]], NullComparison]
) -> NullComparison:
    """Compare each boundary with the null directions that are moved at its own layers.

    Args:
        kind: position of each boundary's null directions, (B,), from `null_layers`.
        compare: called with a position and the rows of its boundaries; compares these alone.
    """
    parts = [(rows, compare(int(g), rows)) for g in np.unique(kind) for rows in [np.flatnonzero(kind == g)]]
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    p, rank, count = (
        np.concatenate([getattr(part, name) for _, part in parts])[order] for name in ("p", "rank", "count")
    )
    return NullComparison(p, rank, count)


class ExtraVariance(NamedTuple):
    """Hold the estimated variance that `extra_variance` describes and its degrees of freedom, (B, S, C)."""

    variance: Floats
    freedom: Floats


def compare_with_null(
    moments: Moments, null_mean: Floats, own: NDArray[np.int64], extra: ExtraVariance | None = None
) -> NullComparison:
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
        extra: `extra_variance` of null directions that were moved on fewer samples.
    """
    mean, error, number = (x[:, :, 0] for x in (moments.mean, moments.error, moments.count))  # (B, S, C)
    p, rank, count = (np.full(moments.mean.shape, np.nan) for _ in range(3))
    variance, freedom = (np.zeros(mean.shape), np.ones(mean.shape)) if extra is None else extra
    p[:, :, 0] = np.maximum(
        null_p_value(mean, null_mean, two_sided=True, extra=variance, extra_freedom=freedom),
        mean_p_value(mean, error, number, two_sided=True),
    )
    at = (np.arange(len(own)), slice(None), own)  # (B, S)
    own_p = mean_p_value(mean[at], error[at], number[at], two_sided=False)
    for i, j in enumerate(own):
        against_null = null_p_value(
            mean[i, :, j],
            null_mean[:, :, j],
            two_sided=False,
            extra=variance[i, :, j],
            extra_freedom=freedom[i, :, j],
        )
        p[i, :, 0, j] = np.maximum(against_null, own_p[i])
        rank[i, :, 0] = rank_p_value(mean[i], null_mean)
    count[:, :, 0] = null_moments(null_mean)[0]
    return NullComparison(p, rank, count)


def extra_variance(null: Floats, count: Floats) -> ExtraVariance:
    """Return the variance that a comparison misses if null directions have fewer samples than a boundary.

    Let a change be mu_r + c_k + e_rk: of the direction, of the sample for all directions alike, and of both.
    The R null directions have the first m samples of a boundary that has n. Over directions and samples

        Var(m - m0) = (1 + 1/R) E s0^2 + (Var c - Var e) (1/m - 1/n)

    with the effect m of a boundary that is no better than chance, and mean m0 and standard deviation s0 of
    the null effects. With m = n the noise c of the samples cancels. Otherwise the last term is missing from
    s0^2, unless Var c < Var e: then s0^2 is too large already, and p errs on the safe side. Var c and Var e
    are estimated by two-way analysis of variance over directions and batches.

    Args:
        null: FIELDS of the null directions by batch, or count and sum alone, (R, N, S, C, 5 or 2); NaN or 0
            where a batch was not moved.
        count: number of samples n of the boundaries, (B, S, C).

    Returns:
        max(Var c - Var e, 0) (1/m - 1/n), 0 where n is at most m; and N - 1, the degrees of freedom of Var c.
    """
    number = np.nan_to_num(null[..., 0])  # (R, N, S, C)
    common = (number > 0).all(axis=0)  # (N, S, C): batches in which every direction has a score
    batches, directions = common.sum(axis=0), len(null)  # (S, C)
    means = np.where(common, np.nan_to_num(null[..., 1]) / np.maximum(number, 1.0), 0.0)
    samples = number.sum(axis=1).mean(axis=0)  # m, (S, C)
    freedom = np.maximum(batches - 1, 1)
    by_batch = means.mean(axis=0)  # (N, S, C)
    by_direction = means.sum(axis=1, keepdims=True) / np.maximum(batches, 1)  # (R, 1, S, C)
    centre = by_direction.mean(axis=0)
    between = np.where(common, by_batch - centre, 0.0)
    left = np.where(common, means - by_direction - by_batch + centre, 0.0)
    rows = max(directions - 1, 1)
    of_samples = directions * (between**2).sum(axis=0) / freedom  # mean square, (S, C)
    of_both = (left**2).sum(axis=(0, 1)) / (freedom * rows)
    size = (number * common).sum(axis=(0, 1)) / np.maximum(directions * batches, 1)  # samples in a batch
    excess = size * ((of_samples - of_both) / directions - of_both)  # Var c - Var e
    with np.errstate(divide="ignore"):
        fewer = np.maximum(1.0 / samples - 1.0 / np.maximum(count, 1.0), 0.0)
    variance = np.where(fewer > 0.0, np.maximum(excess, 0.0) * fewer, 0.0)
    return ExtraVariance(variance, np.broadcast_to(freedom, variance.shape).astype(np.float64))


def q_values(
    p: Floats, own: NDArray[np.int64], all_set: int, ways: NDArray[np.int64] | None = None
) -> Floats:
    """Return q values (B, S, 2, C): of own concepts at each layer set, and of all other pairs at `all`.

    Args:
        p: p values, (B, S, 2, C).
        own: column of each boundary's concept, (B,).
        all_set: position of the layer set `all`.
        ways: from how many concepts and senses each own concept was chosen, (B,), by which its p is
            multiplied first (Bonferroni); None for concepts that were not chosen.
    """
    q = np.full(p.shape, np.nan)
    rows = np.arange(len(own))
    for s in range(p.shape[1]):
        chosen = p[rows, s, 0, own] * (1 if ways is None else ways)
        q[rows, s, 0, own] = benjamini_hochberg(np.minimum(chosen, 1.0))
    others = np.ones((len(own), p.shape[3]), dtype=bool)
    others[rows, own] = False
    q[:, all_set, 0][others] = benjamini_hochberg(p[:, all_set, 0][others])
    return q
