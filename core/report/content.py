"""Gathers what the report shows from a run: figures, tables and sentences. No drawing and no HTML here."""

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
from ..rescoring.stored import read_effects
from ..rescoring.tables import ranked
from ..runs.run import Run

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReportContent:
    """Everything that is computed for the report."""

    rescored: Effects
    hierarchy: Hierarchy | None
    figures: dict[str, Figure]
    concepts: list[dict[str, Any]]  # a row per learnt boundary
    conditions: list[dict[str, Any]]
    skipped: dict[str, str]
    objects: Objects | None = None  # of `ganstrata analysis objects`
    layers: LayerComparison | None = None  # of `ganstrata analysis layers`
    depths: Sequence[
        tuple[str, str, float, float, float]
    ] = ()  # level, concept or nothing, mean depth and interval


def gather(run: Run) -> ReportContent:
    """Compute figures and tables from what the stages wrote."""
    rescored = read_effects(run)
    _, skipped = load_boundaries(run.path)
    order = rescored.ranking()
    everywhere = rescored.all_set
    drawn = {"ranking": figures.ranking([ranked(rescored, i, everywhere) for i in order])}
    hierarchy = rescored.hierarchy()
    if hierarchy is not None:
        drawn |= figures_for(rescored, hierarchy)
    drawn["entanglement"] = matrix_figure(rescored, rescored.ranking(conditional=True), everywhere)
    drawn["cosines"] = cosine_figure(rescored, order)
    drawn["ablation"] = figure_of([scored_concept(rescored, i, everywhere) for i in order])
    layers = read_layers(run, rescored)
    if layers is not None and not layers.fault:
        drawn["layers"] = layers.figure
    depths = [] if hierarchy is None else depth_rows(hierarchy, levels_of_factors(rescored, hierarchy))
    rows = [_row(rescored, i) for i in order]
    return ReportContent(
        rescored, hierarchy, drawn, rows, _conditions(rescored), skipped, read_objects(run), layers, depths
    )


def _at_all(rescored: Effects, array: Floats, i: int, j: int) -> float:
    return float(array[i, rescored.all_set, 0, j])


def _row(rescored: Effects, i: int) -> dict[str, Any]:
    boundary, effects, j = rescored.boundaries[i], rescored, int(rescored.own[i])
    values = {
        name: _at_all(rescored, getattr(effects, name), i, j)
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
        "is_factor": bool(rescored.factors[i]),
        "is_relearnt": not np.isnan(values["low_total"]),
        "back": float(effects.in_sd[i, rescored.all_set, 1, j]),
        "facts": dict(boundary.facts),
        "stats": rescored.concepts[j],
        **values,
    }


def _conditions(rescored: Effects) -> list[dict[str, Any]]:
    """For each conditional direction: what it and the plain one do to its own and to the kept concepts."""
    found = []
    for i, boundary in enumerate(rescored.boundaries):
        if not boundary.given:
            continue
        plain = rescored.boundaries.names.index(boundary.concept)
        columns = [int(rescored.own[i])] + [
            [row["id"] for row in rescored.concepts].index(name) for name in boundary.given
        ]
        effects = []
        for j in columns:
            unit = float(rescored.units[j])
            effects.append(
                {
                    "concept": rescored.concepts[j]["id"],
                    "own": j == columns[0],
                    **{
                        which: tuple(
                            _at_all(rescored, a, row, j) / unit
                            for a in (rescored.mean, rescored.low, rescored.high)
                        )
                        for which, row in (("plain", plain), ("conditional", i))
                    },
                }
            )
        found.append(
            {
                "name": boundary.name,
                "edit": boundary.concept,
                "keep": boundary.given,
                "cosine": boundary.facts["cosine_with_unconditional"],
                "effects": effects,
            }
        )
    return found
