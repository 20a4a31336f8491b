"""Resamplings and intervals of means: against drawing by hand, other libraries, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.statistics import (
    bootstrap_means,
    bootstrap_weights,
    interval,
    mean_interval,
    resampled_means,
    sample_means,
    share_interval,
    skewed_interval,
    widened,
    widening,
)
from scipy import stats


def test_resampled_means_against_drawing_by_hand():
    rng = np.random.default_rng(1)
    changes = rng.standard_normal((2, 3, 20))
    changes[0, 1, :5] = np.nan
    changes[1, 2] = np.nan
    weights = bootstrap_weights(20, 50, seed=4)
    assert weights.shape == (50, 20)
    assert (weights.sum(axis=1) == 20).all()
    result = resampled_means(changes, weights)
    assert result.shape == (50, 2, 3)
    for r in (0, 17, 49):
        drawn = np.repeat(np.arange(20), weights[r].astype(int))
        for i, j in [(0, 0), (0, 1), (1, 1)]:
            values = changes[i, j, drawn]
            assert result[r, i, j] == pytest.approx(values[~np.isnan(values)].mean(), rel=1e-12)
    assert np.isnan(result[:, 1, 2]).all()


def test_resamplings_are_the_same_each_time_and_those_of_their_seed():
    a, b, c = bootstrap_weights(30, 40, 1), bootstrap_weights(30, 40, 1), bootstrap_weights(30, 40, 2)
    assert (a == b).all()
    assert (a != c).any()


def test_bootstrap_variance_is_that_of_the_mean():
    x = np.random.default_rng(2).exponential(size=60)
    replicates = resampled_means(x[None], bootstrap_weights(60, 20_000, 0))[:, 0]
    assert replicates.mean() == pytest.approx(x.mean(), abs=0.005)
    assert replicates.var() == pytest.approx(x.var() / 60, rel=0.05)


def test_interval_is_the_quantiles_of_what_is_defined():
    replicates = np.random.default_rng(3).standard_normal((999, 3))
    replicates[::2, 1] = np.nan
    replicates[:, 2] = np.nan
    low, high = interval(replicates, 0.9)
    for column in (0, 1):
        known = replicates[:, column][~np.isnan(replicates[:, column])]
        np.testing.assert_allclose([low[column], high[column]], np.quantile(known, [0.05, 0.95]))
    assert np.isnan([low[2], high[2]]).all()
    assert [end.shape for end in interval(np.empty((10, 2, 0)))] == [(2, 0), (2, 0)]


def test_student_interval_is_scipys():
    x = np.random.default_rng(4).standard_normal((5, 12))
    low, high = mean_interval(x.mean(axis=1), x.std(axis=1, ddof=1) / np.sqrt(12), np.full(5, 12.0), 0.9)
    expected = [stats.ttest_1samp(row, 0.0).confidence_interval(0.9) for row in x]
    np.testing.assert_allclose(low, [e.low for e in expected])
    np.testing.assert_allclose(high, [e.high for e in expected])


def rare(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Changes of a share, as scores of a few pictures jump: mostly next to nothing, 3 in 10 a part of 1."""
    return np.where(rng.random(size) < 0.3, rng.random(size), 0.01 * rng.standard_normal(size))


@pytest.mark.parametrize(
    ("draw", "truth", "samples", "least"),
    [
        (lambda rng, size: rng.standard_normal(size), 0.0, 8, 0.94),
        (lambda rng, size: rng.standard_normal(size), 0.0, 64, 0.94),
        (lambda rng, size: rng.exponential(size=size), 1.0, 8, 0.91),  # Student's covers 0.887
        (lambda rng, size: rng.exponential(size=size), 1.0, 32, 0.94),  # 0.927
        (lambda rng, size: -rng.exponential(size=size), -1.0, 32, 0.94),
        (lambda rng, size: rng.lognormal(size=size), np.exp(0.5), 64, 0.925),  # 0.905
        (rare, 0.15, 16, 0.96),  # 0.902: here and below the interval holds more than it promises
        (rare, 0.15, 128, 0.945),  # 0.943
    ],
)
def test_the_interval_of_skewed_samples_covers_the_truth(draw, truth, samples, least):
    low, high = skewed_interval(draw(np.random.default_rng([samples, 1]), (6000, samples)))
    covered = ((low <= truth) & (truth <= high)).mean()
    assert least <= covered <= max(0.963, least + 0.02)  # chance adds 0.008


def test_both_sides_of_the_interval_of_skewed_samples_miss_alike():
    x = np.random.default_rng(8).exponential(size=(6000, 64))
    low, high = skewed_interval(x)
    student = mean_interval(x.mean(axis=1), stats.sem(x, axis=1), np.full(6000, 64.0))
    assert (student[1] < 1.0).mean() > 4.0 * (student[0] > 1.0).mean()
    assert max((low > 1.0).mean(), (high < 1.0).mean()) < 0.035


