"""Compare an edit at its right layers with the same edit at wrong layers (paper, figs. 18 and 19). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..plugins.records import LEVELS
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.null_comparison import NO_NULL
from ..rescoring.results import Effects
from ..strata.layers import show_layers
from .layer_effects import ConceptEffect, LayerEffect, layer_effect, significant_effects
from .request import AnalysisRequest, select_boundaries, select_layer_set


@dataclass(frozen=True)
class LayerComparison:
    """Hold the effects of boundaries at right and at wrong layers.

    Attributes:
        rows: effects by boundary, the right layers first, without layers at which it moves nothing.
        peak_share: for each boundary whose right layers are the peak of its level, the share of resamplings
            that have the peak there. Those of a direction with layers of its own are the group of these
            where it changes its target most.
        groups: layer groups that were compared.
        concepts: effects on every concept.
    """

    rows: tuple[LayerEffect, ...]
    peak_share: Mapping[str, float]
    groups: tuple[str, ...]
    concepts: tuple[ConceptEffect, ...]

    @property
    def names(self) -> list[str]:
        """Names of the boundaries."""
        return list(dict.fromkeys(row.name for row in self.rows))

    @property
    def levels(self) -> list[str]:
        """Levels with at least one scored concept that varies."""
        return [level for level in LEVELS if any(level in row.levels for row in self.rows)]

    def of(self, name: str) -> list[LayerEffect]:
        """Return the effects of one boundary, the right layers first."""
        return [row for row in self.rows if row.name == name]


def right_layers(hierarchy: Hierarchy) -> dict[str, tuple[str, float]]:
    """Return, by level, the group where its effect peaks and the share of resamplings that agree."""
    groups = {}
    for m, level in enumerate(hierarchy.levels):
        shares = hierarchy.groups.value[m]  # (G,)
        if len(shares) and not np.isnan(shares).any():
            best = int(shares.argmax())
            groups[level] = (hierarchy.group_names[best], float(hierarchy.peak[m, best]))
    return groups


def default_rows(effects: Effects, candidates: Sequence[int], top: int) -> list[int]:
    """Return the `top` strongest variation factors of each level, in the order of LEVELS."""
    rows: list[int] = []
    for level in LEVELS:
        rows += [i for i in candidates if effects.factors[i] and effects.boundaries[i].level == level][:top]
    return rows


def _check_reached(effects: Effects, rows: Sequence[int], name: str | None) -> None:
    """Refuse right layers at which a direction moves nothing.

    Raises:
        UserError: names the first such direction, and its layers.
    """
    for i in rows:
        layers = effects.boundaries[i].layers
        if name is not None and layers is not None and not effects.reached[i, list(effects.sets).index(name)]:
            raise UserError(
                f"--layers {name}: {effects.boundaries[i].name} moves layers {show_layers(layers)} alone, "
                "and none of them is there"
            )


def _own_group(effects: Effects, i: int, groups: Sequence[str]) -> str:
    """Return the group where a direction with layers of its own changes its target most; else `all`."""
    names = list(effects.sets)
    reached = [group for group in groups if effects.reached[i, names.index(group)]]
    changes = {group: effects.in_sd[i, names.index(group), 0, effects.own[i]] for group in reached}
    return max(reached, key=lambda group: np.nan_to_num(changes[group], nan=-np.inf), default="all")


def compare(effects: Effects, request: AnalysisRequest) -> LayerComparison:
    """Compare the right layers of boundaries with all other layer groups and with all layers.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    names = list(effects.sets)
    groups = [name for name in effects.groups if name in names]
    if len(effects.sets["all"]) == 1:
        raise UserError("this generator has one layer, so there are no right and wrong layers")
    if len(groups) < 2:
        raise UserError(
            "layer groups were not re-scored; make a run with rescoring.layers: [all, each, groups]"
        )
    selected = select_boundaries(effects, request)
    rows = selected[: request.top] if request.concepts else default_rows(effects, selected, request.top or 1)
    if not rows:
        reason = "none of the requested concepts is a variation factor" if effects.has_null else NO_NULL
        raise UserError(f"{reason}; name them with --concepts to compare their layers anyway")
    peaks = {} if effects.missing_hierarchy() else right_layers(effects.hierarchy())
    right_set = None if request.layers is None else select_layer_set(effects, request.layers)[0]
    if right_set is None:
        unknown = sorted({effects.boundaries[i].level for i in rows if effects.free[i]} - peaks.keys())
        if unknown:
            raise UserError(
                f"single layers do not show where {' and '.join(unknown)} peaks; "
                "give the right layers with --layers"
            )
    _check_reached(effects, rows, right_set)
    shown = dict.fromkeys([*groups, *([right_set] if right_set else []), "all"])
    beyond, pairs = significant_effects(effects, rows, [names.index(name) for name in shown])
    compared: list[LayerEffect] = []
    peak_share: dict[str, float] = {}
    for i in rows:
        boundary = effects.boundaries[i]
        right = right_set or (peaks[boundary.level][0] if effects.free[i] else _own_group(effects, i, groups))
        if right_set is None and effects.free[i]:
            peak_share[boundary.name] = peaks[boundary.level][1]
        compared += [
            layer_effect(effects, i, names.index(name), beyond, is_right=name == right)
            for name in dict.fromkeys([right, *groups, "all"])
            if effects.reached[i, names.index(name)]
        ]
    return LayerComparison(tuple(compared), peak_share, tuple(groups), tuple(pairs))
