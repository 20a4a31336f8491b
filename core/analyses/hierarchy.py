"""Show at which layers each level acts, for one or several models, and test their order (paper, fig. 3a)."""

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
from .base import (
    NOT_COMPARABLE,
    AnalysisRequest,
    AnalysisResult,
    LabelledRun,
    bracketed,
    check_comparable,
    request_record,
    select_boundaries,
    shared_rows,
)
from .sentences import order as order_sentences
from .sentences import peaks as peak_sentences


def figures_for(effects: Effects, hierarchy: Hierarchy) -> dict[str, Figure]:
    """Draw the figures of one run, by name."""
    groups = effects.groups
    levels_of = levels_of_factors(effects, hierarchy)
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
        at_once = _groups_at_once(effects, hierarchy)
        if at_once is not None:
            drawn["hierarchy_at_once"] = at_once
    return drawn


def levels_of_factors(effects: Effects, hierarchy: Hierarchy) -> list[str]:
    """Return the level of each variation factor, (F,)."""
    return [effects.boundaries.of(name).level for name in hierarchy.factors]


def _groups_at_once(effects: Effects, hierarchy: Hierarchy) -> Figure | None:
    """Draw the effect of moving all layers of a group together: mean change in sd units, by level."""
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
    value = level_means(member, sample_means(changes))
    return figures.grouped_bars(
        "hierarchy_at_once",
        hierarchy,
        Estimate(value, low, high),
        effects.groups,
        axis="change in standard deviations",
        description="Effect of moving all layers of a group at once, by level.",
    )


def depth_rows(hierarchy: Hierarchy, levels_of: Sequence[str]) -> list[tuple[str, str, float, float, float]]:
    """Return rows of level, concept, mean depth and its 95 % interval.

    Each level comes first, with an empty concept; its concepts follow by increasing depth.
    """
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
    """Return a row per pair of levels, the shallower first.

    The columns are the two levels, the difference of their mean depths with its 95 % interval, the share of
    resamplings in which the first is shallower, p, and p corrected for the number of pairs.
    """
    rows: list[tuple[Any, ...]] = []
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
            rows.append(
                (hierarchy.levels[first], hierarchy.levels[second], *(float(array[at]) for array in numbers))
            )
    return rows


def hierarchy(sources: Sequence[LabelledRun], request: AnalysisRequest) -> AnalysisResult:
    """Compute the effect of levels by layer, their depths and their order, for one run or several.

    Raises:
        GanstrataError: the request does not fit a run, single layers were not re-scored, or the runs are not
            comparable.
    """
    left_out = check_comparable(sources)
    _check_groups(sources)
    rows = shared_rows(
        sources,
        [_top(s.effects, select_boundaries(s.effects, request, runs=sources), request.top) for s in sources],
    )
    hierarchies_of_runs = [
        (source, _hierarchy_of(source, positions)) for source, positions in zip(sources, rows, strict=True)
    ]
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
    table = [
        [
            *(["run"] if several else []),
            "level",
            "concept",
            "mean depth",
            *hierarchies_of_runs[0][1].group_names,
        ]
    ]
    sentences: list[str] = []
    for source, h in hierarchies_of_runs:
        lead = [source.label] if several else []
        count = h.curve.value.shape[1]
        for level, concept, value, low, high in depth_rows(h, levels_of_factors(source.effects, h)):
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
                        show_layers(source.effects.groups[group]),
                        *(float(a[m, g]) for a in numbers_),
                    ]
                )
        levels = [
            source.effects.boundaries[i].level
            for i in select_boundaries(source.effects, request, runs=sources)
        ]
        conclusions = [*peak_sentences(h, levels), *order_sentences(h)]
        sentences += [f"{source.label}: {sentence}" if several else sentence for sentence in conclusions]
    tables = {"depths": depth, "order": order, "layers": by_layer, "groups": by_group}
    if several:
        drawn = [hierarchies([(source.label, h, source.effects.groups) for source, h in hierarchies_of_runs])]
        sentences += _shared_peaks(hierarchies_of_runs)
    else:
        drawn = list(figures_for(hierarchies_of_runs[0][0].effects, hierarchies_of_runs[0][1]).values())
    return AnalysisResult("hierarchy", table, sentences + left_out, drawn, tables, request_record(request))


def _top(effects: Effects, rows: Sequence[int], top: int | None) -> list[int]:
    """Return the `top` strongest variation factors of each level, or all of them."""
    factors = [i for i in rows if effects.factors[i]]
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
    try:
        return source.effects.hierarchy(rows)
    except UserError as error:
        raise UserError(f"{source.label}: {error}") from None


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


def _shared_peaks(hierarchies_of_runs: Sequence[tuple[LabelledRun, Hierarchy]]) -> list[str]:
    """Say at which layer groups each level peaks in the runs that have it."""
    sentences = []
    for level in LEVELS:
        peaks = {}
        for source, h in hierarchies_of_runs:
            if level not in h.levels or not h.group_names:
                continue
            shares = h.groups.value[h.levels.index(level)]
            if not np.isnan(shares).all():
                peaks[source.label] = h.group_names[int(np.nanargmax(shares))]
        if len(peaks) > 1:
            if len(set(peaks.values())) == 1:
                places = f"the {next(iter(peaks.values()))} layers in all {len(peaks)} runs that have it"
            else:
                places = ", ".join(f"the {group} layers in {label}" for label, group in peaks.items())
            sentences.append(f"{level.capitalize()} peaks at {places}.")
    return sentences
