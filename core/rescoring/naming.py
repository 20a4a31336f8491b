"""Name directions found without labels by the concepts that they move beyond chance (method B)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..statistics import benjamini_hochberg, mean_p_value, null_p_value
from .sums import moments_of, null_means

if TYPE_CHECKING:
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
        """Return signs and concepts as words, strongest first, or `unnamed`.

        >>> moved = [MovedConcept(name, size, 0.0, 0.0, 0.01) for name, size in [("a/x", 0.5), ("a/y", -0.2)]]
        >>> NamedDirection(0, "sefa/0", tuple(moved)).words, NamedDirection(1, "sefa/1", ()).words
        ('+a/x, -a/y', 'unnamed')
        >>> NamedDirection(0, "sefa/0", tuple([*moved, moved[0]])).words
        '+a/x, -a/y, +a/x'
        >>> NamedDirection(0, "sefa/0", tuple(moved * 3)).words
        '+a/x, -a/y, +a/x and 3 more'
        """
        if not self.moves:
            return UNNAMED
        words = [f"{'+' if moved.in_sd > 0.0 else '-'}{moved.concept}" for moved in self.moves[:SHOWN]]
        left = len(self.moves) - SHOWN
        return ", ".join(words) + (f" and {left} more" if left > 0 else "")


@dataclass(frozen=True)
class NamingTests:
    """Hold the tests that give directions their names.

    Attributes:
        rows: positions of the D directions among the boundaries.
        columns: positions of the V concepts that vary.
        q: p values after Benjamini and Hochberg's correction over all D V pairs, (D, V).
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    q: NDArray[np.float64]


def naming_tests(effects: Effects) -> NamingTests:
    """Test each pair of a direction without labels and a concept that varies, at the layer set `all`.

    Args:
        effects: of any boundaries; those that were learnt from labels, and conditional ones, are left out.
    """
    rows = tuple(i for i, b in enumerate(effects.boundaries) if b.direction and not b.given)
    columns = tuple(j for j, concept in enumerate(effects.concepts) if concept.varies)
    p = effects.p[np.ix_(rows, [effects.all_set], [0], columns)][:, 0, 0]  # (D, V)
    # The sense of a target was chosen, so that its test has two sides like the others.
    is_target = effects.own[list(rows), None] == np.array(columns)[None]
    p = np.where(is_target, np.minimum(2.0 * p, 1.0), p)
    return NamingTests(rows, columns, benjamini_hochberg(p.reshape(-1)).reshape(p.shape))


def named_directions(effects: Effects) -> list[NamedDirection]:
    """Name each direction that was found without labels.

    The p values of all pairs of such a direction and a concept that varies, at the layer set `all`, are
    corrected together (Benjamini and Hochberg 1995). A direction is named by the concepts with q below
    `effects.rate`. So if no direction moved anything, the chance that any gets a name would be that rate.

    Args:
        effects: of any boundaries; those that were learnt from labels, and conditional ones, are left out.
    """
    tests = naming_tests(effects)
    return [
        NamedDirection(i, effects.boundaries[i].direction, _moves(effects, i, tests.columns, q.tolist()))
        for i, q in zip(tests.rows, tests.q, strict=True)
    ]


class NamedByChance(NamedTuple):
    """Hold how many of some null directions would be named."""

    named: int
    of: int


def named_by_chance(effects: Effects) -> NamedByChance:
    """Return how many of the null directions the rule of `named_directions` would name.

    Each null direction takes the place of one found without labels: it is compared with the others that are
    moved at the same layers and with zero, and the p values of all pairs of a null direction and a concept
    that varies are corrected together. A null direction has no target, so every test is two-sided.

    Args:
        effects: of any boundaries; only null directions that such a direction is compared with are counted.
    """
    columns = [j for j, concept in enumerate(effects.concepts) if concept.varies]
    kinds = sorted({int(effects.kind[i]) for i in naming_tests(effects).rows})
    p = []
    for g in kinds:
        null = effects.null[g][:, effects.all_set, columns]  # (R, V, 5)
        moments, means = moments_of(null), null_means(null)
        against_zero = mean_p_value(moments.mean, moments.error, moments.count, two_sided=True)
        p += [
            np.maximum(null_p_value(means[r], np.delete(means, r, axis=0), two_sided=True), against_zero[r])
            for r in range(len(means))
        ]
    q = benjamini_hochberg(np.concatenate(p)).reshape(len(p), -1) if p else np.ones((0, 1))
    return NamedByChance(int((q < effects.rate).any(axis=1).sum()), len(p))  # never for NaN


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
