"""The metrics on numbers that are worked out by hand, or whose truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.leaderboard.board import pareto_front
from ganstrata.core.leaderboard.estimates import chance_of, estimate, over_concepts
from ganstrata.core.leaderboard.metrics.dci import (
    completeness,
    disentanglement,
    distinct,
    informativeness,
    weights_of_codes,
)
from ganstrata.core.leaderboard.metrics.dependency import at_amount, sizes_on_the_way
from ganstrata.core.leaderboard.metrics.effects import chance_changes, effects
from ganstrata.core.leaderboard.metrics.exclusivity import binned, information_gaps, mutual_information
from ganstrata.core.leaderboard.metrics.judges import rank_agreement, sign_agreement
from ganstrata.core.leaderboard.metrics.path_length import segment_lengths, trimmed
from ganstrata.core.leaderboard.metrics.precision import change_sizes, precision_ratio
from ganstrata.core.leaderboard.metrics.separability import separability
from ganstrata.core.leaderboard.metrics.smoothness import smoothness
from ganstrata.core.leaderboard.of_projections import reading
from ganstrata.core.leaderboard.of_space import separability_of_space
from ganstrata.core.statistics import bootstrap_weights
from sklearn.metrics import mutual_info_score

STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("paths", "steadiness", "straightness"),
    [
        ([[0, 1, 2, 3, 4]], 1.0, 1.0),
        ([[4, 3, 2, 1, 0]], -1.0, 1.0),
        ([[0, 0, 0, 4, 4]], 1.0, 0.75),  # a step, all of it the right way: its line explains 14.4 of 19.2
        ([[0, 1, 0, 1, 0]], 0.0, 0.0),  # up as much as down
        ([[0, 2, 1, 3, 2]], 0.3333, 0.4808),  # 2 of 6; 2.5 of 5.2
        ([[0, 1, 2, 3, 4], [0, 0, 0, 0, 0]], 1.0, 1.0),  # a sample that does not move says nothing
        ([[0, 1, 2, 3, 4], [np.nan, 1, 0, 0, 5]], 1.0, 1.0),  # nor one whose score is lost on the way
    ],
)
def test_smoothness_of_paths_worked_out_by_hand(paths, steadiness, straightness):
    rows = np.array(paths, dtype=np.float64)
    changes = (rows - rows[:, [2]]).T[None, :, :, None]  # (1, T, K, 1)
    found = smoothness(changes, STEPS, np.ones((1, len(rows))))
    assert found["steadiness"][0, 0] == pytest.approx(steadiness, abs=1e-4)
    assert found["straightness"][0, 0] == pytest.approx(straightness, abs=1e-4)


def test_straightness_knows_steps_that_are_not_even():
    steps = (-1.0, 0.0, 3.0)
    changes = np.array(steps)[None, :, None, None] * 0.7
    assert smoothness(changes, steps, np.ones((1, 1)))["straightness"][0, 0] == pytest.approx(1.0)


def test_effect_on_others_is_that_beyond_chance():
    changes = np.array([[2.0, 0.4, -0.2], [0.0, 2.0, 0.0], [-0.3, 0.3, 2.0]])[:, None].repeat(50, axis=1)
    null = np.stack([np.full((50, 3), value) for value in (0.1, -0.1)])  # absolute mean 0.1 on every concept
    one = np.ones((1, 50))
    chance = chance_changes(null, one)[:, None].repeat(3, axis=1)
    found = effects(changes, chance, one)
    assert found["others"][0] == pytest.approx([0.3 - 0.1, 0.0 - 0.1, 0.3 - 0.1])
    assert found["target"][0] == pytest.approx([2.0, 2.0, 2.0])


def test_intervals_cover_the_mean_as_often_as_they_say():
    """95 % intervals hold the mean effect of a population of concepts and samples in about 95 % of draws."""
    rng = np.random.default_rng(1)
    samples, concepts = bootstrap_weights(40, 200, 0), bootstrap_weights(16, 200, 1)
    held = 0
    for _ in range(120):
        changes = np.zeros((16, 40, 16))
        own = rng.normal(1.0, 0.3, size=16)[:, None] + rng.normal(0.0, 0.8, size=(16, 40))
        changes[np.arange(16), :, np.arange(16)] = own
        value, drawn = (
            over_concepts(effects(changes, np.zeros((len(w), 16, 16)), w)["target"], c)
            for w, c in ((np.ones((1, 40)), np.ones((1, 16))), (samples, concepts))
        )
        found = estimate(value, drawn[:, None])
        held += bool(found.low[0] <= 1.0 <= found.high[0])
    assert 106 <= held <= 120


def test_intervals_stay_within_bounds_and_undefined_numbers_have_none():
    drawn = np.random.default_rng(0).normal(1.0, 0.1, (100, 2))
    found = estimate(np.array([1.0, np.nan]), drawn, (0.0, 1.0))
    assert found.high[0] == 1.0
    assert found.low[0] < 0.9
    assert np.isnan([found.low[1], found.high[1]]).all()
    assert np.isnan(chance_of(np.array([np.nan]))).all()


def test_the_precision_ratio_counts_changes_that_cancel_out():
    changes = np.zeros((2, 4, 2))
    changes[0, :, 0], changes[0, :, 1] = 3.0, [1.0, -1.0, 1.0, -1.0]  # others change, though not on average
    sizes = change_sizes(changes, np.ones((1, 4)))
    assert precision_ratio(sizes["own"], sizes["beside"])[0, 0] == pytest.approx(3.0)
    assert np.isnan(change_sizes(np.ones((1, 4, 1)), np.ones((1, 4)))["beside"]).all()


def test_dependency_is_read_off_where_the_target_first_gets_there():
    target = np.array([[0.0, 2.0, 1.0, 3.0], [0.0, -1.0, -2.0, -3.0]])
    beside = np.array([[0.0, 0.4, 0.9, 0.9], [0.0, 1.0, 1.0, 1.0]])
    assert at_amount(target, beside, 1.0)[0] == pytest.approx(0.2)
    assert at_amount(target, beside, 2.5)[0] == pytest.approx(0.9)
    assert np.isnan(at_amount(target, beside, 1.0)[1])
    changes = np.zeros((1, 2, 3, 4))
    changes[0, 1] = [[9.0, 1.0, -2.0, 0.0]] * 3
    sizes = sizes_on_the_way(changes, np.array([0]), np.ones((1, 3)))
    assert sizes["mean"][0, 0, 1] == pytest.approx(1.0)
    assert sizes["max"][0, 0, 1] == pytest.approx(2.0)


def test_dci_of_codes_that_are_the_factors_is_one_and_of_turned_codes_is_not():
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((2000, 4))
    own = np.abs(weights_of_codes(3.0 * factors[:, [2, 0, 3, 1]] + 1.0, factors))
    assert disentanglement(own) == pytest.approx(1.0, abs=1e-6)
    assert completeness(own) == pytest.approx(1.0, abs=1e-6)
    turned = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    mixed = np.abs(weights_of_codes(factors @ turned, factors))
    assert disentanglement(mixed) < 0.6
    assert completeness(mixed) < 0.6


def test_disentanglement_and_completeness_differ_where_they_must():
    both = np.array([[1.0, 1.0], [0.0, 0.0]])  # one code knows both factors
    assert disentanglement(both) == pytest.approx(0.0)
    assert completeness(both) == pytest.approx(1.0)
    assert np.isnan(disentanglement(np.zeros((2, 2))))


def test_informativeness_is_judged_on_fresh_samples():
    rng = np.random.default_rng(0)
    codes, new = rng.standard_normal((400, 3)), rng.standard_normal((300, 3))
    noise = rng.standard_normal((700, 1))
    factors, truth = codes[:, :1] + noise[:400], new[:, :1] + noise[400:]
    found = informativeness(
        codes, np.hstack([factors, noise[:400]]), (new, np.hstack([truth, noise[400:]])), np.ones((1, 300))
    )
    assert found[0, 0] == pytest.approx(0.5, abs=0.1)  # half of the variance is noise
    assert abs(found[0, 1]) < 0.05


def test_information_of_bins_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 500), rng.integers(0, 4, 500)
    b = np.where(rng.random(500) < 0.5, a % 4, b)
    assert mutual_information(a, b, np.ones(500))[0] == pytest.approx(mutual_info_score(a, b))
    twice = np.repeat(np.arange(500), 2)
    assert mutual_information(a, b, np.full(500, 2.0))[0] == pytest.approx(
        mutual_info_score(a[twice], b[twice])
    )


def test_the_gap_is_one_where_one_code_knows_all_and_none_where_two_know_the_same():
    values = np.random.default_rng(0).standard_normal((3000, 3))
    every = np.ones((1, 3000))
    alone = information_gaps(values, values, every)
    assert alone[0] == pytest.approx(np.ones(3), abs=0.05)
    alike = information_gaps(values[:, [0, 0, 2]], values[:, :1], every)
    assert alike[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(information_gaps(values[:, :1], values, every)).all()


def test_bins_hold_equally_many_and_leave_out_what_is_undefined():
    values = np.concatenate([np.exp(np.random.default_rng(0).standard_normal(4000)), [np.nan]])
    bins = binned(values)
    assert bins[-1] == -1
    assert np.ptp(np.bincount(bins[:-1])) <= 1
    assert len(np.bincount(bins[:-1])) == 20


def test_separability_of_sides_that_are_right_by_three_quarters():
    labels = np.repeat([0, 1], 100)
    above = np.concatenate([np.arange(100) >= 75, np.arange(100) < 75])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert separability(above, labels, np.ones((1, 200)))[0] == pytest.approx(np.exp(entropy))
    assert separability(~above, labels, np.ones((1, 200)))[0] == pytest.approx(np.exp(entropy))
    assert separability(np.ones(200, dtype=bool), labels, np.ones((1, 200)))[0] == pytest.approx(2.0)


def test_lengths_are_for_a_step_of_one():
    steps = np.array([-2.0, 0.0, 1.0])
    squared = np.diff(steps)[None, :, None] ** 2 * np.full((1, 1, 5), 3.0)
    assert segment_lengths(squared, steps, 2.0) == pytest.approx(np.full((1, 5), 1.5))
    assert np.isnan(trimmed(np.arange(1000.0))).sum() in (18, 20)


def test_judges_agree_by_rank_and_by_sign():
    effects_ = np.array([[1.0, 5.0, -1.0], [2.0, 6.0, -2.0], [3.0, 9.0, -3.0]])
    assert rank_agreement(effects_[:, :2]) == pytest.approx(1.0)
    assert rank_agreement(effects_) == pytest.approx(-1.0 / 3.0)  # of the three pairs two are opposite
    assert sign_agreement(effects_[:, :2]) == 1.0
    assert sign_agreement(effects_) == 0.0
    assert np.isnan(rank_agreement(effects_[:2]))
    assert sign_agreement(np.array([[1.0, np.nan], [1.0, 1.0]])) == 1.0


def test_on_the_front_is_who_is_beaten_by_nobody():
    gain, cost = np.array([3.0, 2.0, 2.0, 1.0, np.nan]), np.array([0.5, 0.1, 0.2, 0.1, 0.0])
    assert pareto_front(gain, cost) == [0, 1]
    assert pareto_front(np.array([1.0, 1.0]), np.array([0.2, 0.2])) == [0, 1]


def test_a_factor_that_some_codes_leave_undefined_is_fitted_and_judged_where_it_is_defined():
    rng = np.random.default_rng(0)
    codes, new = rng.standard_normal((4000, 2)), rng.standard_normal((2000, 2))

    def read(rows, noise):
        return np.where(rows[:, :1] > 0.5, 7.0 + 3.0 * rows[:, :1] + noise[:, None], np.nan)

    factor, truth = read(codes, rng.standard_normal(4000)), read(new, rng.standard_normal(2000))
    found = informativeness(codes, factor, (new, truth), np.ones((1, 2000)))
    known = ~np.isnan(truth[:, 0])
    wanted = np.corrcoef(new[known, 0], truth[known, 0])[0, 1] ** 2
    assert found[0, 0] == pytest.approx(wanted, abs=0.03)


def test_a_factor_that_is_never_defined_has_no_numbers_and_spoils_no_others():
    rng = np.random.default_rng(0)
    codes, every = rng.standard_normal((300, 2)), np.ones((1, 300))
    factors = np.column_stack([codes[:, 0], np.full(300, np.nan)])
    assert weights_of_codes(codes, factors)[:, 1].tolist() == [0.0, 0.0]
    found = informativeness(codes, factors, (codes, factors), every)
    assert found[0, 0] > 0.9
    assert np.isnan(found[0, 1])
    gaps = information_gaps(codes, factors, every)
    assert gaps[0, 0] > 0.5
    assert np.isnan(gaps[0, 1])


def test_chance_of_the_space_is_that_of_a_mean_over_concepts():
    rng = np.random.default_rng(2)
    w, fresh = rng.normal(size=(80, 6)), rng.normal(size=(80, 6))

    def chance_of_space(concepts):
        names = [f"a/{i}" for i in range(concepts)]
        scores = reading(rng.normal(size=(80, concepts)), rng.normal(size=(80, concepts)), names, 0.2)
        found = separability_of_space(w, fresh, scores, names, permuted=5, resamples=200, seed=0)
        return found.chance

    one, many = chance_of_space(1), chance_of_space(16)
    assert many.low < many.value < many.high
    assert many.high - many.low < 0.5 * (one.high - one.low)


def test_codes_that_repeat_others_count_once_and_break_no_fit():
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 500))
    codes = np.stack([one, -one, other, 3.0 * one + 2.0, np.ones(500), other], axis=1)
    assert distinct(codes).tolist() == [0, 2]
    weights = weights_of_codes(codes, np.stack([one, other], axis=1))
    assert np.flatnonzero(weights.any(axis=1)).tolist() == [0, 2]
    assert np.abs(weights[[0, 2]]) == pytest.approx(np.eye(2), abs=0.1)
