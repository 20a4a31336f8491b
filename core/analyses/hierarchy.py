"""Which level settles in which layers, of one model or of several, and the test of their order (method B, paper fig. 3a)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError, Fault, UserError
from ..figures import hierarchies as figures
from ..figures.figure import Figure
from ..figures.hierarchies import hierarchies
from ..plugins.records import LEVELS
from ..rescoring.hierarchy import Estimate, Hierarchy, level_means
from ..rescoring.results import Effects
from ..statistics import bootstrap_means, bootstrap_weights, interval, sample_means
from ..strata.layers import show_layers
from . import sentences as answers
from .base import (
    AnalysisRequest,
    Answer,
    LabelledRun,
    asked_of,
    bracketed,
    check_comparable,
    select_boundaries,
    shared_rows,
)


def figures_for(rescored: Effects, hierarchy: Hierarchy) -> dict[str, Figure]:
    """The figures of one run."""
    groups = rescored.groups
    levels_of = levels_of_factors(rescored, hierarchy)
    drawn = {
        "hierarchy_layers": figures.layer_curves(hierarchy, groups),
        "depth": figures.depths(hierarchy, levels_of, groups),
    }
    if groups:
        description = "Share of each level's effect by layer group, from single layers (paper, fig. 3a)."
        drawn["hierarchy_groups"] = figures.grouped_bars(
            "hierarchy_groups",
            hierarchy,
            hierarchy.groups,
            groups,
            axis="share of the level's effect",
            description=description,
        )
        at_once = _groups_at_once(rescored, hierarchy)
        if at_once is not None:
            drawn["hierarchy_at_once"] = at_once
    return drawn


def levels_of_factors(rescored: Effects, hierarchy: Hierarchy) -> list[str]:
    """The level of each factor, (F,)."""
    return [rescored.boundaries.of(name).level for name in hierarchy.factors]


def _groups_at_once(rescored: Effects, hierarchy: Hierarchy) -> Figure | None:
    """Mean change in sd units when all layers of a group move together, averaged over a level's factors."""
    names = list(rescored.sets)
    if not all(group in names for group in rescored.groups):
        return None
    rows = [rescored.boundaries.names.index(name) for name in hierarchy.factors]
    changes = rescored.changes[rows][:, [names.index(g) for g in rescored.groups], 0]  # (F, G, K)
    weights = bootstrap_weights(changes.shape[-1], rescored.bootstrap, rescored.seed)
    member = np.array(
        [[rescored.boundaries[i].level == level for i in rows] for level in hierarchy.levels], dtype=float
    )
    low, high = interval(level_means(member, bootstrap_means(changes, weights)))
    value = level_means(member, sample_means(changes))
    return figures.grouped_bars(
        "hierarchy_at_once",
        hierarchy,
        Estimate(value, low, high),
        rescored.groups,
        axis="change in standard deviations",
        description="Effect of moving all layers of a group at once, by level.",
    )


def depth_rows(hierarchy: Hierarchy, levels_of: Sequence[str]) -> list[tuple[str, str, float, float, float]]:
    """Level, concept or nothing, mean depth and its interval: each level, then its concepts from the first layer to the last."""
    rows: list[tuple[str, str, float, float, float]] = []
    for m, level in enumerate(hierarchy.levels):
        rows.append((level, "", *_numbers(hierarchy.depth, m)))
        members = [f for f, own in enumerate(levels_of) if own == level]
        members.sort(
            key=lambda f: (np.isnan(hierarchy.concept_depth.value[f]), hierarchy.concept_depth.value[f])
        )
        rows += [(level, hierarchy.factors[f], *_numbers(hierarchy.concept_depth, f)) for f in members]
    return rows


def _numbers(estimate: Estimate, i: int) -> tuple[float, float, float]:
    return float(estimate.value[i]), float(estimate.low[i]), float(estimate.high[i])


def order_rows(hierarchy: Hierarchy) -> list[tuple[Any, ...]]:
    """Every pair of levels, the shallower first: difference of depths with its interval, share of resamplings, p, corrected p."""
    found: list[tuple[Any, ...]] = []
    orders, count = hierarchy.orders, len(hierarchy.levels)
    for a in range(count):
        for b in range(a + 1, count):
            first, second = (b, a) if orders.difference.value[a, b] < 0.0 else (a, b)
            at = (first, second)
            numbers = (
                orders.difference.value,
                orders.difference.low,
                orders.difference.high,
                hierarchy.earlier,
                orders.p,
                orders.corrected,
            )
            found.append(
                (hierarchy.levels[first], hierarchy.levels[second], *(float(array[at]) for array in numbers))
            )
    return found


