"""Which level of meaning settles in which layer: the paper's figure 3a and the mean depth (method B). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..statistics import bootstrap_means, bootstrap_weights, holm, interval, sample_means

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number, or several, with a 95 % bootstrap interval."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class OrderTests:
    """Whether one level sits before another, for every pair of M levels; the samples were resampled, the concepts were not.

    Attributes:
        difference: mean depth of the level of the column less that of the row, (M, M); NaN where either depth is.
        p: two-sided, 2 (n + 1) / (R + 1) with n of R resamplings on the rarer side of no difference, at most 1;
            R counts those in which both depths are defined.
        corrected: p after Holm's correction over all pairs that have one.
    """

    difference: Estimate
    p: Floats
    corrected: Floats

    @property
    def pairs(self) -> int:
        """How many were tested."""
        return int((~np.isnan(self.p)).sum()) // 2


@dataclass(frozen=True)
class Hierarchy:
    """Where levels and concepts sit, for F factors of M levels over L layers and G groups.

    Attributes:
        levels: their names, axis 0 of what follows.
        curve: mean change in sd units when one layer is moved, (M, L), over the factors of which it is known;
            NaN where it is of none.
        share: the curve cut at zero and normalised over the layers at which it is known, (M, L); rows sum to
            one, or are NaN where it is nowhere above zero.
        groups: the share summed by group, (M, G).
        depth: mean depth of each level, (M,), in layers, over the layers at which the curve is known; NaN where
            the interval of the summed effect holds zero.
        concept_curve, concept_depth: the same for each factor, (F, L) and (F,).
        earlier: probability that level a sits before level b, (M, M), over resamplings in which both have a depth.
        peak: how often each group holds the largest share of a level, (M, G), over all resamplings; a resampling
            without shares counts for no group.
        orders: the test that one level sits before another.
    """

    levels: tuple[str, ...]
    factors: tuple[str, ...]
    group_names: tuple[str, ...]
    curve: Estimate
    share: Estimate
    groups: Estimate
    depth: Estimate
    concept_curve: Estimate
    concept_depth: Estimate
    earlier: Floats
    peak: Floats
    orders: OrderTests


def mean_depth(means: Floats) -> Floats:
    """D = sum_l l m_l / sum_l m_l over the last axis of signed means (..., L); unknown layers are left out.

    Clipped means would be biased towards the middle: noise counts there as effect on every layer.
    NaN where no layer is known or the means add up to nothing.

    >>> float(mean_depth(np.array([0.0, 0.0, 2.0, 0.0])))
    2.0
    """
    known = np.nan_to_num(means)
    total = known.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((known @ np.arange(means.shape[-1])) / np.where(total == 0.0, np.nan, total))


def layer_share(means: Floats) -> Floats:
    """Means (..., L), zero where negative or unknown, normalised over layers; NaN if none is positive."""
    positive = np.maximum(np.nan_to_num(means), 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(positive / np.where(total == 0.0, np.nan, total))


def level_means(member: NDArray[np.float64], means: Floats) -> Floats:
    """Means of levels (..., M, L) from those of their factors (..., F, L), over the factors that have one; NaN where none has.

    Args:
        member: 1 where a factor is of a level, else 0, (M, F).
        means: NaN where unknown.
    """
    known = ~np.isnan(means)
    count = np.einsum("mf,...fl->...ml", member, known.astype(np.float64))
    total = np.einsum("mf,...fl->...ml", member, np.where(known, means, 0.0))
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)


def hierarchy_of(
    changes: Floats,
    names: Sequence[str],
    levels: Sequence[str],
    order: Sequence[str],
    groups: Mapping[str, tuple[int, ...]],
    *,
    bootstrap: int,
    seed: int,
) -> Hierarchy:
    """Levels and factors by layer, with intervals.

    Args:
        changes: of each factor's own concept in sd units when layer l alone is moved, (F, L, K).
        names: of the factors, (F,).
        levels: of the factors, (F,).
        order: in which levels are shown; those without a factor are left out.
        groups: named layer groups.
        bootstrap: resamplings over the K samples; all factors and layers are resampled together.
        seed: of the resamplings.
    """
    present = tuple(level for level in order if level in levels)
    member = np.array([[name == level for name in levels] for level in present], dtype=np.float64)  # (M, F)
    names_of_groups = tuple(groups)
    in_group = np.array(
        [[layer in groups[g] for g in names_of_groups] for layer in range(changes.shape[1])], dtype=np.float64
    )  # (L, G)
    point = sample_means(changes)[None]  # (1, F, L)
    replicas = bootstrap_means(changes, bootstrap_weights(changes.shape[2], bootstrap, seed))  # (R, F, L)

    def estimate(
        function: Callable[[Floats], Floats], point_means: Floats, replica_means: Floats
    ) -> Estimate:
        low, high = interval(function(replica_means))
        return Estimate(function(point_means)[0], low, high)

    def depth_of(point_means: Floats, replica_means: Floats) -> Estimate:
        # Where the effects of all layers may add up to nothing, their quotient can be any number.
        settled = interval(np.nan_to_num(replica_means).sum(axis=-1))[0] > 0.0
        found = estimate(mean_depth, point_means, replica_means)
        return Estimate(
            *(np.where(settled, numbers, np.nan) for numbers in (found.value, found.low, found.high))
        )

    level_point, level_replicas = level_means(member, point), level_means(member, replicas)
    depths = mean_depth(level_replicas)  # (R, M)
    depth = depth_of(level_point, level_replicas)
    shares = layer_share(level_replicas) @ in_group  # (R, M, G)
    largest = shares.max(axis=2, initial=-np.inf, keepdims=True)  # NaN where a level has no shares
    first = np.cumsum(shares == largest, axis=2) == 1
    return Hierarchy(
        levels=present,
        factors=tuple(names),
        group_names=names_of_groups,
        curve=estimate(lambda m: m, level_point, level_replicas),
        share=estimate(layer_share, level_point, level_replicas),
        groups=estimate(lambda m: layer_share(m) @ in_group, level_point, level_replicas),
        depth=depth,
        concept_curve=estimate(lambda m: m, point, replicas),
        concept_depth=depth_of(point, replicas),
        earlier=_earlier(depths),
        peak=((shares == largest) & first).mean(axis=0),
        orders=_orders(depth, depths),
    )


def _earlier(depths: Floats) -> Floats:
    """How often one depth lies before another, (M, M), among resamplings (R, M) in which both are defined; NaN where none is."""
    both = ~np.isnan(depths[:, :, None] + depths[:, None, :])
    before = (depths[:, :, None] < depths[:, None, :]).sum(axis=0)
    return np.where(both.any(axis=0), before / np.maximum(both.sum(axis=0), 1), np.nan)


def _orders(depth: Estimate, replicas: Floats) -> OrderTests:
    """The test of every pair, from the depths of levels (M,) and of their resamplings (R, M)."""
    difference = replicas[:, None, :] - replicas[:, :, None]  # (R, M, M)
    rarer = np.minimum((difference <= 0.0).sum(axis=0), (difference >= 0.0).sum(axis=0))
    defined = (~np.isnan(difference)).sum(axis=0)
    p = np.minimum(2.0 * (rarer + 1.0) / (defined + 1.0), 1.0)
    told = ~np.isnan(depth.value)
    p = np.where(told[:, None] & told[None, :] & ~np.eye(len(told), dtype=bool), p, np.nan)
    upper = np.triu_indices(len(told), 1)
    corrected = np.full(p.shape, np.nan)
    corrected[upper] = holm(p[upper])
    corrected.T[upper] = corrected[upper]
    value = np.where(np.isnan(p), np.nan, depth.value[None, :] - depth.value[:, None])
    low, high = (np.where(np.isnan(p), np.nan, bound) for bound in interval(difference))
    return OrderTests(Estimate(value, low, high), p, corrected)
