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
    what it reaches from permuted labels: like the value a geometric mean over concepts, of which each takes
    one of its permutations at random.

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
    value, drawn, null = [], [], []  # by concept; those of permuted labels are (P,)
    scale = np.where(w.std(axis=0) > 0.0, w.std(axis=0), 1.0)
    for b, name in enumerate(names):
        known, new = ends_of(scores.known[:, b], KEPT, name), scores.quarters[b]
        if known is None or new is None:
            continue
        x, fresh_x, once = w[known.rows] / scale, fresh_w[new.rows] / scale, np.ones((1, len(new.labels)))
        above = _sides(x, known.labels, fresh_x)
        value.append(separability(above, new.labels, once)[0])
        drawn.append(separability(above, new.labels, weights[:, new.rows]))
        null.append(
            [
                separability(_sides(x, rng.permutation(known.labels), fresh_x), new.labels, once)[0]
                for _ in range(permuted)
            ]
        )
    if not value:
        nothing = estimate(np.array([np.nan]), np.full((resamples, 1), np.nan))
        return SpaceNumber("separability", nothing, chance_of(np.empty(0)))
    logs = np.log(np.array(null))  # (B', P)
    places = rng.integers(permuted, size=(resamples, len(logs)))
    chosen = logs[np.arange(len(logs)), places]  # (R, B')
    used = concepts[:, : len(value)]
    means = np.exp(over_concepts(np.log(np.stack(drawn, axis=1)), used))
    return SpaceNumber(
        "separability",
        estimate(np.array([np.exp(np.log(value).mean())]), means[:, None]),
        chance_of(np.exp(chosen.mean(axis=1))),
    )


def _sides(x: Floats, labels: NDArray[np.int64], fresh: Floats) -> NDArray[np.bool_]:
    """Return on which side of a machine fitted to x (N, D) the fresh samples (N', D) lie, (N',)."""
    fitted = LinearSVC(C=0.01, dual=False, random_state=0).fit(x, labels)
    return np.asarray(fitted.decision_function(fresh) > 0.0)
