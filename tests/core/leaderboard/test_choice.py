"""What beats the null among directions that were chosen: the best of many is no finding by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ganstrata import Boundaries, Boundary, Concept
from ganstrata.core.leaderboard.learning import best_for_concepts, ways_of_choice
from ganstrata.core.leaderboard.of_moves import Paths, q_values

CONCEPTS, NULL, SAMPLES = 4, 12, 32


def paths(
    own: np.ndarray, null: np.ndarray, noise: float, rng: np.random.Generator, of_null: float | None = None
) -> Paths:
    """Paths of one step, from the true effects of directions (B, B) and of random ones (M, B)."""

    def changes(effects: np.ndarray, noise: float) -> np.ndarray:
        scatter = noise * rng.standard_normal((len(effects), SAMPLES, CONCEPTS))
        last = effects[:, None] + scatter
        return np.stack([np.zeros_like(last), last], axis=1)  # (M, T, K, B)

    random = changes(null, noise if of_null is None else of_null)
    lengths = np.zeros((len(null), SAMPLES))
    return Paths(
        changes(own, noise),
        np.zeros((len(own), SAMPLES)),
        [random] * len(own),
        [lengths] * len(own),
        (0.0, 1.0),
    )


def best_of_random(among: int, rng: np.random.Generator) -> Paths:
    """Paths of the random direction, and its sense, that moves each concept furthest."""
    found = rng.standard_normal((among, CONCEPTS))
    best = np.abs(found).argmax(axis=0)
    signs = np.sign(found[best, np.arange(CONCEPTS)])
    return paths(found[best] * signs[:, None], rng.standard_normal((NULL, CONCEPTS)), 0.3, rng)


def share_with_findings(among: int, ways: int) -> float:
    rng = np.random.default_rng(0)
    counted = np.full(CONCEPTS, ways)
    found = [(q_values(best_of_random(among, rng), counted) < 0.05).any() for _ in range(200)]
    return float(np.mean(found))


@pytest.mark.parametrize("among", [1, 10])
def test_random_directions_beat_the_null_at_no_more_than_the_nominal_rate(among: int) -> None:
    assert share_with_findings(among, 2 * among) <= 0.05 + 2.0 * np.sqrt(0.05 * 0.95 / 200)


def test_without_counting_the_choice_they_would() -> None:
    assert share_with_findings(10, 1) > 0.4
    assert share_with_findings(10, 10) > share_with_findings(10, 20)  # the sense is a choice too


def test_the_choice_counts_against_random_directions_alone() -> None:
    """Where the samples say that an effect may be none, other directions are no reason to doubt it more."""
    rng = np.random.default_rng(1)
    few = paths(np.eye(CONCEPTS), 1e-9 * rng.standard_normal((NULL, CONCEPTS)), 3.0, rng, 0.0)
    np.testing.assert_allclose(q_values(few, np.full(CONCEPTS, 50)), q_values(few, np.ones(CONCEPTS, int)))
    assert q_values(few, np.ones(CONCEPTS, int)).max() > 0.01
    sure = paths(np.eye(CONCEPTS), 0.2 * rng.standard_normal((NULL, CONCEPTS)), 1e-6, rng)
    once, often = (q_values(sure, np.full(CONCEPTS, ways)) for ways in (1, 10))
    np.testing.assert_allclose(often, 10.0 * once, rtol=1e-6)
    assert (q_values(sure, np.full(CONCEPTS, 10**9)) == 1.0).all()


def test_the_number_of_directions_is_known_of_those_without_labels_and_survives_the_store(
    compare: Any,
) -> None:
    for _ in range(2):  # computed, then read
        board = compare("planted_truth", "random:{directions: 12}", "unlabelled")
        ways = {row.label: ways_of_choice(row.boundaries).tolist() for row in board.rows}
        assert ways == {
            "planted_truth": [1, 1, 1, 1],
            "random, directions: 12": [24, 24, 24, 24],
            "unlabelled": [8, 8, 8, 8],
        }
        assert (board.q[0] < 0.05).all()
        assert (board.q[1] > 0.05).all()


def test_an_effect_that_one_sample_makes_beats_no_null():
    samples = 20
    rng = np.random.default_rng(0)
    changes, null = np.zeros((2, 2, samples, 2)), np.zeros((12, 2, samples, 2))
    changes[0, 1, 0, 0] = 1.0  # one sample jumps
    changes[1, 1, :, 1] = rng.normal(1.0, 0.1, samples)
    null[:, 1] = rng.normal(0.0, 1e-9, (12, samples, 2))  # random directions do next to nothing
    made = Paths(changes, np.ones((2, samples)), [null, null], [np.ones((12, samples))] * 2, (0.0, 2.0))
    one, all_of_them = q_values(made, np.ones(2, int))
    assert one > 0.1
    assert all_of_them < 1e-6


def test_a_chosen_direction_points_to_more_of_its_concept_with_half_of_the_samples_on_either_side():
    w = np.random.default_rng(0).normal(3.0, 1.0, (101, 4)).astype(np.float32)  # nowhere near the origin
    zero = np.full((), 0.5, np.float32)
    found = Boundaries(
        Boundary("", "", axis, zero, "w", "", direction=f"axis/{i}")
        for i, axis in enumerate(np.eye(4, dtype=np.float32))
    )
    sampled: Any = SimpleNamespace(
        w=w,
        codes=None,
        scores=np.stack([w[:, 2], -w[:, 1]], axis=1),
        concepts=(Concept("up", "attribute"), Concept("down", "attribute")),
    )
    up, down = best_for_concepts(found, sampled)
    np.testing.assert_array_equal([up.normal, down.normal], [[0, 0, 1, 0], [0, -1, 0, 0]])
    for one, score in zip((up, down), sampled.scores.T, strict=True):
        distances = w @ one.normal + one.offset
        assert np.median(distances) == pytest.approx(0.0, abs=1e-5)
        assert np.corrcoef(distances, score)[0, 1] > 0.99
