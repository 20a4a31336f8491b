"""Check false and true discoveries of the whole chain of pure functions on simulated worlds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata import Boundaries, Boundary, Concept
from ganstrata.core.boundaries.targets import ways_of_choice, with_targets
from ganstrata.core.randomness import Stream, Use, normals
from ganstrata.core.rescoring.effects import effects_of, variation_factors
from ganstrata.core.rescoring.sums import FIELDS, sums_of
from ganstrata.plugins.boundaries.ridge import Ridge
from scipy import stats

D, C, K, R, N = 12, 6, 48, 20, 240
STEP = 2.0
CONCEPTS = [Concept(f"c{j}", "attribute") for j in range(C)]


class World:
    """Simulate C scores of codes (K, D): nonlinear functions of one direction each, with noise per code."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.directions = np.linalg.qr(rng.standard_normal((D, C)))[0].T  # (C, D)
        self.wiggle = rng.standard_normal((D, C))

    def score(self, codes: np.ndarray) -> np.ndarray:
        return (np.tanh(codes @ self.directions.T) + 0.3 * np.sin(3.0 * codes @ self.wiggle)).astype(
            np.float32
        )


def experiment(seed: int, *, informed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Learn, move and judge: which concepts are declared variation factors, and their p values (C,)."""
    world = World(seed)
    probes = normals(seed, Stream.PROBING, Use.LATENT, range(N), D)
    scores = world.score(probes)
    if not informed:
        # The learner sees scores of other samples: no information about the code is left in them.
        scores = np.random.default_rng(seed).permuted(scores, axis=0)
    learner = Ridge(Ridge.Config(positives=60, negatives=60), torch.device("cpu"))
    learnt = [b.normal for b in learner.learn(probes, scores, CONCEPTS, seed=seed)]
    raw = normals(seed, Stream.NULL, Use.LATENT, range(R), D)
    codes = normals(seed, Stream.VERIFICATION, Use.LATENT, range(K), D)
    baseline = world.score(codes)

    def changed(normal: np.ndarray, amount: float) -> np.ndarray:
        return world.score(codes + amount * normal)

    moved = [[changed(n, sign * STEP) for sign in (1.0, -1.0)] for n in learnt]
    sums = np.array([[[sums_of(baseline, m) for m in pair]] for pair in moved])  # (B, 1, 2, C, 5)
    null = np.array([[sums_of(baseline, changed(n / np.linalg.norm(n), STEP))] for n in raw])  # (R, 1, C, 5)
    own = np.array(
        [[[m[:, j] - baseline[:, j] for m in pair]] for j, pair in enumerate(moved)], dtype=np.float64
    )
    sd = scores.std(axis=0)
    effects = effects_of(sums, null[None], own, np.arange(C), samples=K, unit=sd, all_set=0)
    factors = variation_factors(effects, np.arange(C), sd > 0.02, all_set=0, rate=0.05)
    return factors, effects.p[np.arange(C), 0, 0, np.arange(C)]


def test_absent_effects_are_not_significant():
    result, p = (
        np.array(x) for x in zip(*(experiment(seed, informed=False) for seed in range(150)), strict=True)
    )
    assert result.shape == (150, C)
    # False discoveries: in at most 5 % of the experiments is anything declared.
    assert result.any(axis=1).sum() <= stats.binom.ppf(0.999, 150, 0.05)
    assert result.mean() < 0.05
    # And the p values behind it are nearly what chance gives. (Concepts of one world share directions.)
    assert (p < 0.05).mean() < 0.08
    assert 0.4 < p.mean() < 0.6


def random_directions(seed: int, count: int) -> tuple[int, int]:
    """How many of some random directions are declared: as they are, and if their target had been given."""
    world = World(seed)
    probes = normals(seed, Stream.PROBING, Use.LATENT, range(N), D)
    codes = normals(seed, Stream.VERIFICATION, Use.LATENT, range(K), D)
    raw = normals(seed, Stream.NULL, Use.LATENT, range(R + count), D)
    units = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    zero = np.zeros((), np.float32)
    drawn = [Boundary("", "", n, zero, "w", "f", direction=f"r/{i}") for i, n in enumerate(units[R:])]
    scores = world.score(probes)
    found = with_targets(Boundaries(drawn), probes, scores, CONCEPTS)
    baseline = world.score(codes)
    moved = np.stack(
        [[world.score(codes + s * STEP * b.normal) for s in (1.0, -1.0)] for b in found]
    )  # (B, 2, K, C)
    sums = np.array([[[sums_of(baseline, m) for m in pair]] for pair in moved])
    null = np.array([[sums_of(baseline, world.score(codes + STEP * n))] for n in units[:R]])
    own = np.array([int(b.concept[1:]) for b in found])
    changes = np.stack([(pair - baseline)[:, :, j] for pair, j in zip(moved, own, strict=True)])[:, None]
    sd = scores.std(axis=0)
    return tuple(
        int(variation_factors(effects, own, sd > 0.02, all_set=0, rate=0.05).sum())
        for effects in (
            effects_of(
                sums, null[None], changes.astype(np.float64), own, samples=K, unit=sd, all_set=0, ways=ways
            )
            for ways in (ways_of_choice(found), None)
        )
    )


def test_random_directions_are_no_factors_of_the_concepts_they_happen_to_be_best_at():
    result = np.array([random_directions(seed, 6) for seed in range(100)])
    declared, uncorrected = (result > 0).sum(axis=0)
    assert declared <= stats.binom.ppf(0.999, 100, 0.05)
    assert uncorrected > stats.binom.ppf(0.999, 100, 0.05)  # so the choice of the target has to count


def test_present_effects_are_significant():
    result, _ = (
        np.array(x) for x in zip(*(experiment(seed, informed=True) for seed in range(20)), strict=True)
    )
    assert result.mean() > 0.95


def planted(strength: np.ndarray, samples: int, seed: int, draw=None) -> tuple[np.ndarray, np.ndarray]:
    """Sums (1, S, 2, 1, 5) and changes (1, S, 2, K) of S experiments whose true effect is strength (S,)."""
    rng = np.random.default_rng(seed)
    noise = (
        rng.standard_normal((len(strength), 2, samples))
        if draw is None
        else draw(rng, (len(strength), 2, samples))
    )
    signs = np.array([1.0, -1.0])[:, None]
    changes = strength[:, None, None] * signs + noise
    baseline = np.zeros((samples, 1), np.float32)
    sums = np.array([[sums_of(baseline, c[:, None].astype(np.float32)) for c in pair] for pair in changes])
    return sums[None], changes[None]


@pytest.mark.parametrize("strength", [0.0, 0.15, 1.0])
def test_planted_effects_are_estimated_without_bias_and_intervals_cover_them(strength):
    repetitions, samples = 1000, 80
    sums, changes = planted(np.full(repetitions, strength), samples, seed=1)
    null = np.zeros((4, repetitions, 1, len(FIELDS)))
    null[..., 0] = samples
    result = effects_of(
        sums, null[None], changes, np.array([0]), samples=samples, unit=np.array([0.5]), all_set=0
    )
    standard_error = 1.0 / np.sqrt(samples * repetitions)
    for k, sign in enumerate((1.0, -1.0)):
        mean, low, high = (x[0, :, k, 0] for x in (result.mean, result.low, result.high))
        assert abs(mean.mean() - sign * strength) < 4.0 * standard_error
        assert abs(result.in_sd[0, :, k, 0].mean() - 2.0 * sign * strength) < 8.0 * standard_error
        covered = int(((low <= sign * strength) & (sign * strength <= high)).sum())
        # Percentile intervals of 80 samples cover nearly 94 %; chance adds three standard errors.
        assert (
            stats.binom.ppf(0.001, repetitions, 0.938) <= covered <= stats.binom.ppf(0.999, repetitions, 0.95)
        )
    # The standard error says how much the estimate really varies.
    assert result.error[0, :, 0, 0].mean() == pytest.approx(result.mean[0, :, 0, 0].std(), rel=0.1)


def test_the_papers_figure_alone_would_find_noise():
    sums, _ = planted(np.zeros(200), 80, seed=2)
    clipped = sums[0, :, 0, 0, FIELDS.index("clipped")] / 80
    assert (clipped > 0.15).all()  # though nothing has any effect
