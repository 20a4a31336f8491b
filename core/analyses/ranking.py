"""Rank the concepts of a model, or of several models, by their effect (paper, fig. 6). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..figures.rankings import RankedConcept
from ..rescoring.results import Effects
from ..rescoring.tables import ranked
from ..statistics import bootstrap_means, bootstrap_weights, interval, rank_correlation
from .labelled_runs import LabelledRun, shared_rows
from .request import AnalysisRequest, select_boundaries, select_layer_set

Floats = NDArray[np.float64]

TOP = 10  # concepts per model in a figure of several, as in the paper


@dataclass(frozen=True)
class RunRanking:
    """Hold the F concepts of a run, strongest first.

    Attributes:
        label: of the run.
        set_name: layer set at which samples were moved.
        concepts: effects of the boundaries on their own concepts, (F,).
        place_low, place_high: 95 % interval of the place, counted from 1, (F,).
        null_gaps: see `Effects.null_gaps`.
        null_directions: number of null directions.
        meanings: meaning of each direction found without labels, by name.
    """

    label: str
    set_name: str
    concepts: tuple[RankedConcept, ...]
    place_low: Floats
    place_high: Floats
    null_gaps: Mapping[str, int]
    null_directions: int
    meanings: Mapping[str, str]


class Agreement(NamedTuple):
    """Hold how far the rankings of two runs agree.

    Attributes:
        run, other_run: labels of the runs.
        shown: number of concepts that a figure shows of each.
        shown_in_both: number of these that are the same.
        concepts: number of concepts that both runs have.
        rank_correlation, low, high: over these, with its 95 % interval.
    """

    run: str
    other_run: str
    shown: int
    shown_in_both: int
    concepts: int
    rank_correlation: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranking:
    """Hold the rankings of runs, and how far every two of them agree.

    Attributes:
        runs: at least one.
        top: number of concepts of each run to show; None for all.
        agreements: one for every pair of runs.
    """

    runs: tuple[RunRanking, ...]
    top: int | None
    agreements: tuple[Agreement, ...]


def strengths(effects: Effects, at: int) -> Floats:
    """Return each boundary's effect on its own concept at a layer set, in sd units, (B,).

    It is NaN for a boundary that moves none of these layers.
    """
    values = effects.in_sd[np.arange(len(effects.own)), at, 0, effects.own]
    return np.where(effects.reached[:, at], values, np.nan)


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
    changes = np.where(effects.reached[list(rows), at][:, None], changes, np.nan)
    weights = bootstrap_weights(changes.shape[1], effects.bootstrap, effects.seed)
    means = bootstrap_means(changes, weights)  # (R, F)
    order = np.where(np.isnan(means), np.inf, -means).argsort(axis=1, kind="stable").argsort(axis=1)
    return interval(order.astype(np.float64) + 1.0)


def rank_concepts(sources: Sequence[LabelledRun], request: AnalysisRequest) -> Ranking:
    """Rank the concepts that all of these comparable runs score.

    Raises:
        GanstrataError: the request does not fit a run.
    """
    at = [select_layer_set(source.effects, request.layers) for source in sources]
    selected = [
        select_boundaries(source.effects, request, by_strength(source.effects, place), runs=sources)
        for source, (_, place) in zip(sources, at, strict=True)
    ]
    rows = shared_rows(sources, selected)
    top = request.top or (TOP if len(sources) > 1 else None)
    runs = tuple(
        _run_ranking(source, positions, *where)
        for source, positions, where in zip(sources, rows, at, strict=True)
    )
    return Ranking(runs, top, tuple(_agreement(a, b, top) for a, b in combinations(runs, 2)))


def _run_ranking(source: LabelledRun, rows: Sequence[int], set_name: str, at: int) -> RunRanking:
    """Rank these boundaries of a run, which are sorted already, at a layer set."""
    effects = source.effects
    low, high = places(effects, rows, at)
    return RunRanking(
        label=source.label,
        set_name=set_name,
        concepts=tuple(ranked(effects, i, at) for i in rows),
        place_low=low,
        place_high=high,
        null_gaps=effects.null_gaps(at),
        null_directions=effects.null.shape[1],
        meanings={direction.direction: direction.words for direction in effects.directions()},
    )


def _agreement(run: RunRanking, other: RunRanking, top: int | None) -> Agreement:
    """Compare the rankings of two runs: the concepts shown, and the ranks of all that both have.

    Directions found without labels are left out: those of two runs may have one name and nothing in common.
    """
    a, b = ([row for row in ranking.concepts if not row.target] for ranking in (run, other))
    both = {row.name for row in a[:top]} & {row.name for row in b[:top]}
    first, second = ({row.name: row.value for row in rows} for rows in (a, b))
    names = [name for name in first if name in second]
    correlation = rank_correlation(np.array([first[n] for n in names]), np.array([second[n] for n in names]))
    shown = min(len(a[:top]), len(b[:top]))
    return Agreement(run.label, other.label, shown, len(both), len(names), *correlation)
