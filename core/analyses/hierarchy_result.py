"""Show at which layers each level acts as a table, CSV files, figures and sentences (paper, fig. 3a)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..figures.figure import Figure
from ..plugins.records import LEVELS
from ..rescoring import hierarchy_charts as figures
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.results import Effects
from ..storage.csv_tables import Row, Table
from ..strata.layers import show_layers
from .hierarchy import (
    Depth,
    Order,
    RunHierarchy,
    groups_at_once,
    hierarchies_of,
    levels_of_factors,
    order_rows,
)
from .labelled_runs import LabelledRun, check_comparable
from .request import AnalysisRequest, request_record
from .result import AnalysisResult
from .sentences import of_own_layers
from .sentences import order as order_sentences
from .sentences import peaks as peak_sentences
from .wording import bracketed, named, target_of


def hierarchy(sources: Sequence[LabelledRun], request: AnalysisRequest) -> AnalysisResult:
    """Compute the effect of levels by layer, their depths and their order, for one run or several.

    Raises:
        GanstrataError: the request does not fit a run, single layers were not re-scored, or the runs are not
            comparable.
    """
    left_out = check_comparable(sources)
    runs = hierarchies_of(sources, request)
    tables = {
        "depths": depths_table(runs),
        "order": order_table(runs),
        "layers": layers_table(runs),
        "groups": groups_table(runs),
    }
    sentences = [*sentences_of(runs), *left_out]
    return AnalysisResult(
        "hierarchy", printed(runs), sentences, figures_of(runs), tables, request_record(request)
    )


def printed(runs: Sequence[RunHierarchy]) -> Table:
    """Return the printed table: mean depths, and for each level its shares by layer group."""
    rows = []
    for run in runs:
        groups = run.hierarchy.groups
        for level, concept, value, low, high in run.depths:
            m = run.hierarchy.levels.index(level)
            shares = [
                "" if concept else bracketed(groups.value[m, g], groups.low[m, g], groups.high[m, g])
                for g in range(len(run.hierarchy.group_names))
            ]
            shown = named(run.effects, concept) if concept else ""
            rows.append([run.label, level, shown, bracketed(value, low, high), *shares])
    columns = ["run", "level", "concept", "mean depth", *runs[0].hierarchy.group_names]
    return Table(columns, rows) if len(runs) > 1 else Table(columns[1:], [row[1:] for row in rows])


def depths_table(runs: Sequence[RunHierarchy]) -> Table:
    """Return depths.csv: mean depths, number of layers of the generator, and targets of directions."""
    return Table(
        ("run", *Depth._fields, "layers", "target"),
        [
            (run.label, *depth, run.hierarchy.curve.value.shape[1], target_of(run.effects, depth.concept))
            for run in runs
            for depth in run.depths
        ],
    )


def order_table(runs: Sequence[RunHierarchy]) -> Table:
    """Return order.csv: the order of every pair of levels."""
    return Table(
        ("run", *Order._fields), [(run.label, *row) for run in runs for row in order_rows(run.hierarchy)]
    )


def layers_table(runs: Sequence[RunHierarchy]) -> Table:
    """Return layers.csv: the effect of each level at each layer, and its share of the level's effect."""
    rows: list[Row] = []
    for run in runs:
        curve, share = run.hierarchy.curve, run.hierarchy.share
        arrays = (curve.value, curve.low, curve.high, share.value, share.low, share.high)
        for m, level in enumerate(run.hierarchy.levels):
            rows += [
                (run.label, level, layer, *(float(array[m, layer]) for array in arrays))
                for layer in range(curve.value.shape[1])
            ]
    columns = ("run", "level", "layer", "mean_in_sd", "low", "high", "share", "share_low", "share_high")
    return Table(columns, rows)


def groups_table(runs: Sequence[RunHierarchy]) -> Table:
    """Return groups.csv: the share of each level's effect by layer group."""
    rows: list[Row] = []
    for run in runs:
        h = run.hierarchy
        arrays = (h.groups.value, h.groups.low, h.groups.high, h.peak)
        for m, level in enumerate(h.levels):
            for g, group in enumerate(h.group_names):
                layers = show_layers(run.effects.groups[group])
                rows.append((run.label, level, group, layers, *(float(array[m, g]) for array in arrays)))
    return Table(("run", "level", "group", "layers", "share", "low", "high", "largest_in_share"), rows)


def figures_of(runs: Sequence[RunHierarchy]) -> list[Figure]:
    """Draw the figures of one run, or those of several side by side."""
    if len(runs) == 1:
        return list(figures_for(runs[0].effects, runs[0].hierarchy).values())
    return [figures.hierarchies([(run.label, run.hierarchy, run.effects.groups) for run in runs])]


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
        at_once = groups_at_once(effects, hierarchy)
        if at_once is not None:
            drawn["hierarchy_at_once"] = figures.grouped_bars(
                "hierarchy_at_once",
                hierarchy,
                at_once,
                groups,
                axis="change in standard deviations",
                description="Effect of moving all layers of a group at once, by level.",
            )
    return drawn


def sentences_of(runs: Sequence[RunHierarchy]) -> list[str]:
    """Say where each level peaks and in which order they come, and what several runs have in common."""
    sentences = []
    for run in runs:
        conclusions = [
            *peak_sentences(run.hierarchy, run.levels),
            *of_own_layers(run.effects),
            *order_sentences(run.hierarchy),
        ]
        sentences += [f"{run.label}: {line}" for line in conclusions] if len(runs) > 1 else conclusions
    return [*sentences, *_shared_peaks(runs)] if len(runs) > 1 else sentences


def _shared_peaks(runs: Sequence[RunHierarchy]) -> list[str]:
    """Say at which layer groups each level peaks in the runs that have it."""
    sentences = []
    for level in LEVELS:
        peaks = {}
        for run in runs:
            h = run.hierarchy
            if level not in h.levels or not h.group_names:
                continue
            shares = h.groups.value[h.levels.index(level)]
            if not np.isnan(shares).all():
                peaks[run.label] = h.group_names[int(np.nanargmax(shares))]
        if len(peaks) > 1:
            if len(set(peaks.values())) == 1:
                places = f"the {next(iter(peaks.values()))} layers in all {len(peaks)} runs that have it"
            else:
                places = ", ".join(f"the {group} layers in {label}" for label, group in peaks.items())
            sentences.append(f"{level.capitalize()} peaks at {places}.")
    return sentences
