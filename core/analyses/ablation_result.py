"""Show three rankings of the same concepts as a table, CSV files, a figure and sentences (paper, fig. 12)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..figures import rankings as figures
from ..figures.figure import Figure
from ..messages import quantity
from ..rescoring.null_comparison import NO_NULL
from ..rescoring.results import Effects
from ..storage.csv_tables import Table
from .ablation import (
    RANKINGS,
    Ablation,
    RankingAgreement,
    ScoredConcept,
    compare_rankings,
    sorted_by,
)
from .labelled_runs import LabelledRun
from .request import AnalysisRequest, request_record
from .result import AnalysisResult
from .wording import bracketed, in_words


def ablation(source: LabelledRun, request: AnalysisRequest) -> AnalysisResult:
    """Compare the three rankings: how well they agree, and how many variation factors come first in each.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    result = compare_rankings(source, request)
    count = request.top or len(result.concepts)
    first = result.orders[2][:count]
    return AnalysisResult(
        "ablation",
        printed(result, count),
        sentences_of(result, source.effects),
        [figure_of([concept for concept in result.concepts if concept in first])],
        {
            "rankings": rankings_table(result),
            "agreement": Table(RankingAgreement._fields, result.agreements),
        },
        request_record(request, layers=result.set_name),
    )


def printed(result: Ablation, count: int) -> Table:
    """Return the printed table: the concepts at the first places of each ranking."""
    rows = [
        [
            str(place),
            *(f"{concept.name} {bracketed(*concept.scores[k])}" for k, concept in enumerate(concepts)),
        ]
        for place, concepts in enumerate(zip(*result.orders, strict=True), start=1)
    ]
    return Table(["place", *RANKINGS], rows[:count])


def rankings_table(result: Ablation) -> Table:
    """Return rankings.csv: every concept at its place in each ranking."""
    return Table(
        ("ranking", "place", "concept", "level", "value", "low", "high", "variation_factor"),
        [
            (RANKINGS[k], place, row.name, row.level, *row.scores[k], row.is_factor)
            for k, order in enumerate(result.orders)
            for place, row in enumerate(order, start=1)
        ],
    )


def figure_of(concepts: Sequence[ScoredConcept]) -> Figure:
    """Draw the three rankings of the paper's figure 12."""
    return figures.three_rankings(
        [
            (
                title,
                [(row.name, row.level, row.scores[k][0], row.is_factor) for row in sorted_by(concepts, k)],
            )
            for k, title in enumerate(RANKINGS)
        ]
    )


def sentences_of(result: Ablation, effects: Effects) -> list[str]:
    """Say how far the rankings agree, and how many variation factors come first in each."""
    count, factors = len(result.concepts), result.factors
    tested = f"{factors} of them variation factors" if effects.has_null else NO_NULL
    sentences = [
        f"{quantity(count, 'concept')}, {tested}; re-scoring at {in_words(result.set_name, effects)}."
    ]
    sentences += [
        f"{pair.ranking.capitalize()} and {pair.other_ranking}: {_verdict(pair)}."
        for pair in result.agreements
    ]
    if 0 < factors < count:
        first = [
            f"{sum(row.is_factor for row in order[:factors])} by {RANKINGS[k]}"
            for k, order in enumerate(result.orders)
        ]
        sentences.append(f"Variation factors among the first {factors} concepts: {', '.join(first)}.")
    return sentences


def _verdict(pair: RankingAgreement) -> str:
    """Say whether two rankings agree: whether the interval of their rank correlation excludes zero."""
    if np.isnan(pair.rank_correlation):
        return "too few concepts to compare them"
    shown = bracketed(pair.rank_correlation, pair.low, pair.high)
    if pair.low > 0.0:
        return f"rank correlation {shown}, so they agree"
    verdict = "they disagree" if pair.high < 0.0 else "no agreement is shown"
    return f"rank correlation {shown}, so {verdict}"
