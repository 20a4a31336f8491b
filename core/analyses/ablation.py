"""Why re-score: the same concepts by share of positives, by accuracy and by re-scoring (method B, paper fig. 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..boundaries.selection import Extremes
from ..figures import rankings as figures
from ..figures.figure import Figure
from ..rescoring.results import Effects
from ..rescoring.tables import ranked
from ..statistics import rank_correlation, share_interval
from .base import (
    AnalysisRequest,
    Answer,
    LabelledRun,
    asked_of,
    bracketed,
    in_words,
    select_boundaries,
    select_layer_set,
)
from .ranking import by_strength

RANKINGS = ("share of positive samples", "held-out accuracy", "re-scoring")


@dataclass(frozen=True)
class Judged:
    """One concept with its three scores, each with a 95 % interval, NaN where there is none."""

    name: str
    level: str
    is_factor: bool
    scores: tuple[tuple[float, float, float], ...]


def judged(rescored: Effects, i: int, at: int, settings: Mapping[str, Any] | None = None) -> Judged:
    """The three scores of one boundary.

    Args:
        rescored: of a run.
        i: which boundary.
        at: layer set of re-scoring.
        settings: of the learner, to know how many samples were held out; None to leave that interval out.
    """
    concept, boundary = rescored.concepts[int(rescored.own[i])], rescored.boundaries[i]
    share, accuracy = concept["positive_share"], boundary.facts.get("held_out_accuracy")
    positives = (
        (np.nan, np.nan, np.nan)
        if share is None
        else (float(share), *share_interval(float(share), concept["samples"]))
    )
    held = (
        (np.nan, np.nan, np.nan)
        if accuracy is None
        else (float(accuracy), *share_interval(float(accuracy), _held_out(boundary.facts, settings)))
    )
    row = ranked(rescored, i, at)
    return Judged(
        boundary.name, boundary.level, row.is_factor, (positives, held, (row.value, row.low, row.high))
    )


def _held_out(facts: Mapping[str, Any], settings: Mapping[str, Any] | None) -> float:
    """How many samples an accuracy was measured on; NaN where that is not known, and about as many where a learner does not say."""
    if "held_out" in facts:
        return float(facts["held_out"])
    if settings is None or "positives" not in facts or "negatives" not in facts:
        return float("nan")
    share = float(settings.get("train_share", Extremes.model_fields["train_share"].default))
    return float(facts["positives"] + facts["negatives"]) * (1.0 - share)


def sorted_by(rows: Sequence[Judged], ranking: int) -> list[Judged]:
    """Highest score first; what has none comes last."""
    return sorted(rows, key=lambda row: (np.isnan(row.scores[ranking][0]), -row.scores[ranking][0]))


def figure_of(rows: Sequence[Judged]) -> Figure:
    """The three rankings of the paper's figure 12."""
    return figures.three_rankings(
        [
            (title, [(row.name, row.level, row.scores[k][0], row.is_factor) for row in sorted_by(rows, k)])
            for k, title in enumerate(RANKINGS)
        ]
    )


def ablation(source: LabelledRun, ask: AnalysisRequest) -> Answer:
    """Three rankings side by side, how far they agree, and how many variation factors stand first in each.

    Raises:
        GanstrataError: what was asked for does not fit the run.
    """
    rescored = source.rescored
    name, at = select_layer_set(rescored, ask.layers)
    meant = select_boundaries(rescored, ask, by_strength(rescored, at))
    rows = [judged(rescored, i, at, source.run.config.boundary.options) for i in meant]
    factors = sum(row.is_factor for row in rows)
    orders = [sorted_by(rows, k) for k in range(len(RANKINGS))]
    table = [["place", *RANKINGS]]
    for place in range(min(len(rows), ask.top or len(rows))):
        cells = [
            f"{order[place].name} {bracketed(*order[place].scores[k])}" for k, order in enumerate(orders)
        ]
        table.append([str(place + 1), *cells])
    numbers: list[list[Any]] = [
        ["ranking", "place", "concept", "level", "value", "low", "high", "variation_factor"]
    ]
    numbers += [
        [RANKINGS[k], place, row.name, row.level, *row.scores[k], row.is_factor]
        for k, order in enumerate(orders)
        for place, row in enumerate(order, start=1)
    ]
    agreement: list[list[Any]] = [["ranking", "other_ranking", "concepts", "rank_correlation", "low", "high"]]
    sentences = [
        f"{len(rows)} concepts, {factors} of them variation factors; re-scoring at {in_words(name, rescored)}."
    ]
    for a, b in combinations(range(len(RANKINGS)), 2):
        found = rank_correlation(*(np.array([row.scores[k][0] for row in rows]) for k in (a, b)))
        agreement.append([RANKINGS[a], RANKINGS[b], len(rows), *found])
        told = (
            "too few concepts to say how far they agree"
            if np.isnan(found[0])
            else f"rank correlation {bracketed(*found)}{_verdict(found)}"
        )
        sentences.append(f"{RANKINGS[a].capitalize()} and {RANKINGS[b]}: {told}.")
    if 0 < factors < len(rows):
        first = [
            f"{sum(row.is_factor for row in order[:factors])} by {RANKINGS[k]}"
            for k, order in enumerate(orders)
        ]
        sentences.append(f"Of the first {factors} concepts, variation factors are: {', '.join(first)}.")
    shown = [row for row in rows if row in orders[2][: ask.top or len(rows)]]
    tables = {"rankings": numbers, "agreement": agreement}
    return Answer("ablation", table, sentences, [figure_of(shown)], tables, asked_of(ask, layers=name))


def _verdict(found: tuple[float, float, float]) -> str:
    if found[1] > 0.0:
        return ", so they agree"
    return ", so they go against each other" if found[2] < 0.0 else ", so agreement is not shown"
