"""Fleiss' kappa: two published examples, pairs counted one by one, and its interval in simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from ganstrata.core.study.agreement import fleiss_kappa, kappa_interval
from ganstrata.core.study.shares import MISSING
from study_raters import vote

# Fleiss 1971, table 1: the diagnoses of thirty patients by six psychiatrists, five categories.
DIAGNOSES = """
444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445
333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555
"""
# Ten subjects, fourteen raters, five categories; kappa 0.210.
SUBJECTS = (
    "0 0 0 0 14 0 2 6 4 2 0 0 3 5 6 0 3 9 2 0 2 2 8 1 1 7 7 0 0 0 3 2 6 3 0 2 5 3 2 2 6 5 2 1 0 0 2 2 3 7"
)


def diagnoses() -> np.ndarray:
    return np.array([[int(d) - 1 for d in patient] for patient in DIAGNOSES.split()]).T  # (6, 30)


def counted(choices: np.ndarray, count: int) -> np.ndarray:
    return (choices[:, :, None] == np.arange(count)).sum(axis=0)


def test_the_example_of_fleiss() -> None:
    counts = counted(diagnoses(), 5)
    np.testing.assert_allclose(
        counts.sum(axis=0) / counts.sum(), [0.144, 0.144, 0.167, 0.306, 0.239], atol=5e-4
    )  # as printed there
    assert fleiss_kappa(counts) == pytest.approx(0.430, abs=5e-4)


def test_a_second_example() -> None:
    assert fleiss_kappa(np.array(SUBJECTS.split(), int).reshape(10, 5)) == pytest.approx(0.210, abs=5e-4)


def test_missing_votes_against_pairs_counted_one_by_one() -> None:
    rng = np.random.default_rng(0)
    choices = np.where(rng.random((6, 15)) < 0.3, MISSING, rng.integers(3, size=(6, 15)))
    choices[1:, 4] = MISSING  # a single vote tells nothing
    shares = []
    rated = [q for q in range(15) if (choices[:, q] != MISSING).sum() > 1]
    for q in rated:
        pairs = [(a, b) for a, b in combinations(choices[:, q], 2) if MISSING not in (a, b)]
        shares.append(np.mean([a == b for a, b in pairs]))
    votes = choices[:, rated][choices[:, rated] != MISSING]
    chance = sum(float((votes == j).mean()) ** 2 for j in range(3))
    assert fleiss_kappa(counted(choices, 3)) == pytest.approx((np.mean(shares) - chance) / (1.0 - chance))
    assert len(rated) < 15


def test_the_ends() -> None:
    assert fleiss_kappa(np.array([[5, 0], [0, 5], [5, 0]])) == pytest.approx(1.0)
    assert fleiss_kappa(np.array([[1, 1], [1, 1]])) == pytest.approx(-1.0)
    assert np.isnan(fleiss_kappa(np.array([[5, 0], [5, 0]])))
    assert np.isnan(fleiss_kappa(np.array([[1, 0], [0, 1]])))


def test_the_interval_of_too_little_is_undefined() -> None:
    value, low, high = kappa_interval(diagnoses()[:, :2], 5)
    assert np.isfinite(value)
    assert np.isnan([low, high]).all()
    shuffled = np.random.default_rng(0).permuted(
        diagnoses(), axis=0
    )  # the table lists each patient's diagnoses in order
    value, low, high = kappa_interval(shuffled, 5)
    assert value == pytest.approx(0.430, abs=5e-4)
    assert 0.15 < low < 0.35
    assert value - low == pytest.approx(high - value)


@pytest.mark.parametrize("taste", [0.0, 1.0])
def test_coverage_in_simulation(taste: float) -> None:
    """12 raters, 20 strips: 200 studies; 95 % would be 190, and three standard errors are 9."""
    preference = np.array([1.5, 0.3, 0.0, -0.5, -1.0])
    rng = np.random.default_rng(5)
    truth = fleiss_kappa(counted(vote(preference, 300, 20_000, rng, taste=taste, luck=1.0), 5))
    hits = 0
    for k in range(200):
        _, low, high = kappa_interval(
            vote(preference, 12, 20, np.random.default_rng([k, 1]), taste=taste, luck=1.0), 5
        )
        hits += low <= truth <= high
    assert hits >= 181
