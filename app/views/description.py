"""Describe the run to the page: its concepts, its boundaries as sliders, and which views there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.plugins.boundary import Boundary
from ...core.rescoring.naming import NamedDirection
from ...core.rescoring.results import Effects, concept_units
from ...core.strata.layers import show_layers
from ...core.strata.moves import own_layers, unit_in_words
from ...core.strata.truncation import mean_code
from ...core.study.asked import plain_words
from ..workspace import Workspace


def described(workspace: Workspace) -> dict[str, Any]:
    """Return what the page needs to know of the run, as plain data without any path."""
    prepared, run = workspace.prepared, workspace.run
    card = prepared.generator.card
    return {
        "run": {
            "name": run.path.resolve().name,
            "family": card.family,
            "height": card.height,
            "width": card.width,
            "layers": card.layers,
            "groups": {name: list(layers) for name, layers in prepared.groups.items()},
            "samples": run.config.synthesis.samples,
            "unit": unit_in_words(run.config.rescoring.distance_unit, styles=prepared.in_styles),
            "truncation": not prepared.generator.classes and mean_code(prepared.generator) is not None,
            "device": str(prepared.device),
            "differences": list(workspace.differences),
        },
        "concepts": concepts(workspace),
        "sliders": sliders(workspace.effects, workspace),
        "range": configured(workspace),
    }


def concepts(workspace: Workspace) -> list[dict[str, Any]]:
    """Return name, words, mean and unit of each concept, in the order of the scores."""
    rows = workspace.run.concepts
    units = concept_units(rows)
    return [
        {
            "name": row.id,
            "words": plain_words(row.id),
            "level": row.level,
            "mean": row.mean,
            "unit": None if math.isnan(unit) else float(unit),
        }
        for row, unit in zip(rows, units, strict=True)
    ]


def sliders(effects: Effects, workspace: Workspace) -> list[dict[str, Any]]:
    """Return a slider for each boundary, verified ones first, at the layers where it works best."""
    config = workspace.run.config
    names = [concept.id for concept in effects.concepts]
    meanings = {direction.direction: _meaning(direction) for direction in effects.directions()}
    described = []
    for i in effects.ranking():
        boundary = effects.boundaries[i]
        where, layers = best_set(effects, i)
        row = list(effects.sets).index(where)
        mean, low, high = (
            plain(values[i, row, 0, effects.own[i]] / _unit(effects, i))
            for values in (effects.mean, effects.low, effects.high)
        )
        moved = own_layers(boundary, layers)
        ranges = stored_ranges(workspace, boundary.name)
        shown = ranges.get(where, configured(workspace))
        described.append(
            {
                "along": boundary.name,
                "words": meanings.get(boundary.name, plain_words(boundary.name)),
                "concept": names[effects.own[i]],
                "set": where,
                "layers": None if where == "all" else show_layers(moved),
                "layer_list": list(moved),
                "low": shown["low"],
                "high": shown["high"],
                "ranges": _by_layers(ranges, effects, boundary),
                "measured_at": config.rescoring.distance,
                "effect": mean,
                "effect_low": low,
                "effect_high": high,
                "verified": bool(effects.factors[i]),
                "q": plain(effects.q[i, row, 0, effects.own[i]]) if effects.has_null else None,
            }
        )
    return sorted(described, key=lambda slider: not slider["verified"])


def stored_ranges(workspace: Workspace, name: str) -> dict[str, dict[str, Any]]:
    """Return the range of a boundary at each layer set of which the run has a strip.

    The ends reach at least as far as re-scoring moved, to both sides, if the strip does: what was measured
    stays in reach, and strips have few pictures.
    """
    editing, distance = workspace.run.config.editing, workspace.run.config.rescoring.distance
    return {
        where: {
            "low": min(found.low, max(min(editing.start, 0.0), -distance)),
            "high": max(found.high, distance),
            "from": "strips",
            "follows": [found.low, found.high],
            "below": found.below,
            "above": found.above,
            "samples": found.samples,
        }
        for (boundary, where), found in workspace.strips.items()
        if boundary == name
    }


def configured(workspace: Workspace) -> dict[str, Any]:
    """Return the range where no strip and no search says how far a score follows: that of `editing`."""
    editing, distance = workspace.run.config.editing, workspace.run.config.rescoring.distance
    return {"low": min(editing.start, 0.0), "high": max(editing.end, distance), "from": "config"}


def _by_layers(
    ranges: dict[str, dict[str, Any]], effects: Effects, boundary: Boundary
) -> dict[str, dict[str, Any]]:
    """Return ranges by the ways in which layers are written: the name of the set, and its numbers."""
    numbers = {
        show_layers(own_layers(boundary, effects.groups[where])): found
        for where, found in ranges.items()
        if where in effects.groups
    }
    return {**numbers, **ranges}


def _meaning(direction: NamedDirection) -> str:
    """Return the name of a direction without labels, and what it moves most."""
    moves = [f"{'+' if m.in_sd > 0.0 else '−'}{plain_words(m.concept)}" for m in direction.moves[:2]]
    return f"{direction.direction} ({', '.join(moves)})" if moves else direction.direction


def best_set(effects: Effects, i: int) -> tuple[str, tuple[int, ...]]:
    """Return the layer group at which boundary i moves its own score most; all layers where none is known."""
    groups = [name for name in effects.sets if name in effects.groups]
    at = {name: list(effects.sets).index(name) for name in groups}
    means = {
        name: float(effects.mean[i, at[name], 0, effects.own[i]])
        for name in groups
        if effects.reached[i, at[name]]
    }
    known = {name: mean for name, mean in means.items() if np.isfinite(mean)}
    best = max(known, key=lambda name: known[name]) if known else "all"
    return best, tuple(effects.sets[best])


def _unit(effects: Effects, i: int) -> float:
    return float(concept_units(effects.concepts)[effects.own[i]])


def plain(value: Any) -> float | None:
    """Return a number as JSON can hold it: None where it is not finite."""
    return float(value) if np.isfinite(value) else None
