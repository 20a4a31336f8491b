"""Rank correlations and their intervals: against scipy, formulas, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.statistics import (
    rank_correlation,
)
from scipy import stats


@pytest.mark.parametrize("truth", [0.0, 0.7])
def test_the_interval_of_a_rank_correlation_covers_it(truth):
    """Rank 20 draws of a bivariate normal, 400 times; its Spearman correlation is 6 / pi asin(r / 2)."""
    rng = np.random.default_rng(4)
    spearman = 6.0 / np.pi * np.arcsin(truth / 2.0)
    covered = 0
    for _ in range(400):
        x, e = rng.standard_normal((2, 20))
        r, low, high = rank_correlation(x, truth * x + np.sqrt(1.0 - truth**2) * e)
        assert low < r < high
        covered += low <= spearman <= high
    assert 0.92 < covered / 400 < 0.98


def test_rank_correlation_is_spearmans_and_leaves_out_what_is_not_known():
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 6, (2, 30)).astype(float)
    assert rank_correlation(a, b)[0] == pytest.approx(stats.spearmanr(a, b).statistic)
    with_gaps = np.concatenate([a, [np.nan, 3.0]]), np.concatenate([b, [100.0, np.nan]])
    assert rank_correlation(*with_gaps) == rank_correlation(a, b)
    assert rank_correlation(a, np.exp(a))[0] == pytest.approx(1.0)
    assert np.isnan(rank_correlation(a[:4], b[:4])).all()
    assert np.isnan(rank_correlation(np.ones(10), a[:10])).all()


@pytest.mark.parametrize("count", [5, 12])
def test_the_interval_of_a_rank_correlation_is_that_of_bonett_and_wright(count):
    rng = np.random.default_rng(count)
    a = rng.permutation(count).astype(float)
    b = np.where(np.arange(count) % 3 == 0, a, rng.permutation(count))
    r, low, high = rank_correlation(a, b)
    half = 1.959964 * np.sqrt((1.0 + r**2 / 2.0) / (count - 3))
    assert abs(r) > 0.1
    assert (np.arctanh(low), np.arctanh(high)) == pytest.approx(
        (np.arctanh(r) - half, np.arctanh(r) + half), rel=1e-5
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rankings_that_agree_wholly_have_an_interval(sign):
    for count in (5, 6, 7, 10, 33):
        r, low, high = rank_correlation(np.arange(count) * 1.0, sign * np.arange(count))
        assert r == pytest.approx(sign)
        assert -1.0 <= low <= high <= 1.0
        assert sign * low > 0.99
        assert sign * high > 0.99
    assert np.isnan(rank_correlation(np.arange(6.0), np.ones(6))).all()


def test_the_interval_of_a_high_rank_correlation_lies_about_it():
    a = np.arange(20.0)
    for sign in (1.0, -1.0):
        b = sign * np.where(a < 2, 1.0 - a, a)  # the first two change places
        r, low, high = rank_correlation(a, b)
        half = 1.959964 * np.sqrt((1.0 + r**2 / 2.0) / 17.0)
        assert 0.99 < abs(r) < 1.0
        assert (np.arctanh(low), np.arctanh(high)) == pytest.approx(
            (np.arctanh(r) - half, np.arctanh(r) + half), rel=1e-5
        )
