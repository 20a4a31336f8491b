"""Turn overlaps of labels into qualities with intervals: per class, their means, and gaps between extractors.

Shapes: M classes, R resamplings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...statistics import Floats, bootstrap_weights
from ..agreement import (
    Measured,
    Overlaps,
    iou_per_image,
    iou_pooled,
    mean_over_classes,
    pixel_accuracy,
    relative_gap,
)
from .evaluation import Evaluation

RESAMPLINGS = 1000


@dataclass(frozen=True)
class Scores:
    """Hold the qualities of one reading of the pictures.

    Attributes:
        per_image: per-image averaged IoU of each class, (M,); NaN for classes that do not occur.
        pooled: pooled IoU of each class, (M,); NaN for classes that do not occur.
        mean_per_image: mean of `per_image` over the classes that count.
        mean_pooled: mean of `pooled` over the classes that count.
        accuracy: share of pixels that have the teacher's label.
    """

    per_image: Measured
    pooled: Measured
    mean_per_image: Measured
    mean_pooled: Measured
    accuracy: Measured


@dataclass(frozen=True)
class Gap:
    """Hold the relative gap of an extractor to the best nonlinear one, for both averages."""

    per_image: Measured
    pooled: Measured


@dataclass(frozen=True)
class Quality:
    """Hold the qualities of all extractors of an evaluation.

    Attributes:
        scores: of each extractor, by name.
        strata: of each stratum by itself, by name of the extractor and number of the stratum.
        best_nonlinear: the nonlinear extractor with the highest per-image mean IoU; "" without any.
        gaps: of each extractor to it; empty without one.
    """

    scores: Mapping[str, Scores]
    strata: Mapping[str, Mapping[int, Scores]]
    best_nonlinear: str
    gaps: Mapping[str, Gap]


def quality_of(evaluation: Evaluation, *, seed: int = 0, resamplings: int = RESAMPLINGS) -> Quality:
    """Compute all qualities of an evaluation, from one matrix of resampled pictures.

    A class that no label of the teacher shows has no quality: its IoU would be 0 or undefined by whether an
    extractor happens to label one pixel so, and means would be over different classes.

    Args:
        evaluation: overlaps of all extractors.
        seed: seed of the resamplings.
        resamplings: number R of resamplings.
    """
    weights = bootstrap_weights(len(evaluation.pixels), resamplings, seed)
    scores = {reading.name: _scores(reading.whole, weights, evaluation) for reading in evaluation.readings}
    strata = {
        reading.name: {s: _scores(found, weights, evaluation) for s, found in reading.strata.items()}
        for reading in evaluation.readings
    }
    nonlinear = [r.name for r in evaluation.readings if r.extractor.architecture.head != "LSE"]
    best = max(nonlinear, key=lambda name: _or_least(scores[name].mean_per_image.value), default="")
    gaps = {
        name: Gap(
            relative_gap(each.mean_per_image, scores[best].mean_per_image),
            relative_gap(each.mean_pooled, scores[best].mean_pooled),
        )
        for name, each in scores.items()
        if best
    }
    return Quality(scores, strata, best, gaps)


def _or_least(value: Floats) -> float:
    return float(np.nan_to_num(value, nan=-1.0))


def _scores(found: Overlaps, weights: Floats, evaluation: Evaluation) -> Scores:
    per_image = _of_classes(iou_per_image(found, weights), evaluation.occurs)
    pooled = _of_classes(iou_pooled(found, weights), evaluation.occurs)
    images, counted = evaluation.images, evaluation.counted
    return Scores(
        per_image,
        pooled,
        mean_over_classes(per_image, images, counted),
        mean_over_classes(pooled, images, counted),
        pixel_accuracy(found, weights),
    )


def _of_classes(measured: Measured, known: NDArray[np.bool_]) -> Measured:
    """Return the numbers (M,) with NaN for unknown classes."""
    return Measured(
        np.where(known, measured.value, np.nan),
        np.where(known, measured.replicates, np.nan),
        np.where(known, measured.count, 0),
        measured.least,
        measured.most,
    )
