"""Statistics of two sets of pictures, against known answers and other implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from recipes.rooms.quality import kid, ks_distance, precision_recall, shows, squared_mmd


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("decimals", [1, 12])
def test_ks_distance_is_scipys_with_and_without_ties(rng, decimals):
    a, b = rng.normal(size=301).round(decimals), rng.normal(0.3, 1.2, size=200).round(decimals)
    assert ks_distance(a, b) == pytest.approx(ks_2samp(a, b).statistic)


def test_ks_distance_leaves_undefined_scores_out(rng):
    a, b = rng.normal(size=50), rng.normal(size=60)
    assert ks_distance(np.append(a, [np.nan] * 9), b) == ks_distance(a, b)
    assert np.isnan(ks_distance(np.full(5, np.nan), b))


def test_ks_distance_of_equal_and_of_separate_sets():
    assert ks_distance(np.arange(10.0), np.arange(10.0)[::-1]) == 0.0
    assert ks_distance(np.arange(10.0), 20.0 + np.arange(5.0)) == 1.0
    # A binary score: the difference of two shares.
    assert ks_distance(np.array([0.0, 0, 0, 1]), np.array([0.0, 1])) == pytest.approx(0.25)


def test_squared_mmd_is_the_unbiased_estimate_with_sklearns_kernel(rng):
    x, y = rng.normal(size=(40, 6)), rng.normal(0.5, 1.0, size=(30, 6))

    def mean(a, b, *, same):
        values = polynomial_kernel(a, b, degree=3, gamma=1 / 6, coef0=1)
        return values[~np.eye(len(a), dtype=bool)].mean() if same else values.mean()

    assert squared_mmd(x, y) == pytest.approx(
        mean(x, x, same=True) + mean(y, y, same=True) - 2 * mean(x, y, same=False)
    )


def test_kid_is_about_zero_for_one_distribution_and_grows_with_a_shift(rng):
    rendered = rng.normal(size=(800, 8))
    same, near, far = (
        kid(rng.normal(size=(800, 8)) + shift, rendered, subsets=30, size=200) for shift in (0.0, 0.3, 1.0)
    )
    assert abs(same.mean) < same.sd
    assert near.mean > 3 * near.sd / np.sqrt(30)
    assert near.mean > 5 * abs(same.mean)
    assert far.mean > 3 * near.mean


def test_kid_is_the_same_for_the_same_seed_only(rng):
    x, y = rng.normal(size=(100, 4)), rng.normal(size=(100, 4))
    assert kid(x, y, subsets=3, size=20, seed=1) == kid(x, y, subsets=3, size=20, seed=1)
    assert kid(x, y, subsets=3, size=20, seed=1) != kid(x, y, subsets=3, size=20, seed=2)


def test_precision_and_recall_of_equal_and_of_disjoint_sets(rng):
    x = rng.normal(size=(60, 5))
    assert precision_recall(x, x[::-1]) == (1.0, 1.0)
    assert precision_recall(x + 100.0, x) == (0.0, 0.0)


def test_a_generator_that_knows_one_of_two_modes_is_precise_and_recalls_half(rng):
    left, right = rng.normal(-50.0, 1.0, size=(80, 3)), rng.normal(50.0, 1.0, size=(80, 3))
    measured = precision_recall(left[:40], np.concatenate([left[40:], right[:40]]))
    assert measured.precision > 0.7
    assert 0.3 < measured.recall <= 0.5
    # And one that makes up a mode of its own: the other way round.
    made_up = precision_recall(np.concatenate([left[40:], right[:40]]), left[:40])
    assert made_up == (measured.recall, measured.precision)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_is_that_of_sklearns_neighbours(rng, k):
    generated, rendered = 3.0 + rng.normal(size=(70, 4)), 3.0 + rng.normal(size=(90, 4)) * 0.8
    radii = NearestNeighbors(n_neighbors=k + 1).fit(rendered).kneighbors(rendered)[0][:, k]
    distances = np.linalg.norm(generated[:, None] - rendered[None], axis=2)
    assert precision_recall(generated, rendered, k=k, block=32).precision == pytest.approx(
        (distances <= radii).any(axis=1).mean()
    )


def test_furniture_counts_from_two_percent_and_a_table_needs_its_chairs():
    names = ("bed", "sofa", "table", "chair")
    shares = np.array([[0.021, 0.0, 0.015, 0.010], [0.019, 0.5, 0.300, 0.001], [0.000, 0.0, 0.009, 0.009]])
    assert shows(shares, names, "bedroom").tolist() == [True, False, False]
    assert shows(shares, names, "living_room").tolist() == [False, True, False]
    assert shows(shares, names, "dining_room").tolist() == [True, False, False]
