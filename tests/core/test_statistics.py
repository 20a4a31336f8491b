"""Intervals, p values and corrections: against slow references, other libraries, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.statistics import (
    benjamini_hochberg,
    bootstrap_means,
    bootstrap_weights,
    holm,
    interval,
    mean_interval,
    null_moments,
    null_p_value,
    rank_correlation,
    rank_p_value,
    resampled_means,
    sample_means,
    share_interval,
    skewed_interval,
    widened,
    widening,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats


def slow_q_values(p):
    """Return, for each p, the smallest rate at which the step-up procedure rejects it."""
    m = len(p)
    rates = sorted({min(1.0, m * value / rank) for value in p for rank in range(1, m + 1)})

    def rejected(rate):
        ordered = sorted(p)
        passing = [k for k in range(1, m + 1) if ordered[k - 1] <= k * rate / m * (1 + 1e-12)]
        return ordered[passing[-1] - 1] if passing else -1.0

    return [next(rate for rate in rates if value <= rejected(rate)) for value in p]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.01, 0.05, 1.0])), min_size=1, max_size=9),
    st.integers(0, 4),
)
def test_benjamini_hochberg_against_the_procedure_itself(p, holes):
    table = np.array([*p, *[np.nan] * holes])
    order = np.random.default_rng(len(p)).permutation(len(table))
    result = benjamini_hochberg(table[order])
    expected = np.array([*slow_q_values(p), *[np.nan] * holes])[order]
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-300)


def test_benjamini_hochberg_of_nothing():
    assert benjamini_hochberg(np.empty(0)).shape == (0,)
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()


def test_the_false_discovery_rate_is_held():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(800):
        p = np.concatenate([rng.uniform(size=30), stats.norm.sf(rng.standard_normal(10) + 3.0)])
        result = benjamini_hochberg(p) < 0.2
        shares.append(result[:30].sum() / max(result.sum(), 1))
    # The theorem: 0.2 times the share of true nulls.
    assert abs(np.mean(shares) - 0.15) < 4.0 * np.std(shares) / np.sqrt(800)


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


def test_one_sample_of_many_that_changes_is_no_finding():
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


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("directions", [4, 20])
def test_p_values_of_chance_are_uniform(two_sided, directions):
    draws = 3.0 + 0.2 * np.random.default_rng(directions).standard_normal((directions + 1, 5000))
    p = null_p_value(draws[0], draws[1:], two_sided=two_sided)
    assert stats.kstest(p, "uniform").pvalue > 0.001
    # The normal distribution in place of Student's would give five times as many with 4 directions.
    assert (p < 0.01).mean() == pytest.approx(0.01, abs=0.006)


def test_p_value_is_that_of_students_test_of_one_more_draw():
    rng = np.random.default_rng(7)
    null = rng.standard_normal((9, 4))
    effect = np.array([-1.0, 0.0, 2.0, 5.0])
    for two_sided, alternative in ((True, "two-sided"), (False, "greater")):
        result = null_p_value(effect, null, two_sided=two_sided)
        for j in range(4):
            # Two samples of sizes 1 and 9 with common variance give the same statistic and freedom.
            expected = stats.ttest_ind([effect[j]], null[:, j], alternative=alternative).pvalue
            assert result[j] == pytest.approx(expected, rel=1e-9)


def test_p_value_knows_the_direction():
    null = np.random.default_rng(8).standard_normal((20, 1))
    up, down = (float(null_p_value(np.array([x]), null, two_sided=False)[0]) for x in (6.0, -6.0))
    assert up < 1e-4
    assert down > 1.0 - 1e-4
    assert float(null_p_value(np.array([-6.0]), null, two_sided=True)[0]) < 1e-4


def test_p_value_without_a_null_or_an_effect():
    null = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
    p = null_p_value(np.array([5.0, np.nan, np.nan]), null, two_sided=True)
    assert p[0] == 1.0
    assert np.isnan(p[1:]).all()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.integers(-4, 4))
def test_rank_counts_those_as_good_or_better(null, effect):
    expected = (1 + sum(value >= effect for value in null)) / (1 + len(null))
    assert float(rank_p_value(np.array(float(effect)), np.array(null, dtype=float))) == pytest.approx(
        expected
    )


def test_rank_of_chance_is_uniform():
    draws = np.random.default_rng(9).standard_normal((20, 4000))
    ranks = np.rint(rank_p_value(draws[0], draws[1:]) * 20).astype(int)
    assert stats.chisquare(np.bincount(ranks, minlength=21)[1:]).pvalue > 0.001
    assert np.isnan(rank_p_value(np.array([np.nan]), np.zeros((3, 1)))).all()


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


def test_wilsons_interval():
    result = stats.binomtest(7, 40).proportion_ci(method="wilson")
    assert share_interval(7 / 40, 40) == pytest.approx((result.low, result.high))
    assert np.isnan(share_interval(0.5, 0)).all()


def test_holm_rejects_what_its_steps_reject():
    rng = np.random.default_rng(6)
    for _ in range(50):
        p = rng.uniform(0.0, 0.1, 6)
        order, rejected = np.argsort(p), set()
        for step, i in enumerate(order):
            if p[i] > 0.05 / (6 - step):
                break
            rejected.add(int(i))
        assert set(np.flatnonzero(holm(p) <= 0.05).tolist()) == rejected


def test_holm_keeps_the_chance_of_any_false_finding():
    rng = np.random.default_rng(7)
    false = np.mean([(holm(rng.uniform(size=8)) < 0.05).any() for _ in range(2000)])
    assert false < 0.065


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


def test_moments_of_what_is_defined():
    null = np.array([[1.0, np.nan, np.nan, 4.0], [3.0, 2.0, np.nan, 4.0], [np.nan, np.nan, np.nan, 4.0]])
    count, centre, spread = null_moments(null)
    assert count.tolist() == [2.0, 1.0, 0.0, 3.0]
    np.testing.assert_allclose(centre, [2.0, 2.0, np.nan, 4.0])
    np.testing.assert_allclose(spread, [np.sqrt(2.0), np.nan, np.nan, 0.0])


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10_000), st.integers(0, 12), st.booleans())
def test_undefined_null_directions_are_as_if_they_were_not_there(seed, lost, two_sided):
    rng = np.random.default_rng(seed)
    null, effect = rng.standard_normal((12, 3)), 2.0 * rng.standard_normal(3)
    holes = null.copy()
    holes[rng.permutation(12)[:lost], 1] = np.nan
    left = null[~np.isnan(holes[:, 1])]
    p, rank = null_p_value(effect, holes, two_sided=two_sided), rank_p_value(effect, holes)
    np.testing.assert_allclose(p[[0, 2]], null_p_value(effect, null, two_sided=two_sided)[[0, 2]])
    if len(left) < 2:
        assert np.isnan(p[1])
    else:
        assert p[1] == pytest.approx(float(null_p_value(effect[1], left[:, 1], two_sided=two_sided)))
    assert (
        np.isnan(rank[1])
        if not len(left)
        else rank[1] == pytest.approx((1 + (left[:, 1] >= effect[1]).sum()) / (1 + len(left)))
    )


@pytest.mark.parametrize("shift", [1e-12, -3e-13])
def test_a_null_that_differs_by_rounding_alone_does_not_vary(shift):
    """Equal effects may differ by rounding, and then any other effect would be significant."""
    null = 0.7 * (1.0 + shift * np.arange(5.0))[:, None]
    assert null.std() > 0.0
    for two_sided in (False, True):
        assert null_p_value(np.array([0.8]), null, two_sided=two_sided)[0] == 1.0
    assert null_p_value(np.array([0.8]), 0.7 + 1e-6 * np.arange(5.0)[:, None], two_sided=False)[0] < 1e-3


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


def test_corrected_p_values_go_up_to_one():
    assert holm(np.array([0.3, 0.4, 0.9])).tolist() == pytest.approx([0.9, 0.9, 0.9])
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


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


def test_a_null_of_equal_decreases_does_not_vary_either() -> None:
    for two_sided in (False, True):
        assert null_p_value(np.array([0.8]), np.full((5, 1), -0.7), two_sided=two_sided)[0] == 1.0
