"""Compute statistics of probing samples: the spread of w, and whether each concept varies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..config.schema import Level
from ..errors import DataError
from ..plugins.base import owner_of
from ..plugins.records import Concept
from ..runs.manifest import ConceptStats
from ..storage.rows import Rows, blocks
from ..strata.scored_generator import ScoredGenerator
from .column_moments import ColumnMoments
from .order_statistics import quantiles

SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)
"""Quantiles that are stored of each concept's scores."""


def spread_of(w: Rows) -> float:
    """Compute the spread s_w = sqrt(trace Cov(w) / D) of w (N, D), the unit of a step (method B).

    It is read once, block by block.

    >>> rng = np.random.default_rng(0)
    >>> round(spread_of(rng.standard_normal((20000, 8)).astype(np.float32) * 3.0), 1)
    3.0
    """
    moments = ColumnMoments(w.shape[1])
    for _, (block,) in blocks(w):
        moments.add(block)
    if moments.undefined.any():
        return math.nan
    return float(np.sqrt(moments.variance.mean()))


def least_spread(concepts: Sequence[Concept], deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the smallest standard deviation that counts as variation, for each concept of one scorer.

    It is the concept's own `least`. Raw margins have none; for them it is a tenth of the median standard
    deviation of the scorer's margins, without those that are undefined.

    Args:
        concepts: C of one scorer.
        deviations: standard deviation of each (C,), NaN where undefined.

    Returns:
        (C,).
    """
    margins = np.array([concept.least is None for concept in concepts], dtype=bool)
    known = deviations[margins & ~np.isnan(deviations)]
    median = float(np.median(known)) if len(known) else 0.0
    return np.array([0.1 * median if concept.least is None else concept.least for concept in concepts])


def summarise(scored: ScoredGenerator, scores: Rows, w: Rows) -> tuple[float, list[ConceptStats]]:
    """Compute the spread of w (N, D), and a row of statistics for each concept of the scores (N, C).

    Raises:
        DataError: w is not finite, or has fewer than two samples.
    """
    if w.shape[0] < 2:
        raise DataError(
            f"{'one sample' if w.shape[0] else 'no sample'} with a finite picture has no spread, "
            "which is the unit of a step; raise synthesis.samples"
        )
    spread = spread_of(w)
    if not math.isfinite(spread):
        raise DataError(
            f"the codes of the {owner_of(scored.generator)} are not finite: their spread is {spread}"
        )
    return spread, statistics_of(scored, scores)


def statistics_of(scored: ScoredGenerator, scores: Rows) -> list[ConceptStats]:
    """Compute a row of statistics for each concept of the scores (N, C), without NaN scores.

    The scores are read four times, block by block; quantiles are exact.
    """
    concepts = scored.concepts
    moments = ColumnMoments(len(concepts))
    limits = np.array([np.nan if c.threshold is None else c.threshold for c in concepts])  # (C,)
    above = np.zeros(len(concepts), dtype=np.int64)
    for _, (block,) in blocks(scores):
        moments.add(block)
        above += (block.astype(np.float64) > limits).sum(axis=0)
    found = quantiles(lambda: ((block, None) for _, (block,) in blocks(scores)), len(concepts), SHARES)
    deviations = np.sqrt(moments.variance)
    rows: list[ConceptStats] = []
    for alias, scorer in scored.scorers.items():
        columns = scored.columns(alias)
        least = least_spread(scorer.concepts, deviations[columns])
        for j, smallest in zip(range(len(concepts))[columns], least, strict=True):
            concept, count, sd = concepts[j], int(moments.count[j]), float(np.nan_to_num(deviations[j]))
            rows.append(
                ConceptStats(
                    id=concept.name,
                    level=cast("Level", concept.level),
                    samples=count,
                    undefined=int(moments.undefined[j]),
                    mean=float(moments.mean[j]) if count else None,
                    sd=sd,
                    least=float(smallest),
                    varies=bool(sd >= smallest and sd > 0.0),
                    threshold=concept.threshold,
                    positive_share=None
                    if concept.threshold is None or not count
                    else float(above[j]) / count,
                    quantiles=[float(q) for q in found[:, j]] if count else [],
                )
            )
    return rows
