"""Estimate which layers decide which level of meaning (method B).

The curves are those of figure 3a of the paper (Yang, Shen and Zhou 2021). The mean depth sums them up in one
number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..figures.figure import Figure
from ..figures.notebook import data_frame, html_table
from ..plugins.arguments import require
from ..statistics import bootstrap_means, bootstrap_weights, holm, interval, sample_means
from .hierarchy_charts import layer_curves

if TYPE_CHECKING:
    from pandas import DataFrame

    from .results import Effects

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Hold an array of estimates with their 95 % bootstrap intervals, all of one shape."""

    value: Floats
    low: Floats
    high: Floats


class CurveRow(TypedDict):
    """Hold the point of a level's curve at one layer, with its 95 % interval.

    Attributes:
        level, layer: name of the level, and number of the layer.
        mean_in_sd: mean effect of moving this layer alone, in sd units.
        low, high: interval of the mean.
        share: share of the layer in the level's effect (`layer_share`).
    """

    level: str
    layer: int
    mean_in_sd: float
    low: float
    high: float
    share: float


@dataclass(frozen=True)
class OrderTests:
    """Hold bootstrap tests of whether two of M levels have the same mean depth, for every pair.

    Samples are resampled, concepts are not: the tests are about these concepts.

    Attributes:
        difference: mean depth of the column's level minus that of the row's, (M, M); NaN where either is NaN.
        p: two-sided p value, min(2 (n + 1) / (R + 1), 1), (M, M). Of the R resamplings in which both depths
            are defined, n lie on the rarer side of zero difference.
        corrected: p after Holm's correction over all pairs that have one, (M, M).
    """

    difference: Estimate
    p: Floats
    corrected: Floats

    @property
    def pairs(self) -> int:
        """Number of pairs tested."""
        return int((~np.isnan(self.p)).sum()) // 2


@dataclass(frozen=True)
class Hierarchy:
    """Hold the layers at which levels and concepts act, for F factors of M levels over L layers and G groups.

    Attributes:
        levels: names of the levels, (M,).
        factors: names of the variation factors, (F,).
        group_names: names of the layer groups, (G,).
        curve: mean change in sd units when one layer alone is moved, (M, L), averaged over the level's
            factors; NaN where no factor has one.
        share: share of each layer in the level's effect (`layer_share`), (M, L). Rows sum to one, or are NaN
            where the curve is nowhere above zero.
        groups: the share summed over the layers of each group, (M, G).
        depth: mean depth of each level in layers (`mean_depth`), (M,); NaN where the interval of the summed
            effect contains zero.
        concept_curve, concept_depth: curve and depth of each factor, (F, L) and (F,).
        earlier: share of resamplings in which the row's level has a smaller depth than the column's, (M, M).
        peak: share of resamplings in which each group has the largest share of a level, (M, G). A resampling
            without shares counts for no group.
        orders: tests of whether two levels have the same depth.
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

    def rows(self) -> list[CurveRow]:
        """Return the curve as a dictionary per level and layer."""
        return [
            {
                "level": level,
                "layer": layer,
                "mean_in_sd": float(self.curve.value[m, layer]),
                "low": float(self.curve.low[m, layer]),
                "high": float(self.curve.high[m, layer]),
                "share": float(self.share.value[m, layer]),
            }
            for m, level in enumerate(self.levels)
            for layer in range(self.curve.value.shape[1])
        ]

    def to_pandas(self) -> DataFrame:
        """Return `rows()` as a data frame.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(self.rows())

    def plot(self) -> Figure:
        """Draw the effect of moving one layer at a time, as a curve for each level."""
        return layer_curves(self, {})

    def __repr__(self) -> str:
        """Return the mean depth of each level, in layers; NaN where it is undefined."""
        depths = zip(self.levels, self.depth.value, strict=True)
        shown = ", ".join(f"{level}={depth:.2f}" for level, depth in depths)
        return f"Hierarchy(factors={len(self.factors)}, mean depth in layers: {shown})"

    def _repr_html_(self) -> str:
        """Return the table of mean depths that a notebook shows."""
        rows = []
        for m, level in enumerate(self.levels):
            value, low, high = (float(a[m]) for a in (self.depth.value, self.depth.low, self.depth.high))
            undefined = np.isnan(value)
            rows.append(
                (level, "undefined", "") if undefined else (level, f"{value:.2f}", f"[{low:.2f}, {high:.2f}]")
            )
        return html_table(("level", "mean depth in layers", "95 % interval"), rows)


def hierarchy(effects: Effects) -> Hierarchy:
    """Estimate which layers decide which level of meaning: curves (the paper's figure 3a) and mean depth.

        d = sum_l l m_l / sum_l m_l

    m_l is the signed effect in sd units of moving layer l alone, averaged over the variation factors of a
    level. All estimates have bootstrap intervals over samples. The same as `effects.hierarchy()`.

    Args:
        effects: with all single layers among their layer sets (`layers=["all", "each"]`).

    Raises:
        UserError: these are not effects, single layers were not moved, or no boundary is a variation factor.
    """
    from .results import Effects  # which imports this module

    require("hierarchy()", "effects", effects, Effects, "ganstrata.rescore")
    return effects.hierarchy()


