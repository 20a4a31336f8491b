"""The formulas of entanglement and side effects, compared with planted truths."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from ganstrata.core.analyses.entanglement import clustered, explained
from ganstrata.core.analyses.side_effects import side_effect
from ganstrata.core.analyses.wording import bracketed, plain


def rotated(count: int, seed: int) -> np.ndarray:
    """Return cosines between random directions in six dimensions."""
    normals = np.random.default_rng(seed).standard_normal((count, 6))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals @ normals.T


def test_effects_that_are_cosines_are_explained_and_others_are_not() -> None:
    cosine, own = rotated(12, 0), np.linspace(0.5, 2.0, 12)
    value, low, high = explained(cosine * own, cosine, resamplings=200, seed=0)
    assert (value, low, high) == pytest.approx((1.0, 1.0, 1.0))
    unrelated = 0.4 * np.random.default_rng(1).standard_normal((12, 12))
    np.fill_diagonal(unrelated, own)
    value, low, high = explained(unrelated, cosine, resamplings=200, seed=0)
    assert value < 0.2
    assert low < value < high


def test_the_share_is_the_formula() -> None:
    values = np.array(
        [[1.0, 0.5, 0.0, 0.1], [0.2, 2.0, 0.0, 0.0], [0.0, 0.0, 1.0, np.nan], [0.0, 0.0, 0.3, 1.0]]
    )
    cosine = np.array(
        [[1.0, 0.25, 0.0, 0.0], [0.25, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.5], [0.0, 0.0, 0.5, 1.0]]
    )
    # Squares: 0.25 + 0.01 + 0.04 + 0.09; missed: 0, 0.1^2, (0.2 - 0.25)^2, (0.3 - 0.5)^2.
    assert explained(values, cosine, resamplings=100, seed=0)[0] == pytest.approx(
        1.0 - (0.01 + 0.0025 + 0.04) / 0.39
    )
    assert np.isnan(explained(values[:3, :3], cosine[:3, :3], resamplings=100, seed=0)).all()


def test_concepts_that_move_each_other_are_neighbours() -> None:
    groups = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    values = np.where(groups[:, None] == groups, -0.6, 0.02) + 0.001 * np.arange(81).reshape(9, 9) / 81
    np.fill_diagonal(values, 0.7)
    order = clustered(values)
    assert sorted(order) == list(range(9))
    assert (np.diff(groups[order]) != 0).sum() == 2
    assert clustered(np.eye(2)) == [0, 1]


def planted(truth: np.ndarray, error: float, *, shared: bool, seed: int) -> SimpleNamespace:
    """Return effects of one boundary on the concepts of `truth`, whose standard deviation is 2."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(1 if shared else len(truth)) * error
    mean = 2.0 * (truth + noise)[None, None, None]
    concepts = [SimpleNamespace(sd=2.0, least=0.1) for _ in truth]
    null = np.zeros((6, 1, len(truth), 5))
    null[..., 0], null[..., 1] = 100.0, 100.0 * 2.0 * (0.05 * rng.standard_normal((6, 1, len(truth))))
    null[..., 2] = null[..., 1] ** 2 / 100.0  # no spread among samples
    return SimpleNamespace(
        mean=mean,
        error=np.full(mean.shape, 2.0 * error),
        concepts=concepts,
        null=null[None],
        kind=np.zeros(1, int),
    )


def test_noise_alone_is_not_a_side_effect() -> None:
    none = np.zeros((1, 1, 3000), dtype=bool)
    effect = side_effect(
        planted(np.zeros(3000), 0.3, shared=False, seed=0), [(0, j) for j in range(3000)], 0, none
    )
    assert effect.low == 0.0
    assert effect.value < 0.1  # the root mean square itself would be 0.3
    assert effect.random == pytest.approx(0.05, rel=0.05)
    assert (effect.concepts, effect.beyond) == (3000, 0)


@pytest.mark.parametrize("shared", [False, True])
def test_the_interval_covers_the_truth_for_any_correlation_of_errors(shared: bool) -> None:
    truth = np.linspace(-0.5, 0.5, 11) + 0.2
    wanted = float(np.sqrt((truth**2).mean()))
    none = np.zeros((1, 1, 11), dtype=bool)
    covered = 0
    for seed in range(200):
        effect = side_effect(
            planted(truth, 0.08, shared=shared, seed=seed), [(0, j) for j in range(11)], 0, none
        )
        covered += effect.low <= wanted <= effect.high
    assert covered / 200 > 0.93


def test_concepts_without_a_score_are_left_out() -> None:
    effects = planted(np.array([0.5, 0.5, 0.5]), 0.001, shared=False, seed=0)
    effects.mean[..., 1] = np.nan
    beyond = np.array([[[True, True, False]]])
    effect = side_effect(effects, [(0, 0), (0, 1), (0, 2)], 0, beyond)
    assert (effect.concepts, effect.beyond) == (2, 1)
    assert effect.value == pytest.approx(0.5, abs=0.01)
    assert np.isnan(side_effect(effects, [(0, 1)], 0, beyond).value)


def test_numbers_in_words() -> None:
    assert bracketed(-0.001, -0.2, 0.0) == "0.00 [−0.20, 0.00]"
    assert bracketed(float("nan"), 0.0, 1.0) == "–"
    assert plain(-0.5) == "−0.50"
    assert plain(0.0001, 3) == "0.0001"
    assert plain(float("nan")) == "–"


def test_noise_is_taken_out_of_the_squares_of_random_directions_too() -> None:
    """Directions without effect, 20 samples, sd 1: the mean square of means is 1 / 20, that of effects 0."""
    rng = np.random.default_rng(0)
    changes = rng.standard_normal((50, 40, 20))  # (R, C, K)
    effects = planted(np.zeros(40), 0.01, shared=False, seed=0)
    sums = np.stack(
        [
            np.full((50, 40), 20.0),
            changes.sum(2),
            (changes**2).sum(2),
            np.zeros((50, 40)),
            np.zeros((50, 40)),
        ],
        axis=-1,
    )
    effects.null = sums[None, :, None]
    none = np.zeros((1, 1, 40), dtype=bool)
    pairs = [(0, j) for j in range(40)]
    assert side_effect(effects, pairs, 0, none).random < 0.04  # with the noise 0.11, in units of 2
    true = sums.copy()
    true[..., 1] += 20 * 0.5
    true[..., 2] += 20 * 0.25 + 2 * 0.5 * sums[..., 1]
    effects.null = true[None, :, None]
    assert side_effect(effects, pairs, 0, none).random == pytest.approx(0.25, abs=0.02)
