"""Turn effects into tables: the rows of rescoring.csv, and a summary for notebooks."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..decimals import significant
from ..figures.notebook import html_table
from ..figures.rankings import NOT_TESTED, RankedConcept
from ..statistics import null_moments, without_spread
from .sums import SIGNS, null_means

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .results import Effects


class EffectRow(NamedTuple):
    """Hold a row of rescoring.csv: what moving along a boundary at a layer set does to a concept."""

    boundary: str
    boundary_level: str
    layers: str
    concept: str
    concept_level: str
    samples: int
    clipped_mean: float
    mean: float
    standard_error: float
    low: float
    high: float
    mean_in_sd: float
    p_value: float
    q_value: float
    step: float
    undefined: int
    made_undefined: int
    rank_p: float
    null_directions: float
    low_total: float
    high_total: float
    no_spread: bool
    target: str


def rows_of(effects: Effects) -> Iterator[EffectRow]:
    """Yield a row per boundary, layer set, sign and concept.

    There is none for steps that were not taken, and none for sets without a layer that the boundary moves.
    """
    moved = effects.moved
    for i, boundary in enumerate(effects.boundaries):
        for s, name in enumerate(effects.sets):
            for k, sign in enumerate(SIGNS):
                if not moved[i, s, k]:
                    continue
                for j, concept in enumerate(effects.concepts):
                    at = (i, s, k, j)
                    yield EffectRow(
                        boundary=boundary.name,
                        boundary_level=boundary.level,
                        layers=name,
                        concept=concept.id,
                        concept_level=concept.level,
                        samples=int(effects.count[at]),
                        clipped_mean=float(effects.clipped[at]),
                        mean=float(effects.mean[at]),
                        standard_error=float(effects.error[at]),
                        low=float(effects.low[at]),
                        high=float(effects.high[at]),
                        mean_in_sd=float(effects.in_sd[at]),
                        p_value=float(effects.p[at]),
                        q_value=float(effects.q[at]),
                        step=float(sign * effects.step),
                        undefined=int(effects.undefined[at]),
                        made_undefined=int(effects.made_undefined[at]),
                        rank_p=float(effects.rank[at]),
                        null_directions=float(effects.null_count[at]),
                        low_total=float(effects.low_total[at]),
                        high_total=float(effects.high_total[at]),
                        no_spread=bool(without_spread(effects.mean[at], effects.low[at], effects.high[at])),
                        target=boundary.concept,
                    )


def in_sd_with_interval(effects: Effects, i: int, at: int, j: int) -> tuple[float, float, float]:
    """Return the effect of boundary i on concept j at a layer set, forwards, in sd units with its interval.

    Args:
        effects: effects of all boundaries.
        i: position of the boundary.
        at: position of the layer set.
        j: column of the concept.
    """
    unit = effects.units[j]
    mean, low, high = (float(a[i, at, 0, j] / unit) for a in (effects.mean, effects.low, effects.high))
    return mean, low, high


def ranked(effects: Effects, i: int, at: int) -> RankedConcept:
    """Return the effect of one boundary on its own concept at a layer set, in sd units.

    The null distribution is shown as mean -+ 2 sd of the effects of the null directions. All numbers are NaN
    if the boundary moves none of these layers.

    Args:
        effects: effects of all boundaries.
        i: position of the boundary.
        at: position of the layer set.
    """
    j, boundary, is_moved = int(effects.own[i]), effects.boundaries[i], bool(effects.reached[i, at])
    unit = float(effects.units[j]) if is_moved else nan
    _, centre, spread = (
        float(moment) for moment in null_moments(null_means(effects.null_of(i)[:, at, j]) / unit)
    )

    def in_sd(array: NDArray[np.float64]) -> float:
        return float(array[i, at, 0, j]) / unit

    return RankedConcept(
        name=boundary.name,
        level=boundary.level,
        value=in_sd(effects.mean),
        low=in_sd(effects.low),
        high=in_sd(effects.high),
        low_total=in_sd(effects.low_total),
        high_total=in_sd(effects.high_total),
        null_low=centre - 2.0 * spread,
        null_high=centre + 2.0 * spread,
        q=float(effects.q[i, at, 0, j]) if is_moved else nan,
        is_factor=bool(effects.factors[i]),
        target=boundary.concept if boundary.direction else "",
        is_moved=is_moved,
        is_tested=effects.has_null,
    )


def html_of(effects: Effects) -> str:
    """Return an HTML table of the boundaries, strongest first.

    Its columns are the effect at all layers in sd, its intervals, p and q. If some were found without labels,
    their targets and meanings follow the names.
    """
    meanings = {direction.direction: direction.words for direction in effects.directions()}
    of_directions = ("target", "meaning") if any(b.direction for b in effects.boundaries) else ()
    heads = (
        "boundary",
        *of_directions,
        "level",
        "effect in sd",
        "over verification samples",
        "over learning samples too",
        "p",
        "q",
        "variation factor",
    )
    cells = []
    for i in effects.ranking():
        row, p = ranked(effects, i, effects.all_set), effects.p[i, effects.all_set, 0, effects.own[i]]
        boundary = effects.boundaries[i]
        cells.append(
            (
                row.name,
                *((boundary.concept, meanings.get(boundary.name, "")) if of_directions else ()),
                row.level,
                f"{row.value:.2f}",
                f"[{row.interval}]",
                f"[{row.low_total:.2f}, {row.high_total:.2f}]" if row.low_total == row.low_total else "",
                significant(p),
                significant(row.q),
                "yes" if row.is_factor else "no" if row.is_tested else NOT_TESTED,
            )
        )
    return html_table(heads, cells)
