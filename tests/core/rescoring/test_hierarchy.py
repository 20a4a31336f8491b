"""Hierarchy: planted layers are recovered, and the numbers follow the formulas of method B."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.rescoring.hierarchy import (
    Estimate,
    _earlier,
    _orders,
    hierarchy_of,
    layer_share,
    mean_depth,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

LEVELS = ("layout", "category", "attribute", "colour", "object")
GROUPS = {"bottom": (0, 1), "lower": (2, 3), "upper": (4, 5, 6), "top": (7,)}
L = 8


def planted(profiles, *, samples=100, noise=0.3, seed=0):
    """Changes (F, L, K) whose true mean is a profile over layers for each factor."""
    rng = np.random.default_rng(seed)
    profiles = np.asarray(profiles, dtype=np.float64)
    return profiles[:, :, None] + noise * rng.standard_normal((*profiles.shape, samples))


def at(layer, strength=1.0):
    return strength * np.eye(L)[layer]


def hierarchy(changes, levels, groups=GROUPS, bootstrap=500, seed=0):
    names = [f"{level}/{i}" for i, level in enumerate(levels)]
    return hierarchy_of(changes, names, levels, LEVELS, groups, bootstrap=bootstrap, seed=seed)


@pytest.mark.parametrize("layer", [0, 3, 7])
def test_an_effect_in_one_layer_has_the_depth_of_that_layer(layer):
    """In 200 experiments: the interval holds the layer in 95 % of them, and it is narrow."""
    result = hierarchy(planted(np.tile(at(layer), (200, 1)), noise=0.2, seed=layer), ["attribute"] * 200)
    low, high = result.concept_depth.low, result.concept_depth.high
    covered = int(((low <= layer) & (layer <= high)).sum())
    # Percentile intervals of a ratio cover nearly 94 %.
    assert stats.binom.ppf(0.001, 200, 0.935) <= covered
    assert np.median(high - low) < 1.1
    assert (
        abs(result.concept_depth.value.mean() - layer)
        < 4.0 * result.concept_depth.value.std() / np.sqrt(200) + 0.01
    )
    group = next(g for g, layers in enumerate(GROUPS.values()) if layer in layers)
    assert result.groups.value[0, group] > 0.95
    assert result.peak[0, group] == 1.0


def test_the_depth_interval_covers_the_truth():
    """A spread-out profile, 300 experiments, each with its own interval."""
    profile = np.array([0.1, 0.5, 1.0, 0.6, 0.2, 0.0, 0.0, 0.0])
    truth = (profile * np.arange(L)).sum() / profile.sum()
    result = hierarchy(planted(np.tile(profile, (300, 1)), noise=1.0, samples=120), ["layout"] * 300)
    covered = (result.concept_depth.low <= truth) & (truth <= result.concept_depth.high)
    assert 0.90 < covered.mean() < 0.985
    assert result.concept_depth.value.mean() == pytest.approx(
        truth, abs=4.0 * result.concept_depth.value.std() / np.sqrt(300) + 0.03
    )


def test_clipped_means_bias_the_depth_to_the_middle_and_signed_means_do_not():
    changes = planted(np.tile(at(0), (50, 1)), noise=1.0, samples=200)
    result = hierarchy(changes, ["layout"] * 50)
    clipped = np.maximum(changes, 0.0).mean(axis=2)
    assert mean_depth(clipped).mean() > 2.0
    assert abs(np.median(result.concept_depth.value)) < 0.3


def test_figures_are_the_formulas():
    rng = np.random.default_rng(3)
    changes = planted(rng.uniform(-0.3, 1.0, (3, L)), noise=0.5)
    changes[0, 2, :7] = np.nan
    result = hierarchy(changes, ["colour", "layout", "colour"])
    assert result.levels == ("layout", "colour")
    assert result.factors == ("colour/0", "layout/1", "colour/2")
    assert result.group_names == tuple(GROUPS)
    means = np.array(
        [[np.mean([x for x in row if not np.isnan(x)]) for row in factor] for factor in changes]
    )  # (F, L)
    np.testing.assert_allclose(result.concept_curve.value, means)
    curves = np.stack([means[1], (means[0] + means[2]) / 2.0])
    np.testing.assert_allclose(result.curve.value, curves)
    positive = np.where(curves > 0.0, curves, 0.0)
    assert (curves < 0.0).any()
    shares = positive / positive.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.share.value, shares)
    np.testing.assert_allclose(
        result.groups.value,
        np.stack([shares[:, list(layers)].sum(axis=1) for layers in GROUPS.values()], axis=1),
    )
    np.testing.assert_allclose(result.depth.value, curves @ np.arange(L) / curves.sum(axis=1))
    for estimate in (result.curve, result.depth, result.concept_curve, result.concept_depth, result.groups):
        assert (estimate.low <= estimate.value + 1e-12).all()
        assert (estimate.high >= estimate.value - 1e-12).all()


def test_negative_means_count_nothing_in_the_shares_but_in_the_depth():
    means = np.array([[3.0, -1.0, 1.0, 0.0]])
    np.testing.assert_allclose(layer_share(means), [[0.75, 0.0, 0.25, 0.0]])
    assert mean_depth(means).tolist() == [(-1.0 + 2.0) / 3.0]
    assert np.isnan(layer_share(-np.ones(3))).all()
    assert np.isnan(mean_depth(np.array([1.0, -1.0])))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(0.0, 10.0), min_size=1, max_size=9).filter(lambda v: sum(v) > 0.01),
    st.floats(0.01, 100.0),
)
def test_depth_and_share_ignore_the_strength(means, factor):
    means = np.array(means)
    assert mean_depth(factor * means) == pytest.approx(float(mean_depth(means)), abs=1e-9)
    assert 0.0 <= mean_depth(means) <= len(means) - 1 + 1e-9
    shares = layer_share(means)
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(layer_share(factor * means), shares, atol=1e-12)
    # The depth is the mean of a distribution over layers.
    assert mean_depth(means) == pytest.approx(float((shares * np.arange(len(means))).sum()), abs=1e-9)


def test_the_order_of_levels_is_stated_with_its_certainty():
    levels = ["layout", "category", "attribute", "colour"]
    changes = planted([at(0), at(3), at(3), at(7)], noise=0.2, seed=4)
    result = hierarchy(changes, levels)
    # Layout before category before colour, surely; category and attribute sit in the same layer.
    for a, b in ((0, 1), (0, 2), (0, 3), (1, 3), (2, 3)):
        assert result.earlier[a, b] == 1.0
        assert result.earlier[b, a] == 0.0
    assert (np.diag(result.earlier) == 0.0).all()
    assert result.earlier[1, 2] + result.earlier[2, 1] == pytest.approx(1.0)
    chances = [
        hierarchy(planted([at(3), at(3)], noise=0.2, seed=s), levels[:2], bootstrap=200).earlier[0, 1]
        for s in range(60)
    ]
    # With the same truth, either is called earlier as often.
    assert np.mean(chances) == pytest.approx(0.5, abs=4.0 * np.std(chances) / np.sqrt(60))


def test_levels_are_averages_in_which_every_factor_weighs_the_same():
    result = hierarchy(planted([at(0, 3.0), at(4, 1.0)], noise=0.0), ["layout", "layout"])
    np.testing.assert_allclose(result.curve.value[0], at(0, 1.5) + at(4, 0.5))
    np.testing.assert_allclose(result.groups.value[0], [0.75, 0.0, 0.25, 0.0])
    assert result.depth.value[0] == pytest.approx(1.0)
    np.testing.assert_allclose(result.concept_depth.value, [0.0, 4.0])


def test_undefined_changes_are_left_out():
    changes = planted([at(2), at(5)], noise=0.0, samples=50)
    changes[0, :, :20] = np.nan
    result = hierarchy(changes, ["layout", "colour"])
    np.testing.assert_allclose(result.depth.value, [2.0, 5.0])
    changes[1, 6] = np.nan  # moving this layer leaves no score at all
    result = hierarchy(changes, ["layout", "colour"])
    assert np.isnan(result.concept_curve.value[1, 6])
    assert result.depth.value[1] == pytest.approx(5.0)


def test_levels_and_factors_are_resampled_together():
    """Factors that share their noise are compared far more sharply than their own intervals suggest."""
    shared = np.random.default_rng(5).standard_normal((1, L, 100)) * 0.5
    changes = np.stack([at(3), at(3) + 0.02 * at(7)])[:, :, None] + shared
    result = hierarchy(changes, ["layout", "colour"])
    assert result.depth.high[0] > result.depth.low[1]  # the intervals overlap
    assert result.earlier[0, 1] > 0.95


def test_without_groups_there_are_no_shares_by_group():
    result = hierarchy(planted([at(1)]), ["layout"], groups={})
    assert result.groups.value.shape == result.peak.shape == (1, 0)
    assert result.depth.low[0] <= 1.0 <= result.depth.high[0]


def test_the_same_seed_gives_the_same_intervals():
    changes = planted([at(1), at(6)])
    one, two, other = (hierarchy(changes, ["layout", "colour"], seed=s) for s in (0, 0, 1))
    assert one.depth.low.tolist() == two.depth.low.tolist()
    assert one.depth.low.tolist() != other.depth.low.tolist()


def test_effects_that_cancel_have_no_depth_and_leave_that_of_others():
    cancelling = at(1) - at(6)
    result = hierarchy(planted([cancelling, at(3)]), ["attribute", "colour"])
    for numbers in (result.concept_depth.value, result.concept_depth.low, result.concept_depth.high):
        assert np.isnan(numbers[0])
        assert numbers[1] == pytest.approx(3.0, abs=0.8)
    assert np.isnan(result.depth.value[0])
    assert np.isfinite(result.depth.value[1])


def test_the_test_of_order_holds_its_rate_where_two_levels_sit_at_the_same_depth():
    """Profiles of different shape whose depths are equal, 150 experiments."""
    profiles = [at(3), 0.5 * at(1) + 0.5 * at(5)]
    result = [
        hierarchy(
            planted(profiles, seed=seed, samples=60), ["layout", "colour"], bootstrap=200, seed=seed
        ).orders
        for seed in range(150)
    ]
    p = np.array([orders.p[0, 1] for orders in result])
    assert (
        stats.binom.ppf(0.001, 150, 0.05) <= (p < 0.05).sum() <= stats.binom.ppf(0.999, 150, 0.07)
    )  # percentiles of few samples run a little ahead
    assert 0.4 < p.mean() < 0.6
    covered = [orders.difference.low[0, 1] <= 0.0 <= orders.difference.high[0, 1] for orders in result]
    assert np.mean(covered) > 0.88


def test_different_depths_are_significant_after_correction_over_all_pairs():
    result = hierarchy(
        planted([at(1), at(3), at(6)], noise=0.1), ["layout", "category", "colour"], bootstrap=999
    )
    orders = result.orders
    assert orders.pairs == 3
    np.testing.assert_allclose(
        orders.difference.value, [[np.nan, 2, 5], [-2, np.nan, 3], [-5, -3, np.nan]], atol=0.3
    )
    upper = np.triu_indices(3, 1)
    np.testing.assert_allclose(orders.p[upper], 0.002)  # the least that 999 resamplings can give
    np.testing.assert_allclose(orders.corrected[upper], 0.006)
    np.testing.assert_array_equal(orders.corrected, orders.corrected.T)
    assert (orders.difference.low[upper] > 0.0).all()


def test_levels_without_a_depth_take_no_part_in_the_test():
    orders = hierarchy(planted([at(1) - at(6), at(3), at(5)]), ["attribute", "colour", "layout"]).orders
    assert orders.pairs == 1
    assert np.isnan(orders.p[:, 1]).all()  # layout, attribute, colour: in the order of levels
    assert np.isfinite(orders.corrected[0, 2])


def test_a_factor_that_is_unknown_at_a_layer_does_not_count_there_as_unmoved():
    changes = planted([at(2), at(2), at(5)], noise=0.0, samples=40)
    changes[0, 2] = np.nan  # no picture moved here has a score
    result = hierarchy(changes, ["layout", "layout", "colour"])
    assert result.curve.value[0, 2] == pytest.approx(1.0)  # of the other factor, not the half of it
    changes[1, 2] = np.nan
    result = hierarchy(changes, ["layout", "layout", "colour"])
    assert np.isnan([result.curve.value[0, 2], result.curve.low[0, 2], result.curve.high[0, 2]]).all()


def test_resamplings_without_a_share_or_a_depth_count_for_none():
    """Where the only layer that moves is mostly undefined, some resamplings have no share and no depth."""
    changes = planted([at(2, 0.0), at(5)], noise=0.0, samples=12)
    changes[0] = -1.0  # no layer moves it upwards, so no group can hold the largest share
    result = hierarchy(changes, ["layout", "colour"])
    assert result.peak[0].tolist() == [0.0] * 4
    assert result.peak[1].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_orders_are_of_the_resamplings_in_which_both_depths_are_defined():
    depths = np.array([[0.0, 1.0]] * 30 + [[np.nan, 1.0]] * 69 + [[1.0, 0.0]])
    result = _orders(Estimate(np.array([0.0, 1.0]), np.zeros(2), np.ones(2)), depths)
    assert result.p[0, 1] == pytest.approx(2.0 * (1 + 1) / (31 + 1))
    assert _earlier(depths)[0, 1] == pytest.approx(30 / 31)
    assert _earlier(depths)[1, 0] == pytest.approx(1 / 31)
    assert np.isnan(_earlier(np.full((5, 2), np.nan))).all()


@pytest.mark.parametrize("samples", [16, 32])
def test_curves_of_few_samples_are_as_uncertain_as_students_interval_says(samples):
    """Effects that adaptive sampling stops at 16 samples are not stated with too much certainty."""
    changes = planted([at(2), at(5)], samples=samples, noise=0.5, seed=samples)
    changes = np.concatenate([changes, np.full((2, L, 100), np.nan)], axis=2)  # the rest was not moved
    result = hierarchy(changes, ["layout", "colour"], bootstrap=4000)
    half = stats.t.ppf(0.975, samples - 1) * stats.sem(changes[:, :, :samples], axis=2)
    np.testing.assert_allclose((result.concept_curve.high - result.concept_curve.low) / 2, half, rtol=0.15)
    assert np.mean((result.concept_curve.high - result.concept_curve.low) / 2 / half) == pytest.approx(
        1.0, abs=0.05
    )


def test_levels_that_are_moved_alike_are_not_in_order() -> None:
    """Their depths are the same in every resampling: all of them lie on both sides of no difference."""
    changes = np.repeat(planted([at(3)]), 2, axis=0)
    orders = hierarchy(changes, ["layout", "colour"]).orders
    assert orders.p[0, 1] == orders.p[1, 0] == orders.corrected[0, 1] == 1.0
    assert (orders.difference.value[0, 1], orders.difference.low[0, 1], orders.difference.high[0, 1]) == (
        0.0,
        0.0,
        0.0,
    )


def test_resamplings_without_a_difference_speak_for_neither_order() -> None:
    depths = np.array([[0.0, 1.0]] * 90 + [[1.0, 1.0]] * 9)
    result = _orders(Estimate(np.array([0.0, 1.0]), np.zeros(2), np.ones(2)), depths)
    assert result.p[0, 1] == result.p[1, 0] == pytest.approx(2.0 * (9 + 1) / (99 + 1))


def test_levels_of_which_one_never_has_a_depth_are_in_no_order_though_others_are() -> None:
    result = _earlier(np.array([[0.0, np.nan, 1.0]] * 5))
    np.testing.assert_array_equal(result, [[0.0, np.nan, 1.0], [np.nan, np.nan, np.nan], [0.0, np.nan, 0.0]])
