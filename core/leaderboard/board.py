"""Hold the leaderboard, and compute it from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, nearest
from ..plugins.records import Boundaries, Boundary, Concept
from ..statistics import bootstrap_weights, share_interval
from ..strata.layers import layers_in_words
from .estimates import Chance, Estimate, estimate
from .judging import Judged, judged
from .learning import SHARE
from .measures import MEASURES
from .measuring import Measured, NullKind
from .metrics.path_length import segment_lengths
from .numbers import Numbers
from .of_moves import Paths, numbers_of_moves, q_values
from .of_projections import Projected, Reading, numbers_of_projections, reading
from .of_space import SpaceNumber, path_lengths, separability_of_space
from .sampled import distances_of

Floats = NDArray[np.float64]
PERMUTED = 5  # permutations of the labels of each concept


class Row(NamedTuple):
    """Hold a learner and its boundaries.

    Attributes:
        label: name with options.
        supervised: whether it used scores.
        boundaries: of each concept.
        along: sd of the samples along each normal, over that of w on average, (B,).
        milliseconds: time of learning, per direction.
        where: layers at which its directions are moved, in words; empty for all.
    """

    label: str
    supervised: bool
    boundaries: Boundaries
    along: Floats
    milliseconds: float
    where: str


@dataclass(frozen=True)
class Board:
    """Hold the whole leaderboard. Shapes: E learners, B concepts.

    Attributes:
        source: the generator's weights or family.
        rows: the learners.
        concepts: the concepts.
        estimates: every measure over concepts, (E,).
        single: every measure by concept, (E, B).
        chance: what random directions reach, by measure, one for each learner.
        q: of the effect on the target against random directions, (E, B).
        rate: q below which an effect beats the null.
        judges: concepts that several scorers judge.
        space: numbers of the space itself.
        measured_by: what gave distances of pictures, in words.
        left: learners that were left out, with the reason.
        baseline: position of the learner with which others are compared.
        settings: numbers of samples and so on, by name.
    """

    source: str
    rows: Sequence[Row]
    concepts: Sequence[Concept]
    estimates: Mapping[str, Estimate]
    single: Mapping[str, Floats]
    chance: Mapping[str, Sequence[Chance]]
    q: Floats
    rate: float
    judges: Sequence[Judged]
    space: Sequence[SpaceNumber]
    measured_by: str
    left: Mapping[str, str]
    baseline: int
    settings: Mapping[str, Any]

    @property
    def order(self) -> list[int]:
        """Positions of the learners by their effect on target, largest first."""
        effect = self.estimates["target"].value
        return [int(e) for e in np.argsort(-np.nan_to_num(effect, nan=-np.inf), kind="stable")]

    @property
    def front(self) -> list[int]:
        """Positions of the learners that no other beats in both effect on target and leak.

        A leak below 0 counts as 0: less than a random direction's side effects are no merit of an edit.
        """
        return pareto_front(self.estimates["target"].value, np.maximum(self.estimates["leak"].value, 0.0))

    def share(self, e: int) -> tuple[float, float, float]:
        """Return the share of concepts whose effect beats the null, with Wilson's interval."""
        share = float((self.q[e] < self.rate).mean())
        return (share, *share_interval(share, len(self.concepts)))

    def cosine(self, e: int) -> float:
        """Return the mean cosine with the baseline's normals; NaN if one of them has a normal per layer."""
        pairs = list(zip(self.rows[e].boundaries, self.rows[self.baseline].boundaries, strict=True))
        if any(a.normal.ndim != 1 or b.normal.ndim != 1 for a, b in pairs):
            return float("nan")
        return float(np.mean([a.normal @ b.normal for a, b in pairs]))

    def __repr__(self) -> str:
        """Return the learners, best first."""
        return f"Board({len(self.rows)} learners: {', '.join(self.rows[e].label for e in self.order)})"


def pareto_front(gain: Floats, cost: Floats) -> list[int]:
    """Return which of E items no other item beats: none has more gain at no more cost, or less at no less.

    Args:
        gain: (E,), above 0, or the item is on no front.
        cost: (E,).

    >>> pareto_front(np.array([3.0, 2.0, 1.0, -1.0]), np.array([0.5, 0.1, 0.2, 0.0]))
    [0, 1]
    """
    front = []
    for e in range(len(gain)):
        if not (gain[e] > 0.0 and np.isfinite(cost[e])):
            continue
        as_good = (gain >= gain[e]) & (cost <= cost[e]) & (gain > 0.0)
        better = (gain > gain[e]) | (cost < cost[e])
        if not (as_good & better).any():
            front.append(e)
    return front


def board_of(measured: Measured) -> Board:
    """Compute the leaderboard.

    Raises:
        UserError: the baseline is none of the learners.
    """
    config, sampled, request = measured.config, measured.sampled, measured.request
    labels, names = list(measured.learned), [concept.name for concept in sampled.concepts]
    if request.baseline is not None and request.baseline not in labels:
        raise UserError(
            f"baseline '{request.baseline}' is none of the learners that were compared."
            f"{nearest(request.baseline, labels)} They are {', '.join(labels)}"
        )
    resamples, seed, samples = config.rescoring.bootstrap, config.synthesis.seed, config.rescoring.samples
    weights = bootstrap_weights(samples, resamples, seed)
    concepts = bootstrap_weights(len(names), resamples, seed + 1)
    scores = reading(sampled.scores.astype(np.float64), sampled.fresh_scores.astype(np.float64), names, SHARE)
    numbers, q = [], []
    for label in labels:
        paths = paths_of(measured, label)
        numbers.append(
            numbers_of_moves(paths, weights, concepts).with_all(
                _of_projections(measured, label, scores, concepts)
            )
        )
        q.append(q_values(paths))
    estimates = {
        name: estimate(
            np.array([one.value[name] for one in numbers]),
            np.stack([one.drawn[name] for one in numbers], axis=1),
            (low, high),
        )
        for name, low, high in ((m.name, m.low, m.high) for m in MEASURES)
    }
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
                measured,
                [replace(some, normal=n, offset=zero, layers=None) for n in normals[start : start + count]],
                *part,
            )
            for part in parts
        )
        middle = np.median(known, axis=0)  # half of the samples on either side
        random.append(Projected(known - middle, fresh - middle))
    projected = Projected(*(_distances(measured, boundaries, *part) for part in parts))
    return numbers_of_projections(projected, random, scores, concepts, measured.config.synthesis.seed)


def _distances(
    measured: Measured,
    boundaries: Sequence[Boundary],
    w: NDArray[np.float32],
    codes: NDArray[np.float32] | None,
) -> Floats:
    """Return the signed distances of samples from boundaries, (N, B)."""
    return np.stack([distances_of(boundary, w, codes, measured.generator) for boundary in boundaries], axis=1)


def _row(measured: Measured, label: str) -> Row:
    found, sampled = measured.learned[label], measured.sampled
    along = _distances(measured, found.boundaries, sampled.w, sampled.codes).std(axis=0) / sampled.spread
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
