"""Hold the leaderboard: every learner with its numbers, their intervals and what chance reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..plugins.boundary import Boundaries
from ..plugins.records import Concept
from ..statistics import share_interval
from .estimates import Chance, Estimate
from .judging import Judged
from .of_space import SpaceNumber

Floats = NDArray[np.float64]


class Row(NamedTuple):
    """Hold a learner and its boundaries.

    Attributes:
        label: name with options.
        supervised: whether it used scores.
        boundaries: of each concept.
        along: sd of the samples along each normal, over that of w on average, (B,).
        milliseconds: time of learning, per direction.
        where: layers at which its directions are moved, in words; empty for all.
    """

    label: str
    supervised: bool
    boundaries: Boundaries
    along: Floats
    milliseconds: float
    where: str


@dataclass(frozen=True)
class Board:
    """Hold the whole leaderboard. Shapes: E learners, B concepts.

    Attributes:
        source: the generator's weights or family.
        rows: the learners.
        concepts: the concepts.
        estimates: every measure over concepts, (E,).
        single: every measure by concept, (E, B).
        chance: what random directions reach, by measure, one for each learner.
        q: of the effect on the target against random directions, (E, B).
        rate: q below which an effect beats the null.
        judges: concepts that several scorers judge.
        space: numbers of the space itself.
        measured_by: what gave distances of pictures, in words.
        left: learners that were left out, with the reason.
        baseline: position of the learner with which others are compared.
        settings: numbers of samples and so on, by name.
    """

    source: str
    rows: Sequence[Row]
    concepts: Sequence[Concept]
    estimates: Mapping[str, Estimate]
    single: Mapping[str, Floats]
    chance: Mapping[str, Sequence[Chance]]
    q: Floats
    rate: float
    judges: Sequence[Judged]
    space: Sequence[SpaceNumber]
    measured_by: str
    left: Mapping[str, str]
    baseline: int
    settings: Mapping[str, Any]

    @property
    def order(self) -> list[int]:
        """Positions of the learners by their effect on target, largest first."""
        effect = self.estimates["target"].value
        return [int(e) for e in np.argsort(-np.nan_to_num(effect, nan=-np.inf), kind="stable")]

    @property
    def front(self) -> list[int]:
        """Positions of the learners that no other beats in both effect on target and leak.

        A learner without a leak is on no front: the interval of its effect on target reaches 0.
        A leak below 0 counts as 0: less than a random direction's side effects are no merit of an edit.
        """
        return pareto_front(self.estimates["target"].value, np.maximum(self.estimates["leak"].value, 0.0))

    def share(self, e: int) -> tuple[float, float, float]:
        """Return the share of concepts whose effect beats the null, with Wilson's interval."""
        share = float((self.q[e] < self.rate).mean())
        return (share, *share_interval(share, len(self.concepts)))

    def cosine(self, e: int) -> float:
        """Return the mean cosine with the baseline's normals; NaN if one of them has a normal per layer."""
        pairs = list(zip(self.rows[e].boundaries, self.rows[self.baseline].boundaries, strict=True))
        if any(a.normal.ndim != 1 or b.normal.ndim != 1 for a, b in pairs):
            return float("nan")
        return float(np.mean([a.normal @ b.normal for a, b in pairs]))

    def __repr__(self) -> str:
        """Return the learners, best first."""
        return f"Board({len(self.rows)} learners: {', '.join(self.rows[e].label for e in self.order)})"


def pareto_front(gain: Floats, cost: Floats) -> list[int]:
    """Return which of E items no other item beats: none has more gain at no more cost, or less at no less.

    Args:
        gain: (E,), above 0, or the item is on no front.
        cost: (E,).

    >>> pareto_front(np.array([3.0, 2.0, 1.0, -1.0]), np.array([0.5, 0.1, 0.2, 0.0]))
    [0, 1]
    """
    front = []
    for e in range(len(gain)):
        if not (gain[e] > 0.0 and np.isfinite(cost[e])):
            continue
        as_good = (gain >= gain[e]) & (cost <= cost[e]) & (gain > 0.0)
        better = (gain > gain[e]) | (cost < cost[e])
        if not (as_good & better).any():
            front.append(e)
    return front
