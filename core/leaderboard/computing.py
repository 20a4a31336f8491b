"""Compute the leaderboard from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..plugins.boundary import Boundary
from ..runs.progress import Progress
from ..statistics import bootstrap_weights
from ..strata.layers import layers_in_words
from .board import Board, Row
from .comparison import NullKind
from .entries import require_known
from .estimates import estimate, where_above_zero
from .judging import Judged, judged
from .learning import SHARE, ways_of_choice
from .measures import MEASURES
from .measuring import Measured
from .metrics.path_length import segment_lengths
from .numbers import Numbers
from .of_moves import Paths, numbers_of_moves, q_values
from .of_projections import Projected, Reading, numbers_of_projections, reading
from .of_space import path_lengths, separability_of_space
from .sampled import distances_of

Floats = NDArray[np.float64]
PERMUTED = 5  # permutations of the labels of each concept


def board_of(measured: Measured, progress: Progress | None = None) -> Board:
    """Compute the leaderboard.

    Args:
        measured: what it is computed from.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: the baseline is not one of the learners.
    """
    config, sampled, request = measured.config, measured.sampled, measured.request
    labels, names = list(measured.learned), [concept.name for concept in sampled.concepts]
    require_known(request.baseline, labels)
    resamples, seed, samples = config.rescoring.bootstrap, config.synthesis.seed, config.rescoring.samples
    weights = bootstrap_weights(samples, resamples, seed)
    concepts = bootstrap_weights(len(names), resamples, seed + 1)
    scores = reading(sampled.scores.astype(np.float64), sampled.fresh_scores.astype(np.float64), names, SHARE)
    numbers, q = [], []
    with (progress or Progress(quiet=True)).stage("numbers of learners", total=len(labels)) as step:
        for label in labels:
            paths = paths_of(measured, label)
            numbers.append(
                numbers_of_moves(paths, weights, concepts).with_all(
                    _of_projections(measured, label, scores, concepts)
                )
            )
            q.append(q_values(paths, ways_of_choice(measured.learned[label].boundaries)))
            step(1)
    estimates = {
        m.name: estimate(
            np.array([one.value[m.name] for one in numbers]),
            np.stack([one.drawn[m.name] for one in numbers], axis=1),
            (m.low, m.high),
            ratio=m.ratio,
        )
        for m in MEASURES
    }
    estimates["leak"] = where_above_zero(estimates["leak"], estimates["target"])
    return Board(
        source=measured.source,
        rows=[_row(measured, label) for label in labels],
        concepts=sampled.concepts,
        estimates=estimates,
        single={name: np.stack([one.single[name] for one in numbers]) for name in numbers[0].single},
        chance={name: [one.chance[name] for one in numbers] for name in numbers[0].value},
        q=np.stack(q),
        rate=config.rescoring.false_discovery_rate,
        judges=[_judged(measured, group, weights) for group in measured.judges],
        space=[
            *path_lengths(measured.space, resamples, seed),
            separability_of_space(
                sampled.w.astype(np.float64),
                sampled.fresh_w.astype(np.float64),
                scores,
                names,
                permuted=PERMUTED,
                resamples=resamples,
                seed=seed,
            ),
        ],
        measured_by=measured.space.measured_by,
        left=measured.left,
        baseline=0 if request.baseline is None else labels.index(request.baseline),
        settings={
            "samples": len(sampled.w),
            "fresh": len(sampled.fresh_w),
            "verify": samples,
            "steps": list(request.steps),
            "null": config.rescoring.null_directions,
            "resamples": resamples,
            "mixing": config.synthesis.mixing,
            "space": config.learning.space,
            "seed": seed,
        },
    )


def paths_of(measured: Measured, label: str) -> Paths:
    """Return the paths of a learner's directions, and those of the random directions that belong to each."""
    count, own = len(measured.sampled.concepts), measured.moved[label]
    steps, unit = measured.request.path, measured.space.unit
    nulls = {
        kind: (
            null.changes[..., :count].astype(np.float64),
            segment_lengths(null.squared.astype(np.float64), np.array(steps), unit),
        )
        for kind, null in measured.nulls.items()
    }
    kinds = [NullKind.of(boundary) for boundary in measured.learned[label].boundaries]
    return Paths(
        own.changes[..., :count].astype(np.float64),
        segment_lengths(own.squared.astype(np.float64), np.array(steps), unit),
        [nulls[kind][0] for kind in kinds],
        [nulls[kind][1] for kind in kinds],
        steps,
    )


def _of_projections(measured: Measured, label: str, scores: Reading, concepts: Floats) -> Numbers:
    """Return the numbers of a learner that follow from projections of the samples on its directions."""
    sampled, boundaries = measured.sampled, measured.learned[label].boundaries
    some, zero = boundaries[0], np.zeros((), np.float32)
    count, layerwise = len(boundaries), any(boundary.normal.ndim == 2 for boundary in boundaries)
    parts = ((sampled.w, sampled.codes), (sampled.fresh_w, sampled.fresh_codes))
    normals = measured.random_normals[layerwise]
    random = []
    for start in range(0, len(normals), count):
        known, fresh = (
            _distances(
                [replace(some, normal=n, offset=zero, layers=None) for n in normals[start : start + count]],
                *part,
            )
            for part in parts
        )
        middle = np.median(known, axis=0)  # half of the samples on either side
        random.append(Projected(known - middle, fresh - middle))
    projected = Projected(*(_distances(boundaries, *part) for part in parts))
    return numbers_of_projections(projected, random, scores, concepts, measured.config.synthesis.seed)


def _distances(
    boundaries: Sequence[Boundary],
    w: NDArray[np.float32],
    codes: NDArray[np.float32] | None,
) -> Floats:
    """Return the signed distances of samples from boundaries, (N, B)."""
    return np.stack([distances_of(boundary, w, codes) for boundary in boundaries], axis=1)


def _row(measured: Measured, label: str) -> Row:
    found, sampled = measured.learned[label], measured.sampled
    along = _distances(found.boundaries, sampled.w, sampled.codes).std(axis=0) / sampled.spread
    sets = sorted({boundary.layers for boundary in found.boundaries if boundary.layers is not None})
    some = f"{len(sets)} sets of layers" if len(sets) > 1 else "".join(map(layers_in_words, sets))
    return Row(label, found.supervised, found.boundaries, along, found.milliseconds, some)


def _judged(measured: Measured, group: tuple[str, ...], weights: Floats) -> Judged:
    """Hold the judges of one concept against each other."""
    names = [concept.name for concept in measured.sampled.concepts]
    further = [name for others in measured.judges for name in others[1:]]
    own = names.index(group[0])
    columns = [own, *(len(names) + further.index(name) for name in group[1:])]
    changes = {label: change.changes[own, -1].astype(np.float64) for label, change in measured.moved.items()}
    null = np.concatenate([one.changes[:, -1] for one in measured.nulls.values()]).astype(np.float64)
    return judged(group, changes, null, columns, weights)
