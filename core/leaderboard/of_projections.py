"""Compute the numbers of a learner from how far samples lie along its directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boundaries.selection import Extremes, select_extremes
from ..errors import DataError
from ..statistics import bootstrap_weights, resampled_means
from .estimates import chance_of, over_concepts
from .metrics.dci import completeness, disentanglement, informativeness, weights_of_codes
from .metrics.exclusivity import information_gaps
from .metrics.separability import KEPT, separability
from .numbers import Numbers

Floats = NDArray[np.float64]
FITS = 100  # resamples of what is fitted or counted again in each


class Ends(NamedTuple):
    """Hold the samples at both ends of a concept: their rows, and labels 1 (high) and 0 (low)."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]


class Projected(NamedTuple):
    """Hold projections of samples on B directions, (N, B), and of fresh samples, (N', B)."""

    known: Floats
    fresh: Floats


def ends_of(scores: Floats, share: float, name: str) -> Ends | None:
    """Return the lowest and highest share of the samples of a concept, or None if they cannot be told apart.

    Args:
        scores: (N,).
        share: of the samples, at either end.
        name: of the concept.
    """
    extremes = Extremes(positives=share, negatives=share, train_share=0.5)
    try:
        chosen = select_extremes(scores, extremes, concept=name, seed=0)
    except DataError:
        return None
    return Ends(
        np.concatenate([chosen.train, chosen.held_out]),
        np.concatenate([chosen.train_labels, chosen.held_out_labels]),
    )


class Reading(NamedTuple):
    """Hold the scores that projections are held against, by concept.

    Attributes:
        known: scores of the samples that learners are given, (N, B).
        fresh: of those that they are not given, (N', B).
        fifths: the lowest and highest fifth of the fresh samples.
        quarters: the lowest and highest quarter.
    """

    known: Floats
    fresh: Floats
    fifths: Sequence[Ends | None]
    quarters: Sequence[Ends | None]


def reading(known: Floats, fresh: Floats, names: Sequence[str], share: float) -> Reading:
    """Return the scores with the ends that accuracy (`share` of the samples) and separability take."""
    return Reading(
        known,
        fresh,
        [ends_of(column, share, name) for column, name in zip(fresh.T, names, strict=True)],
        [ends_of(column, KEPT, name) for column, name in zip(fresh.T, names, strict=True)],
    )


def numbers_of_projections(
    projected: Projected, random: Sequence[Projected], scores: Reading, concepts: Floats, seed: int
) -> Numbers:
    """Compute the numbers of a learner.

    Disentanglement and completeness are resampled over samples alone, because a concept that is drawn twice
    would never be told apart from itself.

    Args:
        projected: on its directions, with their offsets.
        random: on sets of B random directions.
        scores: of the concepts.
        concepts: how often each concept counts, (R, B).
        seed: of the resamples of samples.
    """
    count = projected.known.shape[1]
    resamples = len(concepts)
    fits = min(FITS, resamples)
    one, every = np.ones((1, len(scores.fresh))), np.ones((1, count))
    fresh = bootstrap_weights(len(scores.fresh), resamples, seed)
    known = bootstrap_weights(len(scores.known), fits, seed + 1)
    single = by_concept(projected, scores, one)
    value = {name: float(over_all(name, v, every)[0]) for name, v in single.items()}
    value |= shape_of(projected, scores)
    drawn = {
        name: over_all(name, v, concepts[: len(v)])
        for name, v in by_concept(projected, scores, fresh, fits).items()
    }
    shapes = [shape_of(projected, scores, row) for row in known]
    drawn |= {name: np.array([shape[name] for shape in shapes]) for name in shapes[0]}
    rows = []
    for other in random:
        of_random = {
            name: float(over_all(name, v, every)[0]) for name, v in by_concept(other, scores, one).items()
        }
        rows.append(of_random | shape_of(other, scores))
    chance = {name: chance_of(np.array([row[name] for row in rows])) for name in value}
    return Numbers(value, drawn, {name: v[0] for name, v in single.items()}, chance)


def by_concept(
    projected: Projected, scores: Reading, weights: Floats, fits: int | None = None
) -> dict[str, Floats]:
    """Compute the numbers of every direction, (R, B), with weights of the fresh samples (R, N').

    Args:
        projected: on B directions.
        scores: of the B concepts.
        weights: (R, N').
        fits: rows of the weights that the gap takes; all by default.
    """
    sides = projected.fresh > 0.0
    apart = [
        np.full(len(weights), np.nan)
        if ends is None
        else separability(sides[ends.rows, b], ends.labels, weights[:, ends.rows])
        for b, ends in enumerate(scores.quarters)
    ]
    right = [
        np.full(len(weights), np.nan)
        if ends is None
        else resampled_means(sides[ends.rows, b] == (ends.labels == 1), weights[:, ends.rows])
        for b, ends in enumerate(scores.fifths)
    ]
    pair = (projected.fresh, scores.fresh)
    return {
        "accuracy": np.stack(right, axis=1),
        "separability": np.stack(apart, axis=1),
        "informativeness": informativeness(projected.known, scores.known, pair, weights),
        "gap": information_gaps(projected.fresh, scores.fresh, weights[:fits]),
    }


def over_all(name: str, single: Floats, concepts: Floats) -> Floats:
    """Average over concepts (R, B), giving (R,): separability by the geometric mean, others as they are."""
    concepts = concepts[: len(single)]
    if name == "separability":
        return np.asarray(np.exp(over_concepts(np.log(single), concepts)))
    return over_concepts(single, concepts)


def shape_of(projected: Projected, scores: Reading, counts: Floats | None = None) -> dict[str, float]:
    """Compute disentanglement and completeness, with counts of the samples (N,)."""
    importance = np.abs(weights_of_codes(projected.known, scores.known, counts))
    return {"disentanglement": disentanglement(importance), "completeness": completeness(importance)}
