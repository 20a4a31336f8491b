"""Compute the numbers of the latent space itself, which are the same for all learners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from ..statistics import bootstrap_weights
from .estimates import Chance, Estimate, chance_of, estimate, over_concepts
from .metrics.path_length import mean_lengths, trimmed
from .metrics.separability import KEPT, separability
from .moving import SpaceLengths
from .of_projections import Reading, ends_of

Floats = NDArray[np.float64]


class SpaceNumber(NamedTuple):
    """Hold one number of the space: its name, its estimate (one number), and what chance reaches."""

    name: str
    found: Estimate
    chance: Chance


def path_lengths(lengths: SpaceLengths, resamples: int, seed: int) -> list[SpaceNumber]:
    """Compute the perceptual path length of the space, full and at the end of the lines (Karras et al. 2019).

        PPL = E[ d(G(w(t)), G(w(t + e)))^2 / e^2 ] / E[ d(G(w), G(w'))^2 ]

    The denominator, of independent w and w', makes it 1 for a linear generator, whatever measures distances.

    Args:
        lengths: of K lines.
        resamples: R.
        seed: of the resamples.
    """
    weights = bootstrap_weights(len(lengths.full), resamples, seed)
    found = []
    for name, own, null in (
        ("full", lengths.full, lengths.null_full),
        ("end", lengths.end, lengths.null_end),
    ):
        rows = [trimmed(np.asarray(row, dtype=np.float64)) / lengths.unit for row in (own, null)]
        value, chance = (mean_lengths(row, np.ones((1, len(row)))) for row in rows)
        drawn, random = (mean_lengths(row, weights) for row in rows)
        low, high = np.quantile(random, (0.025, 0.975))
        found.append(
            SpaceNumber(
                f"path length, {name}",
                estimate(value, drawn[:, None]),
                Chance(float(chance[0]), float(low), float(high)),
            )
        )
    return found


def separability_of_space(
    w: Floats,
    fresh_w: Floats,
    scores: Reading,
    names: Sequence[str],
    *,
    permuted: int,
    resamples: int,
    seed: int,
) -> SpaceNumber:
    """Compute linear separability (Karras et al. 2019): the side of a support vector machine fitted to w.

    It is fitted to the most confident half of the samples and judged on that of the fresh samples. Chance is
    what it reaches from permuted labels.

    Args:
        w: (N, D).
        fresh_w: (N', D).
        scores: of the B concepts.
        names: of the concepts.
        permuted: number of permutations.
        resamples: R.
        seed: of everything random.
    """
    weights = bootstrap_weights(len(fresh_w), resamples, seed)
    concepts = bootstrap_weights(len(names), resamples, seed + 1)
    rng = np.random.default_rng([seed, len(w)])
    value, drawn, null = [], [], []
    scale = np.where(w.std(axis=0) > 0.0, w.std(axis=0), 1.0)
    for b, name in enumerate(names):
        known, new = ends_of(scores.known[:, b], KEPT, name), scores.quarters[b]
        if known is None or new is None:
            continue
        orders = [
            np.arange(len(known.labels)),
            *(rng.permutation(len(known.labels)) for _ in range(permuted)),
        ]
        for p, order in enumerate(orders):
            fitted = LinearSVC(C=0.01, dual=False, random_state=0)
            fitted.fit(w[known.rows] / scale, known.labels[order])
            above = fitted.decision_function(fresh_w[new.rows] / scale) > 0.0
            if p == 0:
                value.append(separability(above, new.labels, np.ones((1, len(above))))[0])
                drawn.append(separability(above, new.labels, weights[:, new.rows]))
            else:
                null.append(separability(above, new.labels, np.ones((1, len(above))))[0])
    if not value:
        nothing = estimate(np.array([np.nan]), np.full((resamples, 1), np.nan))
        return SpaceNumber("separability", nothing, chance_of(np.empty(0)))
    used = concepts[:, : len(value)]
    means = np.exp(over_concepts(np.log(np.stack(drawn, axis=1)), used))
    return SpaceNumber(
        "separability",
        estimate(np.array([np.exp(np.log(value).mean())]), means[:, None]),
        chance_of(np.array(null)),
    )
