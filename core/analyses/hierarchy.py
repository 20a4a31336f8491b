"""Compute at which layers each level acts, for one or several models, and the order of levels. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, Fault, UserError
from ..rescoring.hierarchy import Estimate, Hierarchy, level_means
from ..rescoring.results import NO_SINGLE_LAYERS, Effects
from ..statistics import bootstrap_means, bootstrap_weights, interval, sample_means
from .labelled_runs import NOT_COMPARABLE, LabelledRun, shared_rows
from .request import AnalysisRequest, select_boundaries


class Depth(NamedTuple):
    """Hold the mean depth of a concept, or of a level if `concept` is empty, with its 95 % interval."""

    level: str
    concept: str
    mean_depth: float
    low: float
    high: float


class Order(NamedTuple):
    """Hold the order of two levels, the shallower first.

    Attributes:
        level, other_level: the levels.
        deeper_by, low, high: difference of their mean depths with its 95 % interval.
        before_in_share: share of resamplings in which the first is shallower.
        p_value, p_corrected: p, and p corrected for the number of pairs.
    """

    level: str
    other_level: str
    deeper_by: float
    low: float
    high: float
    before_in_share: float
    p_value: float
    p_corrected: float


@dataclass(frozen=True)
class RunHierarchy:
    """Hold the hierarchy of a run.

    Attributes:
        label: of the run.
        effects: of the run.
        hierarchy: of the variation factors that were asked for.
        levels: of all boundaries that were asked for and may move all layers.
    """

    label: str
    effects: Effects
    hierarchy: Hierarchy
    levels: tuple[str, ...]

    @property
    def depths(self) -> list[Depth]:
        """Mean depths: see `depth_rows`."""
        return depth_rows(self.hierarchy, levels_of_factors(self.effects, self.hierarchy))


def levels_of_factors(effects: Effects, hierarchy: Hierarchy) -> list[str]:
    """Return the level of each variation factor, (F,)."""
    return [effects.boundaries.of(name).level for name in hierarchy.factors]


def levels_that_show(effects: Effects, rows: Sequence[int] | None = None) -> list[str]:
    """Return the levels of the boundaries that may move all layers, so that they show where a level acts.

    Args:
        effects: of the run.
        rows: positions of the boundaries; None for all.
    """
    candidates = range(len(effects.boundaries)) if rows is None else rows
    return [effects.boundaries[i].level for i in candidates if effects.free[i]]


def groups_at_once(effects: Effects, hierarchy: Hierarchy) -> Estimate | None:
    """Compute the effect of moving all layers of a group together: mean change in sd units by level, (M, G).

    Returns:
        None if a group was not moved as a whole.
    """
    names = list(effects.sets)
    if not all(group in names for group in effects.groups):
        return None
    rows = [effects.boundaries.names.index(name) for name in hierarchy.factors]
    changes = effects.changes[rows][:, [names.index(g) for g in effects.groups], 0]  # (F, G, K)
    weights = bootstrap_weights(changes.shape[-1], effects.bootstrap, effects.seed)
    member = np.array(
        [[effects.boundaries[i].level == level for i in rows] for level in hierarchy.levels], dtype=float
    )
    low, high = interval(level_means(member, bootstrap_means(changes, weights)))
    return Estimate(level_means(member, sample_means(changes)), low, high)


def depth_rows(hierarchy: Hierarchy, levels_of: Sequence[str]) -> list[Depth]:
    """Return the mean depths of levels and of their concepts.

    Each level comes first, with an empty concept; its concepts follow by increasing depth.

    Args:
        hierarchy: of F variation factors.
        levels_of: level of each, (F,).
    """
    rows: list[Depth] = []
    for m, level in enumerate(hierarchy.levels):
        rows.append(Depth(level, "", *_numbers(hierarchy.depth, m)))
        members = [f for f, own in enumerate(levels_of) if own == level]
        members.sort(
            key=lambda f: (np.isnan(hierarchy.concept_depth.value[f]), hierarchy.concept_depth.value[f])
        )
        rows += [Depth(level, hierarchy.factors[f], *_numbers(hierarchy.concept_depth, f)) for f in members]
    return rows


def _numbers(estimate: Estimate, i: int) -> tuple[float, float, float]:
    return float(estimate.value[i]), float(estimate.low[i]), float(estimate.high[i])


def order_rows(hierarchy: Hierarchy) -> list[Order]:
    """Return the order of every pair of levels, the shallower first."""
    rows: list[Order] = []
    orders, count = hierarchy.orders, len(hierarchy.levels)
    for a in range(count):
        for b in range(a + 1, count):
            first, second = (b, a) if orders.difference.value[a, b] < 0.0 else (a, b)
            arrays = (
                orders.difference.value,
                orders.difference.low,
                orders.difference.high,
                hierarchy.earlier,
                orders.p,
                orders.corrected,
            )
            numbers = (float(array[first, second]) for array in arrays)
            rows.append(Order(hierarchy.levels[first], hierarchy.levels[second], *numbers))
    return rows


def hierarchies_of(sources: Sequence[LabelledRun], request: AnalysisRequest) -> list[RunHierarchy]:
    """Compute the hierarchy of each of these comparable runs, from the concepts that all of them score.

    Raises:
        GanstrataError: the request does not fit a run, single layers were not re-scored, or the layer groups
            differ.
    """
    _check_groups(sources)
    selected = [select_boundaries(source.effects, request, runs=sources) for source in sources]
    strongest = [
        _top(source.effects, rows, request.top) for source, rows in zip(sources, selected, strict=True)
    ]
    return [
        RunHierarchy(
            source.label,
            source.effects,
            _hierarchy_of(source, rows),
            tuple(levels_that_show(source.effects, all_rows)),
        )
        for source, rows, all_rows in zip(sources, shared_rows(sources, strongest), selected, strict=True)
    ]


def _top(effects: Effects, rows: Sequence[int], top: int | None) -> list[int]:
    """Return the `top` strongest variation factors of each level, or all of them."""
    factors = [i for i in rows if effects.factors[i] and (effects.free[i] or not effects.free[rows].any())]
    if top is None:
        return factors
    selected: list[int] = []
    for i in factors:
        if sum(effects.boundaries[k].level == effects.boundaries[i].level for k in selected) < top:
            selected.append(i)
    return selected


def _hierarchy_of(source: LabelledRun, rows: Sequence[int]) -> Hierarchy:
    """Compute the hierarchy of a run from some of its boundaries.

    Raises:
        UserError: the generator has one layer, single layers were not re-scored, or there is no factor.
    """
    return hierarchy_of_run(source.effects, source.label, rows)


def hierarchy_of_run(effects: Effects, label: str, rows: Sequence[int] | None = None) -> Hierarchy:
    """Compute the hierarchy of a run; an error says what to change in its config.

    Args:
        effects: of the run.
        label: what an error calls the run.
        rows: positions of the boundaries to use; None for all but conditional directions.

    Raises:
        UserError: the generator has one layer, single layers were not re-scored, or there is no factor.
    """
    missing = effects.missing_hierarchy(rows)
    if missing:
        way_out = (
            "; make a run with rescoring.layers: [all, each, groups]" if missing == NO_SINGLE_LAYERS else ""
        )
        raise UserError(f"{label}: {missing}{way_out}")
    return effects.hierarchy(rows)


def _check_groups(sources: Sequence[LabelledRun]) -> None:
    """Check that all runs have the same layer groups.

    Raises:
        ConfigError: the names of groups differ.
    """
    first = sources[0]
    faults = [
        Fault(
            (f"{first.label} and {other.label}",),
            f"the layer groups differ: {', '.join(first.effects.groups) or 'none'} in {first.label}, "
            f"{', '.join(other.effects.groups) or 'none'} in {other.label}",
        )
        for other in sources[1:]
        if list(first.effects.groups) != list(other.effects.groups)
    ]
    if faults:
        raise ConfigError(NOT_COMPARABLE, faults)
