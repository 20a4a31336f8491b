"""Compare rankings by share of positives, by held-out accuracy and by re-scoring (paper, fig. 12)."""

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
    AnalysisResult,
    LabelledRun,
    bracketed,
    in_words,
    request_record,
    select_boundaries,
    select_layer_set,
)
from .ranking import by_strength

RANKINGS = ("share of positive samples", "held-out accuracy", "re-scoring")
UNKNOWN = (np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class ScoredConcept:
    """Hold the three scores of a concept, in the order of RANKINGS.

    Attributes:
        name: name of the boundary.
        level: its level.
        is_factor: whether it is a variation factor.
        scores: value, low and high end of the 95 % interval for each ranking; NaN where unknown.
    """

    name: str
    level: str
    is_factor: bool
    scores: tuple[tuple[float, float, float], ...]


def scored_concept(
    effects: Effects, i: int, at: int, options: Mapping[str, Any] | None = None
) -> ScoredConcept:
    """Return the three scores of a boundary.

    The share of positives and the held-out accuracy have Wilson intervals.

    Args:
        effects: effects of the run.
        i: position of the boundary.
        at: position of the layer set.
        options: options of the learner, from which the number of held-out samples follows; None to leave the
            interval of the accuracy unknown unless the boundary states that number.
    """
    concept, boundary = effects.concepts[int(effects.own[i])], effects.boundaries[i]
    share, accuracy = concept["positive_share"], boundary.facts.get("held_out_accuracy")
    positives, held_out = UNKNOWN, UNKNOWN
    if share is not None:
        positives = (float(share), *share_interval(float(share), concept["samples"]))
    if accuracy is not None:
        count = _held_out_count(boundary.facts, options)
        held_out = (float(accuracy), *share_interval(float(accuracy), count))
    row = ranked(effects, i, at)
    return ScoredConcept(
        boundary.name, boundary.level, row.is_factor, (positives, held_out, (row.value, row.low, row.high))
    )


def _held_out_count(facts: Mapping[str, Any], options: Mapping[str, Any] | None) -> float:
    """Return the number of held-out samples: stated by the learner, else estimated, NaN if unknown."""
    if "held_out" in facts:
        return float(facts["held_out"])
    if options is None or "positives" not in facts or "negatives" not in facts:
        return float("nan")
    share = float(options.get("train_share", Extremes.model_fields["train_share"].default))
    return float(facts["positives"] + facts["negatives"]) * (1.0 - share)


def sorted_by(rows: Sequence[ScoredConcept], ranking: int) -> list[ScoredConcept]:
    """Return the concepts sorted by one score, highest first, NaN last."""
    return sorted(rows, key=lambda row: (np.isnan(row.scores[ranking][0]), -row.scores[ranking][0]))


def figure_of(rows: Sequence[ScoredConcept]) -> Figure:
    """Draw the three rankings of the paper's figure 12."""
    return figures.three_rankings(
        [
            (title, [(row.name, row.level, row.scores[k][0], row.is_factor) for row in sorted_by(rows, k)])
            for k, title in enumerate(RANKINGS)
        ]
    )


def ablation(source: LabelledRun, request: AnalysisRequest) -> AnalysisResult:
    """Compare the three rankings: how well they agree, and how many variation factors come first in each.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    effects = source.effects
    name, at = select_layer_set(effects, request.layers)
    selected = select_boundaries(effects, request, by_strength(effects, at))
    rows = [scored_concept(effects, i, at, source.run.config.boundary.options) for i in selected]
    factors = sum(row.is_factor for row in rows)
    orders = [sorted_by(rows, k) for k in range(len(RANKINGS))]
    table = [["place", *RANKINGS]]
    for place in range(min(len(rows), request.top or len(rows))):
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
        f"{len(rows)} concepts, {factors} of them variation factors; re-scoring at {in_words(name, effects)}."
    ]
    for a, b in combinations(range(len(RANKINGS)), 2):
        correlation = rank_correlation(*(np.array([row.scores[k][0] for row in rows]) for k in (a, b)))
        agreement.append([RANKINGS[a], RANKINGS[b], len(rows), *correlation])
        sentences.append(f"{RANKINGS[a].capitalize()} and {RANKINGS[b]}: {_verdict(correlation)}.")
    if 0 < factors < len(rows):
        first = [
            f"{sum(row.is_factor for row in order[:factors])} by {RANKINGS[k]}"
            for k, order in enumerate(orders)
        ]
        sentences.append(f"Variation factors among the first {factors} concepts: {', '.join(first)}.")
    shown = [row for row in rows if row in orders[2][: request.top or len(rows)]]
    tables = {"rankings": numbers, "agreement": agreement}
    return AnalysisResult(
        "ablation", table, sentences, [figure_of(shown)], tables, request_record(request, layers=name)
    )


def _verdict(correlation: tuple[float, float, float]) -> str:
    """Say whether two rankings agree: whether the interval of their rank correlation excludes zero."""
    value, low, high = correlation
    if np.isnan(value):
        return "too few concepts to compare them"
    if low > 0.0:
        return f"rank correlation {bracketed(*correlation)}, so they agree"
    verdict = "they disagree" if high < 0.0 else "no agreement is shown"
    return f"rank correlation {bracketed(*correlation)}, so {verdict}"
