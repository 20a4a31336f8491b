"""Compute the rows of the report's tables of concepts and of conditional directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rescoring.results import Effects
from ..runs.manifest import ConceptStats
from ..statistics import without_spread

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ConceptRow:
    """Hold what a boundary does to its own concept when it is moved forwards at all layers.

    Attributes:
        name, level: of the boundary.
        is_factor: whether it is a variation factor.
        is_relearnt: whether there is an interval over learning samples.
        in_sd: mean change in sd units.
        is_point: whether the interval is a point, because all samples changed alike.
        back: the same backwards.
        mean: mean change, with its interval `low`, `high`.
        low_total, high_total: the interval over learning samples as well.
        clipped: mean of the positive part of the change.
        p, q, rank: of the comparison with null directions.
        undefined: pairs without a score.
        facts: of the learner.
        stats: of the concept's scores.
        target: concept by which a direction found without labels is judged; empty for other boundaries.
        words: meaning of such a direction.
    """

    name: str
    level: str
    is_factor: bool
    is_relearnt: bool
    is_point: bool
    in_sd: float
    back: float
    mean: float
    low: float
    high: float
    low_total: float
    high_total: float
    clipped: float
    p: float
    q: float
    rank: float
    undefined: float
    facts: Mapping[str, Any]
    stats: ConceptStats
    target: str = ""
    words: str = ""


@dataclass(frozen=True)
class Change:
    """Hold a mean change in sd units with its 95 % interval, in the order in which it is written."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ConditionEffect:
    """Hold what a plain direction and its conditional one do to a concept, the edited one or a kept one."""

    concept: str
    plain: Change
    conditional: Change


@dataclass(frozen=True)
class ConditionRow:
    """Hold what becomes of the edited concept and of the kept ones along a conditional direction."""

    edit: str
    keep: tuple[str, ...]
    effects: tuple[ConditionEffect, ...]


def concept_row(effects: Effects, i: int, words: str = "") -> ConceptRow:
    """Return what boundary i does to its own concept; `words` are the meaning of a direction."""
    boundary, j = effects.boundaries[i], int(effects.own[i])

    def at_all(array: Floats, sign: int = 0) -> float:
        return float(array[i, effects.all_set, sign, j])

    low_total = at_all(effects.low_total)
    return ConceptRow(
        name=boundary.name,
        level=boundary.level,
        is_factor=bool(effects.factors[i]),
        is_relearnt=not np.isnan(low_total),
        is_point=bool(without_spread(at_all(effects.mean), at_all(effects.low), at_all(effects.high))),
        in_sd=at_all(effects.in_sd),
        back=at_all(effects.in_sd, 1),
        mean=at_all(effects.mean),
        low=at_all(effects.low),
        high=at_all(effects.high),
        low_total=low_total,
        high_total=at_all(effects.high_total),
        clipped=at_all(effects.clipped),
        p=at_all(effects.p),
        q=at_all(effects.q),
        rank=at_all(effects.rank),
        undefined=at_all(effects.undefined),
        facts=boundary.facts,
        stats=effects.concepts[j],
        target=boundary.concept if boundary.direction else "",
        words=words,
    )


def condition_rows(effects: Effects) -> list[ConditionRow]:
    """Return what each conditional and its plain direction do to the edited and the kept concepts, in sd."""
    names = effects.boundaries.names
    rows = []
    for i, boundary in enumerate(effects.boundaries):
        if not boundary.given:
            continue
        plain = names.index(boundary.unconditional_name)
        columns = [int(effects.own[k]) for k in (i, *map(names.index, boundary.given))]
        shown = tuple(
            ConditionEffect(effects.concepts[j].id, _change(effects, plain, j), _change(effects, i, j))
            for j in columns
        )
        rows.append(ConditionRow(boundary.unconditional_name, boundary.given, shown))
    return rows


def _change(effects: Effects, i: int, j: int) -> Change:
    """Return the change of concept j along boundary i, forwards at all layers."""
    at, unit = (i, effects.all_set, 0, j), float(effects.units[j])
    return Change(*(float(array[at]) / unit for array in (effects.mean, effects.low, effects.high)))