def mean_depth(means: Floats) -> Floats:
    """Return the mean depth of signed mean changes (..., L) at layers 0 to L - 1, as (...).

        d = sum_l l m_l / sum_l m_l

    m_l is the signed mean change in sd units when layer l alone is moved (method B; not in the paper).
    Clipped means, such as the paper's score, would bias d towards the middle layer, because noise then counts
    as an effect on every layer. NaN layers are left out. d is NaN where all layers are NaN or the means sum
    to zero.

    >>> float(mean_depth(np.array([0.0, 0.0, 2.0, 0.0])))
    2.0
    """
    known = np.nan_to_num(means)
    total = known.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((known @ np.arange(means.shape[-1])) / np.where(total == 0.0, np.nan, total))


def layer_share(means: Floats) -> Floats:
    """Return the share of each layer in an effect, (..., L): max(m_l, 0) / sum_l max(m_l, 0).

    m_l is the signed mean change when layer l alone is moved (figure 3a of the paper). NaN layers count as
    zero. The shares are NaN where no m_l is positive.
    """
    positive = np.maximum(np.nan_to_num(means), 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(positive / np.where(total == 0.0, np.nan, total))


def level_means(member: NDArray[np.float64], means: Floats) -> Floats:
    """Return the mean changes of levels, (..., M, L): the averages over the factors of each level.

    Args:
        member: 1 where a factor belongs to a level, else 0, (M, F).
        means: mean changes of the factors, (..., F, L). NaN is left out; the average of none is NaN.
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
    """Estimate curves, shares and mean depths of levels and factors, with bootstrap intervals over samples.

    Args:
        changes: change of each factor's own concept in sd units when layer l alone is moved, (F, L, K).
        names: names of the factors, (F,).
        levels: level of each factor, (F,).
        order: order of the levels; those without a factor are left out.
        groups: layer groups by name.
        bootstrap: number of resamplings R of the K samples; all factors and layers are resampled together.
        seed: seed of the resamplings.
    """
    present = tuple(level for level in order if level in levels)
    member = np.array([[name == level for name in levels] for level in present], dtype=np.float64)  # (M, F)
    group_names = tuple(groups)
    in_group = np.array(
        [[layer in groups[g] for g in group_names] for layer in range(changes.shape[1])], dtype=np.float64
    )  # (L, G)
    point = sample_means(changes)[None]  # (1, F, L)
    replicates = bootstrap_means(changes, bootstrap_weights(changes.shape[2], bootstrap, seed))  # (R, F, L)

    def estimate(
        function: Callable[[Floats], Floats], point_means: Floats, replicate_means: Floats
    ) -> Estimate:
        low, high = interval(function(replicate_means))
        return Estimate(function(point_means)[0], low, high)

    def depth_of(point_means: Floats, replicate_means: Floats) -> Estimate:
        # Where the summed effect, the denominator, may be zero, the quotient can be any number.
        above_zero = interval(np.nan_to_num(replicate_means).sum(axis=-1))[0] > 0.0
        depths = estimate(mean_depth, point_means, replicate_means)
        return Estimate(
            *(np.where(above_zero, numbers, np.nan) for numbers in (depths.value, depths.low, depths.high))
        )

    level_point, level_replicates = level_means(member, point), level_means(member, replicates)
    depths = mean_depth(level_replicates)  # (R, M)
    depth = depth_of(level_point, level_replicates)
    shares = layer_share(level_replicates) @ in_group  # (R, M, G)
    largest = shares.max(axis=2, initial=-np.inf, keepdims=True)  # NaN where a level has no shares
    first = np.cumsum(shares == largest, axis=2) == 1
    return Hierarchy(
        levels=present,
        factors=tuple(names),
        group_names=group_names,
        curve=estimate(lambda m: m, level_point, level_replicates),
        share=estimate(layer_share, level_point, level_replicates),
        groups=estimate(lambda m: layer_share(m) @ in_group, level_point, level_replicates),
        depth=depth,
        concept_curve=estimate(lambda m: m, point, replicates),
        concept_depth=depth_of(point, replicates),
        earlier=_earlier(depths),
        peak=((shares == largest) & first).mean(axis=0),
        orders=_orders(depth, depths),
    )


def _earlier(depths: Floats) -> Floats:
    """Return the share of resamplings in which the row's depth is smaller than the column's, (M, M).

    Args:
        depths: of each level in each resampling, (R, M). Only resamplings in which both are defined count;
            NaN where there are none.
    """
    both = ~np.isnan(depths[:, :, None] + depths[:, None, :])
    before = (depths[:, :, None] < depths[:, None, :]).sum(axis=0)
    return np.where(both.any(axis=0), before / np.maximum(both.sum(axis=0), 1), np.nan)


def _orders(depth: Estimate, replicates: Floats) -> OrderTests:
    """Test every pair of levels for a difference of their depths.

    Args:
        depth: depth of each level, (M,).
        replicates: depths in each resampling, (R, M).
    """
    difference = replicates[:, None, :] - replicates[:, :, None]  # (R, M, M)
    rarer = np.minimum((difference <= 0.0).sum(axis=0), (difference >= 0.0).sum(axis=0))
    defined = (~np.isnan(difference)).sum(axis=0)
    p = np.minimum(2.0 * (rarer + 1.0) / (defined + 1.0), 1.0)
    known = ~np.isnan(depth.value)
    p = np.where(known[:, None] & known[None, :] & ~np.eye(len(known), dtype=bool), p, np.nan)
    upper = np.triu_indices(len(known), 1)
    corrected = np.full(p.shape, np.nan)
    corrected[upper] = holm(p[upper])
    corrected.T[upper] = corrected[upper]
    value = np.where(np.isnan(p), np.nan, depth.value[None, :] - depth.value[:, None])
    low, high = (np.where(np.isnan(p), np.nan, bound) for bound in interval(difference))
    return OrderTests(Estimate(value, low, high), p, corrected)
