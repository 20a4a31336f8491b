"""Name directions found without labels by the concepts that they move beyond chance (method B)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics import benjamini_hochberg
from .results import Effects

UNNAMED = "unnamed"
SHOWN = 3  # concepts in the words of a name


@dataclass(frozen=True)
class MovedConcept:
    """Hold a concept that a direction moves beyond chance.

    Attributes:
        concept: id of the concept.
        in_sd: mean change in sd units, forwards at all of the direction's layers.
        low, high: 95 % interval of `in_sd` over verification samples.
        q: p value after Benjamini and Hochberg's correction over directions and concepts.
    """

    concept: str
    in_sd: float
    low: float
    high: float
    q: float


@dataclass(frozen=True)
class NamedDirection:
    """Hold what a direction found without labels turned out to mean.

    Attributes:
        row: position of the direction among the boundaries.
        direction: its own name, such as `sefa/0`.
        moves: concepts that it moves beyond chance, strongest first.
    """

    row: int
    direction: str
    moves: tuple[MovedConcept, ...]

    @property
    def words(self) -> str:
        """Return the meaning in words: signs and concepts, strongest first, or `unnamed`.

        >>> moved = [MovedConcept(name, size, 0.0, 0.0, 0.01) for name, size in [("a/x", 0.5), ("a/y", -0.2)]]
        >>> NamedDirection(0, "sefa/0", tuple(moved)).words, NamedDirection(1, "sefa/1", ()).words
        ('+a/x, -a/y', 'unnamed')
        """
        if not self.moves:
            return UNNAMED
        words = [f"{'+' if moved.in_sd > 0.0 else '-'}{moved.concept}" for moved in self.moves[:SHOWN]]
        left = len(self.moves) - SHOWN
        return ", ".join(words) + (f" and {left} more" if left > 0 else "")


def named_directions(effects: Effects) -> list[NamedDirection]:
    """Name each direction that was found without labels.

    The p values of all pairs of such a direction and a concept that varies, at the layer set `all`, are
    corrected together (Benjamini and Hochberg 1995). A direction is named by the concepts with q below
    `effects.rate`. So if no direction moved anything, the chance that any gets a name would be that rate.

    Args:
        effects: of any boundaries; those that were learnt from labels, and conditional ones, are left out.
    """
    rows = [i for i, b in enumerate(effects.boundaries) if b.direction and not b.given]
    columns = [j for j, concept in enumerate(effects.concepts) if concept.varies]
    if not rows or not columns:
        return []
    at = np.ix_(rows, [effects.all_set], [0], columns)
    q = benjamini_hochberg(effects.p[at].reshape(-1)).reshape(len(rows), len(columns))
    return [
        NamedDirection(i, effects.boundaries[i].direction, _moves(effects, i, columns, q[k].tolist()))
        for k, i in enumerate(rows)
    ]


def _moves(
    effects: Effects, row: int, columns: Sequence[int], q: Sequence[float]
) -> tuple[MovedConcept, ...]:
    """Return the concepts of these columns with q below the rate, strongest first."""
    found = []
    for j, value in zip(columns, q, strict=True):
        if value < effects.rate:  # never for NaN
            at, unit = (row, effects.all_set, 0, j), float(effects.units[j])
            mean, low, high = (float(array[at]) / unit for array in (effects.mean, effects.low, effects.high))
            found.append(MovedConcept(effects.concepts[j].id, mean, low, high, value))
    return tuple(sorted(found, key=lambda moved: -abs(moved.in_sd)))