@pytest.mark.parametrize("confidence", [0.95, 0.6, 0.9999])
def test_the_interval_of_skewed_samples_is_where_halls_transformation_has_students_quantiles(confidence):
    x = np.random.default_rng(9).gamma(0.3, size=(20, 15)) * np.where(np.arange(20) % 2, -1.0, 1.0)[:, None]
    ends = skewed_interval(x, confidence)
    a = ((x - x.mean(axis=1, keepdims=True)) ** 3).mean(axis=1) / x.std(axis=1, ddof=1) ** 3 / np.sqrt(15)
    for end, tail in zip(ends, (0.5 + confidence / 2.0, 0.5 - confidence / 2.0), strict=True):
        t = (x.mean(axis=1) - end) / stats.sem(x, axis=1)
        np.testing.assert_allclose(
            t + a * t**2 / 3.0 + a**2 * t**3 / 27.0 + a / 6.0, stats.t.ppf(tail, 14), rtol=1e-9
        )


def test_without_skewness_the_interval_is_students():
    x = np.array([-3.0, -1.0, 0.0, 1.0, 3.0]) + 0.7
    expected = stats.ttest_1samp(x, 0.0).confidence_interval(0.8)
    np.testing.assert_allclose(skewed_interval(x, 0.8), (expected.low, expected.high))
    low, high = skewed_interval(
        np.array([[1.0, 2.0], [2.0, 2.0]])
    )  # two samples are never skewed; equal ones vary by nothing
    expected = stats.ttest_1samp([1.0, 2.0], 0.0).confidence_interval(0.95)
    np.testing.assert_allclose([low, high], [[expected.low, 2.0], [expected.high, 2.0]])


def test_one_changed_sample_among_many_is_not_significant():
    x = np.zeros((2, 64))
    x[0, 5], x[1, 7] = 1.0, -1.0
    low, high = skewed_interval(x)
    assert low[0] < 0.0 < 1.0 / 64.0 < high[0]
    np.testing.assert_allclose([low[1], high[1]], [-high[0], -low[0]])
    assert 4.0 < 64.0 * high[0] < 10.0  # Poisson's for one case is 5.6


def test_the_interval_of_skewed_samples_leaves_out_what_is_not_defined():
    x = np.random.default_rng(10).exponential(size=(4, 12))
    x[1, 7:], x[2, 1:], x[3] = np.nan, np.nan, np.nan
    low, high = skewed_interval(x)
    assert (low[1], high[1]) == pytest.approx(skewed_interval(x[1, :7]))
    assert np.isnan([low[2:], high[2:]]).all()


@pytest.mark.parametrize(
    "draw", [lambda rng, size: rng.standard_normal(size), lambda rng, size: rng.exponential(size=size) - 1.0]
)
def test_intervals_cover_the_truth(draw):
    rng = np.random.default_rng(5)
    repetitions, samples = 2000, 100
    x = draw(rng, (repetitions, samples)) + 0.3
    low, high = interval(resampled_means(x, bootstrap_weights(samples, 600, 0)))
    student = mean_interval(
        x.mean(axis=1), x.std(axis=1, ddof=1) / 10.0, np.full(repetitions, float(samples))
    )
    for a, b in ((low, high), student):
        covered = ((a < 0.3) & (b > 0.3)).mean()
        # Skewed samples and percentiles of 100 cost up to 1.5 % of the nominal 95; chance adds 2.
        assert 0.915 < covered < 0.97


def test_wilsons_interval():
    result = stats.binomtest(7, 40).proportion_ci(method="wilson")
    assert share_interval(7 / 40, 40) == pytest.approx((result.low, result.high))
    assert np.isnan(share_interval(0.5, 0)).all()


@pytest.mark.parametrize("samples", [2, 8, 16, 500])
def test_widened_resamplings_are_as_wide_as_students_interval(samples):
    x = np.random.default_rng(samples).standard_normal((3, samples)) + 2.0
    replicates = bootstrap_means(x, bootstrap_weights(samples, 40_000, 0))
    half = stats.t.ppf(0.975, samples - 1) * stats.sem(x, axis=1)
    np.testing.assert_allclose(replicates.std(axis=0) * stats.norm.ppf(0.975), half, rtol=0.02)
    np.testing.assert_allclose(replicates.mean(axis=0), x.mean(axis=1), atol=0.03 * half.max())


def test_widening_takes_as_many_samples_as_are_defined():
    x = np.random.default_rng(0).standard_normal((4, 30))
    x[0, 16:], x[1, 1:], x[2] = np.nan, np.nan, np.nan
    weights = bootstrap_weights(30, 200, 0)
    result = bootstrap_means(x, weights)
    assert np.isnan(result[:, 1:3]).all()  # nothing is known of the spread of one sample
    for row, n in ((0, 16), (3, 30)):
        plain = resampled_means(x[row], weights)
        np.testing.assert_allclose(
            result[:, row], np.nanmean(x[row]) + widening(np.array(n)) * (plain - np.nanmean(x[row]))
        )
    np.testing.assert_allclose(sample_means(x), [x[0, :16].mean(), x[1, 0], np.nan, x[3].mean()])
    assert np.isnan(widened(np.ones((5, 1)), np.ones(1), np.array([1]))).all()
