"""Intervals hold over other samples to learn from and to verify on, in worlds of which the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from ganstrata.core.boundaries.learning_variance import errors_of, replicate_samples
from ganstrata.core.boundaries.relearning import learn_again
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.plugins.learner import BoundaryLearner
from ganstrata.core.plugins.records import Concept
from ganstrata.core.rescoring.effects import effects_of, over_learning
from ganstrata.core.rescoring.sums import sums_of
from ganstrata.plugins.boundaries.linear_svm import LinearSVM
from ganstrata.plugins.boundaries.mean_difference import MeanDifference
from ganstrata.plugins.boundaries.ridge import Ridge
from scipy import stats

D, K, M, STEP = 24, 96, 12, 2.0
CONCEPTS = [Concept(name, "attribute") for name in ("strong", "weak", "skewed", "nothing")]
C = len(CONCEPTS)
DIRECTIONS = np.linalg.qr(np.random.default_rng(5).standard_normal((D, C)))[0].T  # (C, D)
WIGGLE = np.random.default_rng(6).standard_normal((D, C))


def score(codes: np.ndarray) -> np.ndarray:
    """Return scores (K, C) of codes (K, D).

    The concepts are a clear one, one that its own nonlinear part nearly hides, one that few codes have, and a
    nonlinear part alone.
    """
    along = codes @ DIRECTIONS.T
    wiggle = np.sin(2.0 * codes @ WIGGLE)
    columns = (
        np.tanh(along[:, 0]) + 0.3 * wiggle[:, 0],
        0.2 * along[:, 1] + wiggle[:, 1],
        np.exp(0.6 * along[:, 2]),
        wiggle[:, 3],
    )
    return np.stack(columns, axis=1).astype(np.float32)


class World:
    """A learner and as many samples for it; an experiment draws all samples anew."""

    def __init__(self, learner: BoundaryLearner, samples: int) -> None:
        self.learner, self.samples = learner, samples

    def learnt(
        self, rng: np.random.Generator
    ) -> tuple[np.ndarray, Boundaries, Callable[[np.ndarray, int], tuple[Boundaries, dict[str, str]]]]:
        """Codes (N, D), what is learnt from them, and what learns from some of them."""
        codes = rng.standard_normal((self.samples, D)).astype(np.float32)
        scores = score(codes)

        def learn(rows: np.ndarray, seed: int) -> tuple[Boundaries, dict[str, str]]:
            return self.learner.learn(codes[rows], scores[rows], CONCEPTS, seed=seed), {}

        return codes, learn(np.arange(self.samples), int(rng.integers(2**31)))[0], learn

    def truth(self, draws: int) -> np.ndarray:
        """Mean effects of boundaries learnt from other samples, on other codes, (C,)."""
        rng = np.random.default_rng(1)
        effects = []
        for _ in range(draws):
            _, boundaries, _ = self.learnt(rng)
            codes = rng.standard_normal((1000, D))
            effects.append(changes(codes, np.stack([b.normal for b in boundaries])).mean(axis=1))
        return np.mean(effects, axis=0)

    def experiment(self, seed: int) -> tuple[np.ndarray, ...]:
        """Both intervals of every concept, low, high, low_total, high_total: each (C,)."""
        rng = np.random.default_rng([2, seed])
        probes, boundaries, learn = self.learnt(rng)
        resampled = learn_again(learn, boundaries, probes, count=M, seed=seed, done=lambda: None).resampled
        resampled = replace(resampled, spreads=np.ones(M))
        codes = rng.standard_normal((K, D))
        own = np.arange(C)
        moved = changes(codes, np.stack([b.normal for b in boundaries]))  # (C, K)
        again = codes[: replicate_samples(K, 16)]
        relearnt = np.full((M, C, K), np.nan)
        relearnt[:, :, : len(again)] = [changes(again, normals) for normals in resampled.normals]
        sums = np.zeros((C, 1, 2, C, 5))
        for i in own:
            sums[i, 0, 0, i] = sums_of(np.zeros((K, 1), np.float32), moved[i][:, None].astype(np.float32))[0]
        both = np.stack([moved, moved], axis=1)[:, None]  # (C, 1, 2, K)
        null = np.ones((1, 4, 1, C, 5))
        effects = effects_of(sums, null, both, own, samples=K, unit=np.ones(C), all_set=0)
        error, freedom = errors_of(relearnt, resampled.dilutions(boundaries))
        effects = over_learning(effects, error, freedom, own, all_set=0)
        return tuple(
            table[own, 0, 0, own]
            for table in (effects.low, effects.high, effects.low_total, effects.high_total)
        )


def changes(codes: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """How each concept changes along its own normal (C, D), (C, K)."""
    baseline = score(codes)
    return np.stack(
        [
            score(codes + STEP * normal)[:, j].astype(np.float64) - baseline[:, j]
            for j, normal in enumerate(normals)
        ]
    )


def coverage(world: World, experiments: int, *, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of intervals that hold the truth: over verification samples, and over both, (C,)."""
    truth = world.truth(draws)
    low, high, low_total, high_total = (
        np.array(x) for x in zip(*(world.experiment(seed) for seed in range(experiments)), strict=True)
    )
    return ((low <= truth) & (truth <= high)).mean(axis=0), (
        (low_total <= truth) & (truth <= high_total)
    ).mean(axis=0)


CPU = torch.device("cpu")
RIDGE = World(Ridge(Ridge.Config(positives=80, negatives=80), CPU), 240)
SVM = World(LinearSVM(LinearSVM.Config(positives=80, negatives=80), CPU), 400)
MEANS = World(MeanDifference(MeanDifference.Config(positives=100, negatives=100), CPU), 400)


def check(world: World, experiments: int) -> None:
    """The interval over verification samples is too narrow for weak concepts; the one over both is right."""
    alone, both = coverage(world, experiments, draws=300)
    weak = [concept.name for concept in CONCEPTS].index("weak")
    least, most = (
        stats.binom.ppf(0.001, experiments, 0.94) / experiments,
        stats.binom.ppf(0.999, experiments, 0.88) / experiments,
    )
    assert alone[weak] <= most
    assert (both >= least).all(), both
    assert both.mean() <= 0.975
    assert (both >= alone).all()


def test_intervals_hold_over_other_samples_to_learn_from() -> None:
    check(MEANS, 75)


@pytest.mark.full
@pytest.mark.parametrize("world", [MEANS, RIDGE, SVM], ids=["mean_difference", "ridge", "linear_svm"])
def test_intervals_hold_whatever_the_learner(world: World) -> None:
    check(world, 500)