def hierarchy(sources: Sequence[LabelledRun], ask: AnalysisRequest) -> Answer:
    """Levels by layers, depths and their order, of one run or of several in one figure.

    Raises:
        GanstrataError: what was asked for does not fit a run, single layers were not moved, or runs do not meet.
    """
    left_out = check_comparable(sources)
    _check_groups(sources)
    rows = shared_rows(
        sources,
        [_top(s.rescored, select_boundaries(s.rescored, ask, runs=sources), ask.top) for s in sources],
    )
    found = [(source, _settled(source, mine)) for source, mine in zip(sources, rows, strict=True)]
    several = len(sources) > 1
    depth: list[list[Any]] = [["run", "level", "concept", "mean_depth", "low", "high", "layers"]]
    order: list[list[Any]] = [
        [
            "run",
            "level",
            "other_level",
            "deeper_by",
            "low",
            "high",
            "before_in_share",
            "p_value",
            "p_corrected",
        ]
    ]
    by_layer: list[list[Any]] = [
        ["run", "level", "layer", "mean_in_sd", "low", "high", "share", "share_low", "share_high"]
    ]
    by_group: list[list[Any]] = [
        ["run", "level", "group", "layers", "share", "low", "high", "largest_in_share"]
    ]
    table = [[*(["run"] if several else []), "level", "concept", "mean depth", *found[0][1].group_names]]
    sentences: list[str] = []
    for source, h in found:
        lead = [source.label] if several else []
        count = h.curve.value.shape[1]
        for level, concept, value, low, high in depth_rows(h, levels_of_factors(source.rescored, h)):
            depth.append([source.label, level, concept, value, low, high, count])
            m = h.levels.index(level)
            shares = [
                "" if concept else bracketed(h.groups.value[m, g], h.groups.low[m, g], h.groups.high[m, g])
                for g in range(len(h.group_names))
            ]
            table.append([*lead, level, concept, bracketed(value, low, high), *shares])
        order += [[source.label, *row] for row in order_rows(h)]
        for m, level in enumerate(h.levels):
            for layer in range(count):
                curve, share = (
                    (float(a[m, layer]) for a in (e.value, e.low, e.high)) for e in (h.curve, h.share)
                )
                by_layer.append([source.label, level, layer, *curve, *share])
            for g, group in enumerate(h.group_names):
                numbers_ = (h.groups.value, h.groups.low, h.groups.high, h.peak)
                by_group.append(
                    [
                        source.label,
                        level,
                        group,
                        show_layers(source.rescored.groups[group]),
                        *(float(a[m, g]) for a in numbers_),
                    ]
                )
        said = [
            *answers.peaks(
                h,
                [
                    source.rescored.boundaries[i].level
                    for i in select_boundaries(source.rescored, ask, runs=sources)
                ],
            ),
            *answers.order(h),
        ]
        sentences += [f"{source.label}: {sentence}" if several else sentence for sentence in said]
    tables = {"depths": depth, "order": order, "layers": by_layer, "groups": by_group}
    if several:
        drawn = [hierarchies([(source.label, h, source.rescored.groups) for source, h in found])]
        sentences += _together(found)
    else:
        drawn = list(figures_for(found[0][0].rescored, found[0][1]).values())
    return Answer("hierarchy", table, sentences + left_out, drawn, tables, asked_of(ask))


def _top(rescored: Effects, rows: Sequence[int], top: int | None) -> list[int]:
    """The strongest factors of each level."""
    factors = [i for i in rows if rescored.factors[i]]
    if top is None:
        return factors
    kept: list[int] = []
    for i in factors:
        if sum(rescored.boundaries[k].level == rescored.boundaries[i].level for k in kept) < top:
            kept.append(i)
    return kept


def _settled(source: LabelledRun, rows: Sequence[int]) -> Hierarchy:
    found = source.rescored.hierarchy(rows)
    if found is not None:
        return found
    if len(source.rescored.sets["all"]) == 1:
        raise UserError(
            f"{source.label}: this generator has one layer, so layer-wise analysis does not apply"
        )
    if not source.rescored.single_layers():
        raise UserError(
            f"{source.label}: single layers were not re-scored; make a run with rescoring.layers: [all, each, groups]"
        )
    raise UserError(
        f"{source.label}: none of the concepts asked for is a variation factor, so nothing can be said of layers"
    )


def _check_groups(sources: Sequence[LabelledRun]) -> None:
    """Refuse to put groups of different names side by side.

    Raises:
        ConfigError: they differ.
    """
    first = sources[0]
    faults = [
        Fault(
            (f"{first.label} and {other.label}",),
            f"the layer groups differ: {', '.join(first.rescored.groups) or 'none'} there, {', '.join(other.rescored.groups) or 'none'} here",
        )
        for other in sources[1:]
        if list(first.rescored.groups) != list(other.rescored.groups)
    ]
    if faults:
        raise ConfigError("these runs cannot stand in one figure", faults)


def _together(found: Sequence[tuple[LabelledRun, Hierarchy]]) -> list[str]:
    """At which groups the levels peak in every run."""
    said = []
    for level in LEVELS:
        peaks = {}
        for source, h in found:
            if (
                level in h.levels
                and h.group_names
                and not np.isnan(h.groups.value[h.levels.index(level)]).all()
            ):
                peaks[source.label] = h.group_names[int(np.nanargmax(h.groups.value[h.levels.index(level)]))]
        if len(peaks) > 1:
            where = set(peaks.values())
            words = (
                f"the {next(iter(where))} layers in all {len(peaks)} runs that have it"
                if len(where) == 1
                else ""
            )
            listed = words or ", ".join(f"the {group} layers in {label}" for label, group in peaks.items())
            said.append(f"{level.capitalize()} peaks at {listed}.")
    return said
