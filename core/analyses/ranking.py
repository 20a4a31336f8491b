"""Rank the concepts of a model, or of several models side by side, by their effect (paper, fig. 6)."""

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
from .base import (
    AnalysisRequest,
    AnalysisResult,
    LabelledRun,
    bracketed,
    check_comparable,
    in_words,
    plain,
    request_record,
    select_boundaries,
    select_layer_set,
    shared_rows,
)
from .sentences import null_gaps

Floats = NDArray[np.float64]

TOP = 10  # concepts per model in a figure of several, as in the paper


def strengths(effects: Effects, at: int) -> Floats:
    """Return each boundary's effect on its own concept at a layer set, in sd units, (B,)."""
    return np.asarray(effects.in_sd[np.arange(len(effects.own)), at, 0, effects.own])


def by_strength(effects: Effects, at: int, *, conditional: bool = False) -> list[int]:
    """Return the boundaries sorted by their effect at a layer set, strongest first, NaN last."""
    strength = strengths(effects, at)
    rows = [i for i, b in enumerate(effects.boundaries) if conditional or not b.given]
    return sorted(rows, key=lambda i: (np.isnan(strength[i]), -strength[i]))


def places(effects: Effects, rows: Sequence[int], at: int) -> tuple[Floats, Floats]:
    """Return the 95 % interval of each boundary's place, counted from 1, over resamplings of the samples.

    Returns:
        Low and high place, each (len(rows),).
    """
    changes = effects.changes[list(rows)][:, at, 0]  # (F, K)
    weights = bootstrap_weights(changes.shape[1], effects.bootstrap, effects.seed)
    means = bootstrap_means(changes, weights)  # (R, F)
    order = np.where(np.isnan(means), np.inf, -means).argsort(axis=1, kind="stable").argsort(axis=1)
    return interval(order.astype(np.float64) + 1.0)


def ranking(sources: Sequence[LabelledRun], request: AnalysisRequest) -> AnalysisResult:
    """Rank the concepts of one run, or of several comparable runs in one figure.

    Raises:
        GanstrataError: the request does not fit a run, or the runs are not comparable.
    """
    left_out = check_comparable(sources)
    at = {source.label: select_layer_set(source.effects, request.layers) for source in sources}
    selected = [
        select_boundaries(s.effects, request, by_strength(s.effects, at[s.label][1]), runs=sources)
        for s in sources
    ]
    rows = shared_rows(sources, selected)
    top = request.top or (TOP if len(sources) > 1 else None)
    heads = ["run"] if len(sources) > 1 else []
    table = [[*heads, "place", "concept", "level", "change in sd", "q", "factor", "places in 95 %"]]
    full: list[list[Any]] = [
        ["run", "place", "concept", "level", *figures.NUMBERS, "place_low", "place_high"]
    ]
    panels: list[tuple[str, list[RankedConcept]]] = []
    for source, positions in zip(sources, rows, strict=True):
        at_set = at[source.label][1]
        concepts = [ranked(source.effects, i, at_set) for i in positions]
        low, high = places(source.effects, positions, at_set)
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
    where = in_words(at[sources[0].label][0], sources[0].effects)
    sentences = [
        f"Moved at {where}; square brackets are 95 % intervals, "
        "in standard deviations of each concept among a run's own samples."
    ]
    sentences += [_factors(label, concepts) for label, concepts in panels] + left_out
    sentences += [
        f"{source.label}: {sentence}"
        for source in sources
        for sentence in null_gaps(source.effects.null_gaps(at[source.label][1]), len(source.effects.null))
    ]
    tables = {"places": full}
    if len(sources) > 1:
        full_rankings = [
            [ranked(s.effects, i, at[s.label][1]) for i in positions]
            for s, positions in zip(sources, rows, strict=True)
        ]
        tables["agreement"], comparisons = _agreement(panels, full_rankings)
        sentences += comparisons
    figure = rankings(panels) if len(sources) > 1 else figures.ranking(panels[0][1])
    record = request_record(request, layers=at[sources[0].label][0], top=top)
    return AnalysisResult("ranking", table, sentences, [figure], tables, record)


def _factors(label: str, rows: Sequence[RankedConcept]) -> str:
    """Say how many of the shown concepts are variation factors."""
    names = [row.name for row in rows if row.is_factor]
    verb = "is a variation factor" if len(names) == 1 else "are variation factors"
    strongest = f"; the strongest is {names[0]}." if names else "."
    return f"{label}: {len(names)} of the {len(rows)} shown {verb}{strongest}"


def _agreement(
    panels: Sequence[tuple[str, Sequence[RankedConcept]]], full_rankings: Sequence[Sequence[RankedConcept]]
) -> tuple[list[list[Any]], list[str]]:
    """Compare the rankings of every pair of runs.

    Returns:
        The table agreement.csv, and a sentence per pair: how many of the shown concepts are the same, and the
        rank correlation over all concepts that both runs have.
    """
    table: list[list[Any]] = [
        ["run", "other_run", "shown", "shown_in_both", "concepts", "rank_correlation", "low", "high"]
    ]
    sentences = []
    for a, b in combinations(range(len(panels)), 2):
        (label, first_shown), (other, second_shown) = panels[a], panels[b]
        both = len({row.name for row in first_shown} & {row.name for row in second_shown})
        shown = min(len(first_shown), len(second_shown))
        first, second = ({row.name: row.value for row in full_rankings[k]} for k in (a, b))
        names = [name for name in first if name in second]
        correlation = rank_correlation(
            np.array([first[n] for n in names]), np.array([second[n] for n in names])
        )
        table.append([label, other, shown, both, len(names), *correlation])
        verdict = (
            f"rank correlation over {len(names)} concepts {bracketed(*correlation)}"
            if not np.isnan(correlation[0])
            else "too few for a rank correlation"
        )
        sentences.append(f"{label} and {other}: {both} of {shown} shown concepts are the same; {verdict}.")
    return table, sentences
