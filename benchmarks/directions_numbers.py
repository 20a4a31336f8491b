"""Compute the numbers of the leaderboard from changed scores, in pure functions.

Shapes: E learners, B concepts, K samples, R resamples. Changes are in standard deviations of each concept.
Samples and concepts are resampled together, and alike for all learners, so the difference of two learners
has an interval of its own, which is narrower than theirs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ganstrata.core.statistics import benjamini_hochberg, bootstrap_weights, null_p_value, resampled_means
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Steps in standard deviations of w; effects are those of the last, smoothness is along all."""


class Estimate(NamedTuple):
    """Hold one number per learner (E,), its 95 % interval, and its resamples (R, E)."""

    value: Floats
    low: Floats
    high: Floats
    drawn: Floats

    def against(self, baseline: int) -> Estimate:
        """Compute the differences from one learner, from resamples common to both."""
        return estimate(self.value - self.value[baseline], self.drawn - self.drawn[:, [baseline]])


def estimate(value: Floats, drawn: Floats) -> Estimate:
    """Compute an interval that lies about the value as the resamples lie about their own mean.

    The absolute value of a mean grows with every source of noise, and resampling is one, so plain
    percentiles would be too high.
    """
    low, high = np.nanquantile(drawn - np.nanmean(drawn, axis=0), (0.025, 0.975), axis=0)
    return Estimate(value, value + low, value + high, drawn)


def by_concept(changes: Floats, null: Floats, weights: Floats) -> dict[str, Floats]:
    """Compute each measure for every learner and concept, (R, E, B).

    - target: mean change of a boundary's own concept at the last step.
    - others: mean over the other concepts of the absolute mean change there, less what a random
      direction does to them on average.
    - steadiness: sum over samples of y(last) - y(first), over the sum of |y(t+1) - y(t)|: 1 where all
      scores rise all the way, 0 where they go up as much as down.
    - straightness: 1 - sum over samples and steps of (y - line)^2 over that of (y - mean)^2, where each
      sample has a line and a mean of its own.

    Args:
        changes: along each boundary, (E, B, steps, K, B), 0 at the step 0.
        null: of random directions at the last step, (directions, K, B).
        weights: how often each sample counts, (R, K).
    """
    count = changes.shape[1]
    diagonal = np.arange(count)
    means = resampled_means(np.moveaxis(changes[:, :, -1], 2, 3), weights)  # (R, E, B, B)
    chance = np.abs(resampled_means(np.moveaxis(null, 1, 2), weights)).mean(axis=1)  # (R, B)
    apart = np.where(np.eye(count, dtype=bool), 0.0, np.abs(means) - chance[:, None, None])
    own = changes[:, diagonal, :, :, diagonal].transpose(1, 0, 3, 2)  # (E, B, K, steps)
    whole = ~np.isnan(own).any(axis=-1)
    own = np.where(whole[..., None], own, 0.0)
    rise, travel = own[..., -1] - own[..., 0], np.abs(np.diff(own, axis=-1)).sum(axis=-1)
    steps = np.array(STEPS)
    slope = own @ steps / (steps @ steps)
    about = own - own.mean(axis=-1, keepdims=True)
    spread, left = (about**2).sum(axis=-1), ((about - slope[..., None] * steps) ** 2).sum(axis=-1)
    return {
        "target": means[:, :, diagonal, diagonal],
        "others": apart.sum(axis=-1) / max(count - 1, 1),
        "steadiness": _ratio(rise, travel, weights),
        "straightness": 1.0 - _ratio(left, spread, weights),
    }


def _ratio(above: Floats, below: Floats, weights: Floats) -> Floats:
    """Divide weighted sums over samples (..., K), giving (R, ...); NaN where nothing moves."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios: Floats = np.moveaxis(above @ weights.T, -1, 0) / np.moveaxis(below @ weights.T, -1, 0)
    return ratios


def over_concepts(values: Floats, weights: Floats) -> Floats:
    """Average values (R, E, B) over concepts with weights (R, B), giving (R, E); NaN is left out."""
    known = ~np.isnan(values)
    totals = (np.where(known, values, 0.0) * weights[:, None]).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(totals / (known * weights[:, None]).sum(axis=-1))


def summarise(
    changes: Floats, null: Floats, accuracy: Floats, *, resamplings: int, seed: int
) -> dict[str, Estimate]:
    """Compute all estimates by name: means over concepts of `by_concept`, leak and accuracy.

    Leak is others over target.

    Args:
        changes: as in `by_concept`.
        null: the same.
        accuracy: on samples that no learner was given, (E, B).
        resamplings: R.
        seed: of the resamplings.
    """
    samples, count = changes.shape[3], changes.shape[1]
    measures: dict[str, Floats] = {}
    for part, some, which in (
        ("value", np.ones((1, samples)), np.ones((1, count))),
        (
            "drawn",
            bootstrap_weights(samples, resamplings, seed),
            bootstrap_weights(count, resamplings, seed + 1),
        ),
    ):
        single = by_concept(changes, null, some) | {
            "accuracy": np.broadcast_to(accuracy, (len(some), *accuracy.shape))
        }
        means = {name: over_concepts(values, which) for name, values in single.items()}
        means["leak"] = means["others"] / means["target"]
        measures |= {f"{part} {name}": values for name, values in means.items()}
    return {name: estimate(measures[f"value {name}"][0], measures[f"drawn {name}"]) for name in means}


def q_values(changes: Floats, null: Floats) -> Floats:
    """Return q values of each learner's effects on own concepts against random directions, (E, B)."""
    diagonal = np.arange(changes.shape[1])
    effects = np.nanmean(changes[:, diagonal, -1, :, diagonal], axis=-1).T  # (E, B)
    chance = np.nanmean(null, axis=1)  # (directions, B)
    return np.stack([benjamini_hochberg(null_p_value(row, chance, two_sided=False)) for row in effects])
