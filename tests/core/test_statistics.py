"""P values, ranks, moments and corrections: against slow references, other libraries, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.statistics import (
    benjamini_hochberg,
    holm,
    mean_p_value,
    null_moments,
    null_p_value,
    rank_p_value,
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


def test_corrected_p_values_go_up_to_one():
    assert holm(np.array([0.3, 0.4, 0.9])).tolist() == pytest.approx([0.9, 0.9, 0.9])
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_a_null_of_equal_decreases_does_not_vary_either() -> None:
    for two_sided in (False, True):
        assert null_p_value(np.array([0.8]), np.full((5, 1), -0.7), two_sided=two_sided)[0] == 1.0


@pytest.mark.parametrize("two_sided", [False, True])
def test_the_p_value_of_a_mean_is_students(two_sided: bool) -> None:
    x = np.random.default_rng(6).standard_normal((5, 9)) + np.array([[0.0], [0.5], [-0.5], [2.0], [-2.0]])
    p = mean_p_value(x.mean(axis=1), stats.sem(x, axis=1), np.full(5, 9), two_sided=two_sided)
    alternative = "two-sided" if two_sided else "greater"
    np.testing.assert_allclose(p, stats.ttest_1samp(x, 0.0, axis=1, alternative=alternative).pvalue)


def test_a_mean_that_is_zero_or_of_one_sample_is_not_told_from_zero() -> None:
    mean = np.array([0.0, 0.0, 0.7, 0.7, -0.7, np.nan])
    error = np.array([0.0, 0.1, np.nan, 0.0, 0.0, np.nan])
    count = np.array([16, 16, 1, 16, 16, 0])
    one_sided = mean_p_value(mean, error, count, two_sided=False)
    assert one_sided.tolist() == [1.0, 1.0, 1.0, 0.0, 1.0, pytest.approx(np.nan, nan_ok=True)]
    two_sided = mean_p_value(mean, error, count, two_sided=True)
    assert two_sided.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, pytest.approx(np.nan, nan_ok=True)]


@pytest.mark.parametrize("two_sided", [False, True])
def test_variance_that_the_null_effects_lack_is_added_with_its_own_degrees_of_freedom(
    two_sided: bool,
) -> None:
    null = np.array([-0.2, 0.1, 0.3, -0.1, 0.4, 0.0])[:, None]
    extra, extra_freedom, effect = 0.05, 3.0, 1.1
    own = null.var(ddof=1) * (1.0 + 1.0 / 6.0)
    freedom = (own + extra) ** 2 / (own**2 / 5.0 + extra**2 / extra_freedom)  # Satterthwaite
    expected = stats.t.sf((effect - null.mean()) / np.sqrt(own + extra), freedom)
    p = null_p_value(
        np.array([effect]), null, two_sided=two_sided, extra=extra, extra_freedom=extra_freedom
    ).item()
    assert p == pytest.approx((1.0 + two_sided) * expected)
