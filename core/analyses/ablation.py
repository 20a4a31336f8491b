"""Compare rankings by share of positives, by held-out accuracy and by re-scoring (paper, fig. 12). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..boundaries.selection import Extremes
from ..errors import UserError
from ..rescoring.results import Effects
from ..rescoring.tables import ranked
from ..statistics import rank_correlation, share_interval
from .labelled_runs import LabelledRun
from .ranking import by_strength
from .request import AnalysisRequest, select_boundaries, select_layer_set

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


class RankingAgreement(NamedTuple):
    """Hold the rank correlation of two rankings of the same concepts, with its 95 % interval."""

    ranking: str
    other_ranking: str
    concepts: int
    rank_correlation: float
    low: float
    high: float


@dataclass(frozen=True)
class Ablation:
    """Hold the scores of concepts by which RANKINGS sort them, and how far the rankings agree.

    Attributes:
        set_name: layer set of re-scoring.
        concepts: strongest first.
        agreements: one for every pair of RANKINGS.
    """

    set_name: str
    concepts: tuple[ScoredConcept, ...]
    agreements: tuple[RankingAgreement, ...]

    @property
    def factors(self) -> int:
        """Number of variation factors."""
        return sum(concept.is_factor for concept in self.concepts)

    @property
    def orders(self) -> list[list[ScoredConcept]]:
        """The concepts as each of RANKINGS sorts them."""
        return [sorted_by(self.concepts, k) for k in range(len(RANKINGS))]


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
    share, accuracy = concept.positive_share, boundary.facts.get("held_out_accuracy")
    positives, held_out = UNKNOWN, UNKNOWN
    if share is not None:
        positives = (float(share), *share_interval(float(share), concept.samples))
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


def compare_rankings(source: LabelledRun, request: AnalysisRequest) -> Ablation:
    """Score the requested concepts in three ways, and correlate the rankings.

    Raises:
        GanstrataError: the request does not fit the run.
    """
    effects = source.effects
    name, at = select_layer_set(effects, request.layers)
    requested = select_boundaries(effects, request, by_strength(effects, at))
    selected = [i for i in requested if not effects.boundaries[i].direction]
    if not selected:
        raise UserError(
            "all of these directions were found without labels, so no accuracy ranks them; "
            "use `ganstrata analysis ranking`"
        )
    concepts = tuple(scored_concept(effects, i, at, source.run.config.boundary.options) for i in selected)
    scores = np.array([[score[0] for score in concept.scores] for concept in concepts])  # (F, 3)
    agreements = tuple(
        RankingAgreement(
            RANKINGS[a], RANKINGS[b], len(concepts), *rank_correlation(scores[:, a], scores[:, b])
        )
        for a, b in combinations(range(len(RANKINGS)), 2)
    )
    return Ablation(name, concepts, agreements)
