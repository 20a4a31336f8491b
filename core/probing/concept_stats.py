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
from ..strata.scored_generator import ScoredGenerator


def spread_of(w: NDArray[np.float32]) -> float:
    """Compute the spread s_w = sqrt(trace Cov(w) / D) of w (N, D), the unit of a step (method B).

    >>> rng = np.random.default_rng(0)
    >>> round(spread_of(rng.standard_normal((20000, 8)).astype(np.float32) * 3.0), 1)
    3.0
    """
    return float(np.sqrt(w.astype(np.float64).var(axis=0, ddof=1).mean()))


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


def summarise(
    scored: ScoredGenerator, scores: NDArray[np.float32], w: NDArray[np.float32]
) -> tuple[float, list[ConceptStats]]:
    """Compute the spread of w (N, D), and a row of statistics for each concept of the scores (N, C).

    Raises:
        DataError: w is not finite, or has fewer than two samples.
    """
    if len(w) < 2:
        raise DataError(
            f"{'one sample' if len(w) else 'no sample'} with a finite picture has no spread, "
            "which is the unit of a step; raise synthesis.samples"
        )
    spread = spread_of(w)
    if not math.isfinite(spread):
        raise DataError(
            f"the codes of the {owner_of(scored.generator)} are not finite: their spread is {spread}"
        )
    return spread, statistics_of(scored, scores)


def statistics_of(scored: ScoredGenerator, scores: NDArray[np.float32]) -> list[ConceptStats]:
    """Compute a row of statistics for each concept of the scores (N, C), without NaN scores."""
    rows: list[ConceptStats] = []
    for alias, scorer in scored.scorers.items():
        columns = scored.columns(alias)
        values = scores[:, columns].astype(np.float64)  # (N, C')
        defined = ~np.isnan(values)
        counts = defined.sum(axis=0)
        means = np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan)
        squares = np.nansum((values - means) ** 2, axis=0)
        deviations = np.where(counts > 1, np.sqrt(squares / np.maximum(counts - 1, 1)), np.nan)
        least, deviations = least_spread(scorer.concepts, deviations), np.nan_to_num(deviations)
        for j, concept in enumerate(scored.concepts[columns]):
            column = values[defined[:, j], j]
            rows.append(
                ConceptStats(
                    id=concept.name,
                    level=cast("Level", concept.level),
                    samples=int(counts[j]),
                    undefined=int(len(values) - counts[j]),
                    mean=_number(means[j]),
                    sd=float(deviations[j]),
                    least=float(least[j]),
                    varies=bool(deviations[j] >= least[j] and deviations[j] > 0.0),
                    threshold=concept.threshold,
                    positive_share=None
                    if concept.threshold is None or not len(column)
                    else float((column > concept.threshold).mean()),
                    quantiles=[]
                    if not len(column)
                    else [float(q) for q in np.quantile(column, (0.0, 0.05, 0.5, 0.95, 1.0))],
                )
            )
    return rows


def _number(value: float) -> float | None:
    """Return a number, or None for NaN, which JSON cannot store."""
    return None if np.isnan(value) else float(value)
