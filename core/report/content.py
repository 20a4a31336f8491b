"""Gathers what the report shows from a run: figures, tables and sentences. No drawing and no HTML here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boundaryfile import load_boundaries
from ..hierarchy import Estimate, Hierarchy, hierarchy_of
from ..records import LEVELS
from ..rescored import Rescored
from ..run import Run
from ..statistics import bootstrap_weights, interval, resampled_means
from . import figures
from .figures import Figure, RankedConcept
from .objects import Objects, read_objects

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """Everything that is computed for the report."""

    rescored: Rescored
    hierarchy: Hierarchy | None
    figures: dict[str, Figure]
    concepts: list[dict[str, Any]]  # a row per learnt boundary
    conditions: list[dict[str, Any]]
    skipped: dict[str, str]
    objects: Objects | None = None  # of `ganstrata analysis objects`


def gather(run: Run) -> Found:
    """Compute figures and tables from what the stages wrote."""
    rescored = Rescored.read(run)
    _, skipped = load_boundaries(run.path)
    order = rescored.ranking()
    drawn = {"ranking": figures.ranking([_ranked(rescored, i) for i in order])}
    hierarchy = _hierarchy(rescored)
    if hierarchy is not None:
        drawn |= _hierarchy_figures(rescored, hierarchy)
    drawn["entanglement"] = _entanglement(rescored, order)
    drawn["cosines"] = _cosines(rescored, order)
    drawn["ablation"] = _ablation(rescored, order)
    return Found(rescored, hierarchy, drawn, [_row(rescored, i) for i in order], _conditions(rescored), skipped, read_objects(run))


def _at_all(rescored: Rescored, array: Floats, i: int, j: int) -> float:
    return float(array[i, rescored.all_set, 0, j])


def _null_band(rescored: Rescored, i: int) -> tuple[float, float]:
    """Mean -+ 2 sd of the random directions on a boundary's own concept, in sd units."""
    j = int(rescored.own[i])
    unit = max(rescored.concepts[j]["sd"], rescored.concepts[j]["least"])
    centre, spread = float(rescored.null_mean[j]) / unit, float(rescored.null_sd[j]) / unit
    return centre - 2.0 * spread, centre + 2.0 * spread


def _ranked(rescored: Rescored, i: int) -> RankedConcept:
    effects, j = rescored.effects, int(rescored.own[i])
    unit = max(rescored.concepts[j]["sd"], rescored.concepts[j]["least"])
    low, high = _null_band(rescored, i)
    return RankedConcept(
        name=rescored.boundaries[i].name,
        level=rescored.boundaries[i].level,
        value=_at_all(rescored, effects.in_sd, i, j),
        low=_at_all(rescored, effects.low, i, j) / unit,
        high=_at_all(rescored, effects.high, i, j) / unit,
        null_low=low,
        null_high=high,
        q=_at_all(rescored, effects.q, i, j),
        is_factor=bool(rescored.factors[i]),
    )


def _row(rescored: Rescored, i: int) -> dict[str, Any]:
    boundary, effects, j = rescored.boundaries[i], rescored.effects, int(rescored.own[i])
    values = {
        name: _at_all(rescored, getattr(effects, name), i, j)
        for name in ("in_sd", "mean", "error", "low", "high", "clipped", "p", "q", "rank", "undefined", "made_undefined")
    }
    return {
        "name": boundary.name,
        "level": boundary.level,
        "is_factor": bool(rescored.factors[i]),
        "back": float(effects.in_sd[i, rescored.all_set, 1, j]),
        "facts": dict(boundary.facts),
        "stats": rescored.concepts[j],
        **values,
    }


def _hierarchy(rescored: Rescored) -> Hierarchy | None:
    """None where single layers were not moved, or nothing was found."""
    layers = rescored.single_layers()
    rows = [i for i in rescored.ranking() if rescored.factors[i]]
    if not layers or not rows:
        return None
    changes = rescored.changes[rows][:, layers, 0]  # (F, L, K)
    names = [rescored.boundaries[i].name for i in rows]
    levels = [rescored.boundaries[i].level for i in rows]
    return hierarchy_of(changes, names, levels, LEVELS, rescored.groups, bootstrap=rescored.bootstrap, seed=rescored.seed)


