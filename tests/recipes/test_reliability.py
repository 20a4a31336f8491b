"""Shares, AUCs, reliability curves and calibration errors against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, rankdata
from sklearn.metrics import roc_auc_score

from recipes.rooms import reliability


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("successes", "count"), [(0, 7), (7, 7), (3, 11)])
def test_intervals_of_shares_are_exact(successes, count):
    estimate, expected = (
        reliability.share(successes, count),
        binomtest(successes, count).proportion_ci(method="exact"),
    )
    assert estimate == pytest.approx((successes / count, expected.low, expected.high))


def test_the_interval_of_an_auc_is_as_wide_as_resamplings_spread(rng):
    present = rng.random(400) < 0.4
    score = np.round(rng.normal(size=400) + 1.2 * present, 1)  # with ties
    estimate = reliability.auc(present, score)
    assert estimate.value == roc_auc_score(present, score)
    draws = rng.integers(0, 400, (600, 400))
    positives, ranks = present[draws].sum(axis=1), rankdata(score[draws], axis=1)
    above = (ranks * present[draws]).sum(axis=1) - positives * (positives + 1) / 2  # Mann and Whitney's U
    low, high = np.percentile(above / (positives * (400 - positives)), (2.5, 97.5))
    assert estimate.low == pytest.approx(low, abs=0.012)
    assert estimate.high == pytest.approx(high, abs=0.012)


def test_a_curve_counts_each_case_once_including_the_last_edge():
    predicted = np.array([0.0, 0.05, 0.5, 0.55, 1.0])
    points = reliability.curve(predicted, np.array([0, 0, 1, 0, 1], bool), np.linspace(0.0, 1.0, 11))
    assert [(p.count, p.observed.value) for p in points] == [(2, 0.0), (2, 0.5), (1, 1.0)]
    assert [p.mean for p in points] == pytest.approx([0.025, 0.525, 1.0])


def test_calibration_errors_of_known_sizes_are_measured(rng):
    probability = rng.random(40_000)
    happened = (rng.random(40_000) < probability).astype(float)
    by_chance = reliability.chance_error(probability)
    assert reliability.calibration_error(probability, happened) == pytest.approx(by_chance, abs=0.003)
    assert by_chance < 0.01
    # Predictions that are 0.2 too low everywhere.
    low = 0.7 * probability
    assert reliability.calibration_error(low, low + 0.2) == pytest.approx(0.2)


def test_isotonic_steps_recover_the_true_probabilities(rng):
    margin = rng.normal(size=20_000)
    happened = rng.random(20_000) < reliability.sigmoid(4.0 * margin)
    wanted = np.linspace(-2.0, 2.0, 41)
    fitted = reliability.isotonic(margin, happened, wanted)
    assert (np.diff(fitted) >= 0).all()
    assert np.abs(fitted - reliability.sigmoid(4.0 * wanted)).max() < 0.1
    assert reliability.isotonic(margin, happened, np.array([-99.0, 99.0])).tolist() == pytest.approx(
        [0.0, 1.0], abs=0.02
    )
