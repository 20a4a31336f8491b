"""Gather what a run knows of each direction found without labels: a record each, and directions.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..storage.csv_tables import Table
from ..strata.layers import show_layers
from .naming import MovedConcept, NamedDirection
from .tables import ranked

if TYPE_CHECKING:
    from .results import Effects

DIRECTIONS_FILE = "directions.csv"
CORRELATION = "target_correlation"  # the fact that stage `learn` adds to a direction
FACT = "fact_"  # what columns of facts begin with, so that none is called like another column


@dataclass(frozen=True)
class FoundDirection:
    """Hold a direction found without labels: what it means, how it was judged, and what its learner knew.

    Attributes:
        row: position among the boundaries.
        name: its own name, such as `sefa/0`.
        words: its meaning in words, or `unnamed`.
        moves: concepts that it moves beyond chance, strongest first.
        target, level: the concept by which it is judged, and its level.
        correlation: of its distances with the target's probing scores; None if unknown.
        value, low, high: its effect on the target at all its layers in sd units, with the 95 % interval.
        q: of that effect.
        is_factor: whether it is a variation factor.
        layers: its own layers; empty if it moves all.
        facts: what its learner knew of it, such as `eigenvalue`.
    """

    row: int
    name: str
    words: str
    moves: tuple[MovedConcept, ...]
    target: str
    level: str
    correlation: float | None
    value: float
    low: float
    high: float
    q: float
    is_factor: bool
    layers: str
    facts: Mapping[str, Any]

    @property
    def is_named(self) -> bool:
        """Whether it moves any concept beyond chance."""
        return bool(self.moves)


def found_directions(effects: Effects) -> tuple[FoundDirection, ...]:
    """Gather the directions found without labels: named ones first, then by the effect that names them.

    Args:
        effects: of any boundaries; those that were learnt from labels, and conditional ones, are left out.
    """
    return tuple(
        _found(effects, direction)
        for direction in sorted(effects.directions(), key=lambda d: _order(effects, d))
    )


def directions_table(found: Sequence[FoundDirection]) -> Table:
    """Return directions.csv: a row per direction. Facts that are no text or number are left out.

    Args:
        found: from `found_directions`.
    """
    columns = ("direction", "meaning", "target", "level", "target_correlation", "mean_in_sd", "low", "high")
    facts = list(
        dict.fromkeys(
            name
            for direction in found
            for name, value in direction.facts.items()
            if name != CORRELATION and isinstance(value, str | int | float)
        )
    )
    return Table(
        (*columns, "q_value", "variation_factor", "layers", *(f"{FACT}{name}" for name in facts)),
        [
            (
                direction.name,
                direction.words,
                direction.target,
                direction.level,
                direction.correlation,
                direction.value,
                direction.low,
                direction.high,
                direction.q,
                direction.is_factor,
                direction.layers,
                *(_cell(direction.facts.get(name)) for name in facts),
            )
            for direction in found
        ],
    )


def _cell(value: Any) -> str | float | None:
    return value if isinstance(value, str | int | float) else None


def _order(effects: Effects, direction: NamedDirection) -> tuple[bool, float]:
    """Return the key that puts named directions first, and the strongest of each kind."""
    i = direction.row
    value = (
        direction.moves[0].in_sd if direction.moves else effects.in_sd[i, effects.all_set, 0, effects.own[i]]
    )
    return not direction.moves, -abs(float(np.nan_to_num(value)))


def _found(effects: Effects, direction: NamedDirection) -> FoundDirection:
    boundary = effects.boundaries[direction.row]
    effect = ranked(effects, direction.row, effects.all_set)
    correlation = boundary.facts.get(CORRELATION)
    return FoundDirection(
        row=direction.row,
        name=boundary.name,
        words=direction.words,
        moves=direction.moves,
        target=boundary.concept,
        level=boundary.level,
        correlation=None if correlation is None else float(correlation),
        value=effect.value,
        low=effect.low,
        high=effect.high,
        q=effect.q,
        is_factor=effect.is_factor,
        layers="" if boundary.layers is None else show_layers(boundary.layers),
        facts=boundary.facts,
    )