def _hierarchy_figures(rescored: Rescored, hierarchy: Hierarchy) -> dict[str, Figure]:
    groups = rescored.groups
    levels_of = [rescored.boundaries.of(name).level for name in hierarchy.factors]
    drawn = {
        "hierarchy_layers": figures.layer_curves(hierarchy, groups),
        "depth": figures.depths(hierarchy, levels_of, groups),
    }
    if groups:
        description = "Share of each level's effect by layer group, from single layers (paper, fig. 3a)."
        drawn["hierarchy_groups"] = figures.grouped_bars(
            "hierarchy_groups", hierarchy, hierarchy.groups, groups, axis="share of the level's effect", description=description
        )
        at_once = _groups_at_once(rescored, hierarchy)
        if at_once is not None:
            drawn["hierarchy_at_once"] = at_once
    return drawn


def _groups_at_once(rescored: Rescored, hierarchy: Hierarchy) -> Figure | None:
    """Mean change in sd units when all layers of a group move together, averaged over a level's factors."""
    names = list(rescored.sets)
    if not all(group in names for group in rescored.groups):
        return None
    rows = [rescored.boundaries.names.index(name) for name in hierarchy.factors]
    changes = rescored.changes[rows][:, [names.index(g) for g in rescored.groups], 0]  # (F, G, K)
    weights = bootstrap_weights(changes.shape[-1], rescored.bootstrap, rescored.seed)
    member = np.array([[rescored.boundaries[i].level == level for i in rows] for level in hierarchy.levels], dtype=float)
    member /= member.sum(axis=1, keepdims=True)
    low, high = interval(np.einsum("mf,rfg->rmg", member, np.nan_to_num(resampled_means(changes, weights))))
    value = member @ np.nan_to_num(np.nanmean(changes, axis=-1))
    return figures.grouped_bars(
        "hierarchy_at_once",
        hierarchy,
        Estimate(value, low, high),
        rescored.groups,
        axis="change in standard deviations",
        description="Effect of moving all layers of a group at once, by level.",
    )


def _entanglement(rescored: Rescored, order: list[int]) -> Figure:
    """Effect of every boundary on every concept that has one, at all layers, in sd units (paper, fig. 8)."""
    columns = [int(rescored.own[i]) for i in order]
    rows = order + [i for i in rescored.ranking(conditional=True) if rescored.boundaries[i].given]
    values = rescored.effects.in_sd[rows, rescored.all_set, 0][:, columns]
    marks = rescored.effects.q[rows, rescored.all_set, 0][:, columns] < rescored.rate
    names, concepts = [rescored.boundaries[i].name for i in rows], [rescored.concepts[j]["id"] for j in columns]
    description = "What each direction does to every concept, in standard deviations. Bold: beyond random directions."
    return figures.heat("entanglement", names, concepts, values, marks, description=description, entry="mean_in_sd")


def _cosines(rescored: Rescored, order: list[int]) -> Figure:
    """Cosines between the boundaries' normals."""
    normals = np.stack([rescored.boundaries[i].normal.astype(np.float64).ravel() for i in order])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    values = normals @ normals.T
    np.fill_diagonal(values, np.nan)
    names = [rescored.boundaries[i].name for i in order]
    return figures.heat(
        "cosines",
        names,
        names,
        values,
        np.zeros_like(values, dtype=bool),
        description="Cosines between the normals of the boundaries.",
        entry="cosine",
    )


def _ablation(rescored: Rescored, order: list[int]) -> Figure:
    """The three rankings of the paper's figure 12."""
    rows = [_row(rescored, i) for i in order]

    def ranked(key: Any) -> list[tuple[str, str, float, bool]]:
        values = [(r["name"], r["level"], float("nan") if key(r) is None else float(key(r)), r["is_factor"]) for r in rows]
        return sorted(values, key=lambda v: (np.isnan(v[2]), -v[2]))

    return figures.three_rankings(
        [
            ("share of positive samples", ranked(lambda r: r["stats"]["positive_share"])),
            ("held-out accuracy", ranked(lambda r: r["facts"].get("held_out_accuracy"))),
            ("re-scoring", ranked(lambda r: r["in_sd"])),
        ]
    )


def _conditions(rescored: Rescored) -> list[dict[str, Any]]:
    """For each conditional direction: what it and the plain one do to its own and to the kept concepts."""
    found = []
    for i, boundary in enumerate(rescored.boundaries):
        if not boundary.given:
            continue
        plain = rescored.boundaries.names.index(boundary.concept)
        columns = [int(rescored.own[i])] + [[row["id"] for row in rescored.concepts].index(name) for name in boundary.given]
        effects = []
        for j in columns:
            unit = max(rescored.concepts[j]["sd"], rescored.concepts[j]["least"])
            effects.append(
                {
                    "concept": rescored.concepts[j]["id"],
                    "own": j == columns[0],
                    **{
                        which: tuple(
                            _at_all(rescored, a, row, j) / unit for a in (rescored.effects.mean, rescored.effects.low, rescored.effects.high)
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
