"""Shares of votes and their intervals: known preferences are recovered, and 95 % means 95 %."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.study.shares import MISSING, shares
from scipy import stats
from study_raters import expected, vote

PREFERENCE = np.array([1.5, 0.3, 0.0, -0.5, -1.0])


def test_shares_are_those_of_the_votes_that_there_are() -> None:
    choices = np.array([[0, 1, MISSING, 2], [0, MISSING, MISSING, 0], [2, 1, MISSING, 0]])
    result = shares(choices, ["a", "a", "b", "b"], 4)
    assert result.votes == 8
    np.testing.assert_allclose(result.value, [4 / 8, 2 / 8, 2 / 8, 0.0])
    assert ((result.low <= result.value) & (result.value <= result.high)).all()


def test_no_votes() -> None:
    result = shares(np.full((3, 2), MISSING), ["a", "a"], 2)
    assert result.votes == 0
    assert np.isnan(result.value).all()


def test_order_of_raters_and_strips_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    choices, strata = vote(PREFERENCE, 7, 12, rng, taste=1.0, luck=1.0), ["a"] * 5 + ["b"] * 7
    result = shares(choices, strata, 5)
    rows, columns = rng.permutation(7), rng.permutation(12)
    other = shares(choices[np.ix_(rows, columns)], [strata[i] for i in columns], 5)
    np.testing.assert_allclose(
        np.stack([result.value, result.low, result.high]), np.stack([other.value, other.low, other.high])
    )


def test_votes_without_any_pattern_have_about_wilsons_interval() -> None:
    choices = np.random.default_rng(2).integers(4, size=(60, 60))
    result = shares(choices, ["a"] * 60, 4)
    wilson = stats.binomtest(int((choices == 0).sum()), 3600).proportion_ci(method="wilson")
    assert result.high[0] - result.low[0] == pytest.approx(wilson.high - wilson.low, rel=0.35)


def test_one_mind_in_many_votes_counts_as_one_rater_each() -> None:
    """With six raters who each always vote the same, 40 strips are no more informative than one."""
    choices = np.repeat([[0], [0], [0], [1], [1], [2]], 40, axis=1)
    result = shares(choices, ["a"] * 40, 3)
    few = stats.binomtest(3, 6).proportion_ci(method="wilson")
    assert result.high[0] - result.low[0] > 0.8 * (few.high - few.low)


def test_a_choice_without_votes_has_an_upper_bound_above_zero() -> None:
    result = shares(np.zeros((10, 10), np.int64), ["a"] * 10, 2)
    assert (result.value[0], result.high[0], result.value[1], result.low[1]) == (1.0, 1.0, 0.0, 0.0)
    assert 0.02 < result.high[1] < 0.06  # 100 votes
    assert result.low[0] == pytest.approx(1.0 - result.high[1])


@pytest.mark.parametrize(("taste", "luck"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
@pytest.mark.parametrize(("raters", "concepts", "strips"), [(8, 2, 3), (20, 3, 6)])
def test_coverage_in_simulation(taste: float, luck: float, raters: int, concepts: int, strips: int) -> None:
    """Of 300 studies with five choices each, 91 to 99 % of the intervals hold the truth."""
    truth = expected(PREFERENCE, taste=taste, luck=luck)
    strata = [f"c{i // strips}" for i in range(concepts * strips)]
    hits = np.zeros(5)
    for k in range(300):
        result = shares(
            vote(
                PREFERENCE,
                raters,
                concepts * strips,
                np.random.default_rng([k, raters]),
                taste=taste,
                luck=luck,
            ),
            strata,
            5,
        )
        hits += (result.low <= truth) & (truth <= result.high)
    assert 0.91 < hits.mean() / 300 < 0.99


def test_known_preferences_are_recovered() -> None:
    truth = expected(PREFERENCE, taste=0.5, luck=0.5)
    result = shares(vote(PREFERENCE, 60, 60, np.random.default_rng(3), taste=0.5, luck=0.5), ["a"] * 60, 5)
    np.testing.assert_allclose(result.value, truth, atol=0.06)
    assert (result.high - result.low < 0.16).all()
