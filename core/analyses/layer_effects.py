"""Compute the effects of a boundary at one layer set: on its own concept, and on other concepts by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..plugins.records import LEVELS
from ..rescoring.results import Effects
from ..rescoring.tables import in_sd_with_interval
from ..statistics import benjamini_hochberg
from .side_effects import SideEffect, side_effect


class ConceptEffect(NamedTuple):
    """Hold the effect of a boundary on one concept at one layer set.

    Attributes:
        boundary, boundary_level: name and level of the boundary.
        layers: name of the layer set.
        concept, concept_level: name and level of the concept.
        own: whether it is the concept of the boundary.
        mean_in_sd, low, high: mean change in sd units with its 95 % interval.
        q_value: corrected p value.
    """

    boundary: str
    boundary_level: str
    layers: str
    concept: str
    concept_level: str
    own: bool
    mean_in_sd: float
    low: float
    high: float
    q_value: float


@dataclass(frozen=True)
class LayerEffect:
    """Hold the effects of one boundary at one layer set.

    Attributes:
        name, level: name and level of the boundary.
        set_name, layers: the layer set.
        is_right: whether these are the right layers of the boundary.
        target: change of the boundary's own concept in sd units, with its 95 % interval.
        levels: side effects on the other concepts of each level.
        elsewhere: side effect on the concepts of all other levels.
        target_name: id of the target of a direction found without labels, which is its own concept; empty for
            other boundaries.
    """

    name: str
    level: str
    set_name: str
    layers: tuple[int, ...]
    is_right: bool
    target: tuple[float, float, float]
    levels: Mapping[str, SideEffect]
    elsewhere: SideEffect
    target_name: str = ""

    @property
    def label(self) -> str:
        """The name, with the target if it has one."""
        return f"{self.name} ({self.target_name})" if self.target_name else self.name


def layer_effect(
    effects: Effects, i: int, at: int, beyond: NDArray[np.bool_], *, is_right: bool
) -> LayerEffect:
    """Return the effects of boundary `i` at layer set `at`; `beyond` (B, S, C) marks significant effects."""
    boundary, own = effects.boundaries[i], int(effects.own[i])
    unit = float(effects.units[own])
    value, low, high = (
        float(array[i, at, 0, own]) / unit for array in (effects.mean, effects.low, effects.high)
    )
    pairs_of = {
        level: [
            (i, j)
            for j, concept in enumerate(effects.concepts)
            if concept.level == level and concept.varies and j != own and concept.id != boundary.concept
        ]
        for level in LEVELS
    }
    other_levels = [pair for level, pairs in pairs_of.items() if level != boundary.level for pair in pairs]
    name = list(effects.sets)[at]
    return LayerEffect(
        name=boundary.name,
        level=boundary.level,
        set_name=name,
        layers=effects.sets[name],
        is_right=is_right,
        target=(value, low, high),
        levels={level: side_effect(effects, pairs, at, beyond) for level, pairs in pairs_of.items() if pairs},
        elsewhere=side_effect(effects, other_levels, at, beyond)
        if other_levels
        else SideEffect(np.nan, np.nan, np.nan, np.nan, 0, 0),
        target_name=boundary.concept if boundary.direction else "",
    )


def significant_effects(
    effects: Effects, rows: Sequence[int], sets: Sequence[int]
) -> tuple[NDArray[np.bool_], list[ConceptEffect]]:
    """Test the effects on other concepts at some layer sets against null directions.

    The p values of all tests together are corrected for the false discovery rate. There is no test where a
    boundary moves nothing.

    Returns:
        Which effects are significant, (B, S, C), and the effects of these boundaries on every concept.
    """
    names = list(effects.sets)
    tests = [
        (i, s, j)
        for i in rows
        for s in sets
        if effects.reached[i, s]
        for j in range(len(effects.concepts))
        if j != effects.own[i]
    ]
    index = tuple(np.array([test[k] for test in tests], dtype=np.int64) for k in range(3))
    q = benjamini_hochberg(effects.p[index[0], index[1], 0, index[2]])
    full = np.full((len(effects.own), len(names), len(effects.concepts)), np.nan)
    full[index] = q
    table: list[ConceptEffect] = []
    for i in rows:
        boundary = effects.boundaries[i]
        for s in (s for s in sets if effects.reached[i, s]):
            for j, concept in enumerate(effects.concepts):
                mean, low, high = in_sd_with_interval(effects, i, s, j)
                is_own = bool(j == effects.own[i])
                table.append(
                    ConceptEffect(
                        boundary.name,
                        boundary.level,
                        names[s],
                        concept.id,
                        concept.level,
                        is_own,
                        mean,
                        low,
                        high,
                        float(effects.q[i, s, 0, j]) if is_own else float(full[i, s, j]),
                    )
                )
    return np.nan_to_num(full, nan=1.0) < effects.rate, table
