"""Compute the figures and tables of the report from a run, without drawing or HTML of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analyses.ablation import figure_of, scored_concept
from ..analyses.entanglement import cosine_figure, matrix_figure
from ..analyses.hierarchy import depth_rows, figures_for, levels_of_factors
from ..analyses.object_results import Objects, read_objects
from ..analyses.right_layers import LayerComparison, read_layers
from ..boundaries.files import load_boundaries
from ..figures import rankings as figures
from ..figures.figure import Figure
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.results import Effects
from ..rescoring.stored_effects import read_effects
from ..rescoring.tables import ranked
from ..runs.run import Run

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReportContent:
    """Hold everything that is computed for the report.

    Attributes:
        effects: effects of the run.
        hierarchy: None where layers were not moved one by one, or no concept is a variation factor.
        figures: by name.
        concepts: a row per learnt boundary, strongest first.
        conditions: a row per conditional direction.
        skipped: why a concept has no boundary, by its name.
        objects: result of `ganstrata analysis objects`, if it was run.
        layers: result of `ganstrata analysis layers`, if it was run.
        depths: level, concept or nothing, mean depth and its interval.
    """

    effects: Effects
    hierarchy: Hierarchy | None
    figures: dict[str, Figure]
    concepts: list[dict[str, Any]]
    conditions: list[dict[str, Any]]
    skipped: dict[str, str]
    objects: Objects | None = None
    layers: LayerComparison | None = None
    depths: Sequence[tuple[str, str, float, float, float]] = ()


def gather(run: Run) -> ReportContent:
    """Compute figures and tables from the files of the stages."""
    effects = read_effects(run)
    _, skipped = load_boundaries(run.path)
    order = effects.ranking()
    everywhere = effects.all_set
    drawn = {"ranking": figures.ranking([ranked(effects, i, everywhere) for i in order])}
    hierarchy = None if effects.missing_hierarchy() else effects.hierarchy()
    if hierarchy is not None:
        drawn |= figures_for(effects, hierarchy)
    drawn["entanglement"] = matrix_figure(effects, effects.ranking(conditional=True), everywhere)
    drawn["cosines"] = cosine_figure(effects, order)
    drawn["ablation"] = figure_of([scored_concept(effects, i, everywhere) for i in order])
    layers = read_layers(run, effects)
    if layers is not None and not layers.fault:
        drawn["layers"] = layers.figure
    depths = [] if hierarchy is None else depth_rows(hierarchy, levels_of_factors(effects, hierarchy))
    rows = [_row(effects, i) for i in order]
    return ReportContent(
        effects, hierarchy, drawn, rows, _conditions(effects), skipped, read_objects(run), layers, depths
    )


def _at_all(effects: Effects, array: Floats, i: int, j: int) -> float:
    """Return the entry of an array (B, S, 2, C) for boundary i and concept j, forwards at all layers."""
    return float(array[i, effects.all_set, 0, j])


def _row(effects: Effects, i: int) -> dict[str, Any]:
    """Return what boundary i does to its own concept, as a row of the table of concepts."""
    boundary, j = effects.boundaries[i], int(effects.own[i])
    values = {
        name: _at_all(effects, getattr(effects, name), i, j)
        for name in (
            "in_sd",
            "mean",
            "error",
            "low",
            "high",
            "low_total",
            "high_total",
            "clipped",
            "p",
            "q",
            "rank",
            "undefined",
            "made_undefined",
        )
    }
    return {
        "name": boundary.name,
        "level": boundary.level,
        "is_factor": bool(effects.factors[i]),
        "is_relearnt": not np.isnan(values["low_total"]),
        "back": float(effects.in_sd[i, effects.all_set, 1, j]),
        "facts": dict(boundary.facts),
        "stats": effects.concepts[j],
        **values,
    }


def _conditions(effects: Effects) -> list[dict[str, Any]]:
    """Return what each conditional and its plain direction do to the edited and the kept concepts, in sd."""
    rows = []
    for i, boundary in enumerate(effects.boundaries):
        if not boundary.given:
            continue
        plain = effects.boundaries.names.index(boundary.concept)
        columns = [int(effects.own[i])] + [
            [row["id"] for row in effects.concepts].index(name) for name in boundary.given
        ]
        changes = []
        for j in columns:
            unit = float(effects.units[j])
            changes.append(
                {
                    "concept": effects.concepts[j]["id"],
                    "own": j == columns[0],
                    **{
                        which: tuple(
                            _at_all(effects, a, row, j) / unit
                            for a in (effects.mean, effects.low, effects.high)
                        )
                        for which, row in (("plain", plain), ("conditional", i))
                    },
                }
            )
        rows.append(
            {
                "name": boundary.name,
                "edit": boundary.concept,
                "keep": boundary.given,
                "cosine": boundary.facts["cosine_with_unconditional"],
                "effects": changes,
            }
        )
    return rows
