"""The strongest concepts of a model, and of several side by side (method B, paper fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..figures import rankings as figures
from ..figures.rankings import RankedConcept, rankings
from ..rescoring.results import Effects
from ..rescoring.tables import ranked
from ..statistics import bootstrap_means, bootstrap_weights, interval, rank_correlation
from . import sentences as answers
from .base import (
    AnalysisRequest,
    Answer,
    LabelledRun,
    asked_of,
    bracketed,
    check_comparable,
    in_words,
    plain,
    select_boundaries,
    select_layer_set,
    shared_rows,
)

Floats = NDArray[np.float64]

PAPERS = 10  # concepts that the paper shows of each model


def strengths(rescored: Effects, at: int) -> Floats:
    """Each boundary's effect on its own concept at a layer set, in sd units, (B,)."""
    return np.asarray(rescored.in_sd[np.arange(len(rescored.own)), at, 0, rescored.own])


def by_strength(rescored: Effects, at: int, *, conditional: bool = False) -> list[int]:
    """Boundaries by their effect at a layer set, strongest first; what has none comes last."""
    strength = strengths(rescored, at)
    rows = [i for i, b in enumerate(rescored.boundaries) if conditional or not b.given]
    return sorted(rows, key=lambda i: (np.isnan(strength[i]), -strength[i]))


def places(rescored: Effects, rows: Sequence[int], at: int) -> tuple[Floats, Floats]:
    """95 % of the places, from 1, that each of these boundaries takes over resamplings of the samples: two of (len(rows),)."""
    changes = rescored.changes[list(rows)][:, at, 0]  # (F, K)
    means = bootstrap_means(
        changes, bootstrap_weights(changes.shape[1], rescored.bootstrap, rescored.seed)
    )  # (R, F)
    order = np.where(np.isnan(means), np.inf, -means).argsort(axis=1, kind="stable").argsort(axis=1)
    return interval(order.astype(np.float64) + 1.0)


def ranking(sources: Sequence[LabelledRun], ask: AnalysisRequest) -> Answer:
    """Concepts by re-scoring, of one run or of several in one figure.

    Raises:
        GanstrataError: what was asked for does not fit a run, or runs do not meet.
    """
    left_out = check_comparable(sources)
    at = {source.label: select_layer_set(source.rescored, ask.layers) for source in sources}
    meant = [
        select_boundaries(s.rescored, ask, by_strength(s.rescored, at[s.label][1]), runs=sources)
        for s in sources
    ]
    rows = shared_rows(sources, meant)
    top = ask.top or (PAPERS if len(sources) > 1 else None)
    heads = ["run"] if len(sources) > 1 else []
    table = [[*heads, "place", "concept", "level", "change in sd", "q", "factor", "places in 95 %"]]
    full: list[list[Any]] = [
        ["run", "place", "concept", "level", *figures.NUMBERS, "place_low", "place_high"]
    ]
    panels: list[tuple[str, list[RankedConcept]]] = []
    for source, mine in zip(sources, rows, strict=True):
        position = at[source.label][1]
        concepts = [ranked(source.rescored, i, position) for i in mine]
        low, high = places(source.rescored, mine, position)
        panels.append((source.label, concepts[:top]))
        for place, row in enumerate(concepts, start=1):
            span = (low[place - 1], high[place - 1])
            full.append([source.label, place, row.name, row.level, *row.numbers, *span])
            if top is None or place <= top:
                lead = [source.label] if heads else []
                shown = [
                    bracketed(row.value, row.low, row.high),
                    plain(row.q, 3),
                    "yes" if row.is_factor else "no",
                    f"{span[0]:.0f} to {span[1]:.0f}",
                ]
                table.append([*lead, str(place), row.name, row.level, *shown])
    where = in_words(at[sources[0].label][0], sources[0].rescored)
    sentences = [
        f"Moved at {where}; square brackets are 95 % intervals, in standard deviations of each concept among a run's own samples."
    ]
    sentences += [_factors(label, concepts) for label, concepts in panels] + left_out
    sentences += [
        f"{source.label}: {sentence}"
        for source in sources
        for sentence in answers.null_gaps(
            source.rescored.null_gaps(at[source.label][1]), len(source.rescored.null)
        )
    ]
    tables = {"places": full}
    if len(sources) > 1:
        tables["agreement"], said = _agreement(
            panels,
            [[ranked(s.rescored, i, at[s.label][1]) for i in m] for s, m in zip(sources, rows, strict=True)],
        )
        sentences += said
    figure = rankings(panels) if len(sources) > 1 else figures.ranking(panels[0][1])
    return Answer(
        "ranking", table, sentences, [figure], tables, asked_of(ask, layers=at[sources[0].label][0], top=top)
    )


def _factors(label: str, rows: Sequence[RankedConcept]) -> str:
    names = [row.name for row in rows if row.is_factor]
    return (
        f"{label}: {len(names)} of the {len(rows)} shown {'is a variation factor' if len(names) == 1 else 'are variation factors'}"
        + (f"; the strongest is {names[0]}." if names else ".")
    )


def _agreement(
    panels: Sequence[tuple[str, Sequence[RankedConcept]]], whole: Sequence[Sequence[RankedConcept]]
) -> tuple[list[list[Any]], list[str]]:
    """How alike the rankings of two runs are: shared concepts of those shown, and the rank correlation over all that both have."""
    table: list[list[Any]] = [
        ["run", "other_run", "shown", "shown_in_both", "concepts", "rank_correlation", "low", "high"]
    ]
    said = []
    for a, b in combinations(range(len(panels)), 2):
        (label, mine), (other, theirs) = panels[a], panels[b]
        both = len({row.name for row in mine} & {row.name for row in theirs})
        first, second = ({row.name: row.value for row in whole[k]} for k in (a, b))
        names = [name for name in first if name in second]
        found = rank_correlation(np.array([first[n] for n in names]), np.array([second[n] for n in names]))
        table.append([label, other, min(len(mine), len(theirs)), both, len(names), *found])
        told = (
            f"rank correlation over {len(names)} concepts {bracketed(*found)}"
            if not np.isnan(found[0])
            else "too few for a rank correlation"
        )
        said.append(
            f"{label} and {other}: {both} of {min(len(mine), len(theirs))} shown concepts are the same; {told}."
        )
    return table, said
