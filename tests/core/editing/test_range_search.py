"""Ranges on responses that are known: a sigmoid ends where it flattens, and steps in it are even in score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ganstrata.core.editing.coarse import TRIED, coarse_steps
from ganstrata.core.editing.range_search import (
    CLIPPED,
    REACHED,
    SPOILT,
    STALLED,
    Coarse,
    SearchLimits,
    even_steps,
    find_range,
)
from ganstrata.core.errors import DataError, UserError
from hypothesis import given, settings
from hypothesis import strategies as st

STEPS = np.linspace(-12.0, 12.0, 17)


def sigmoid(t, centre=0.0, steep=1.0):
    return 1.0 / (1.0 + np.exp(-steep * (t - centre)))


def table(response=sigmoid, *, noise=0.01, samples=32, steps=STEPS, seed=0) -> Coarse:
    """Return samples with different offsets and one response, and random directions without effect."""
    rng = np.random.default_rng(seed)
    scores = (
        rng.normal(0.0, 0.3, (samples, 1)) + response(steps) + rng.normal(0.0, noise, (samples, len(steps)))
    )
    quiet = rng.normal(0.0, 1e-3, (5, len(steps)))
    return Coarse(
        steps, scores, np.full((samples, len(steps)), 0.01), np.zeros(len(steps)), np.abs(quiet), quiet
    )


def test_a_sigmoid_ends_where_its_slope_is_a_tenth() -> None:
    # Between 3 and 4.5 a logistic curve rises by 0.115 of its steepest, between 4.5 and 6 by 0.027.
    span = find_range(table())
    assert (span.low, span.high, span.below, span.above) == (-4.5, 4.5, STALLED, STALLED)
    assert find_range(table(), SearchLimits(slope=0.02)).high == 6.0
    assert find_range(table(), SearchLimits(slope=0.2)).high == 3.0


@pytest.mark.parametrize("centre", [-3.0, 0.0, 3.0])
def test_steps_in_it_are_even_in_score(centre: float) -> None:
    span = find_range(table(lambda t: sigmoid(t, centre), noise=0.002))
    steps = even_steps(span, 9)
    assert (steps[0], steps[-1]) == (span.low, span.high) == (centre - 4.5, centre + 4.5)
    scores = sigmoid(steps, centre)
    np.testing.assert_allclose(np.diff(scores), (scores[-1] - scores[0]) / 8, atol=0.02)
    # Even in distance they would differ by far more.
    assert np.ptp(np.diff(sigmoid(np.linspace(span.low, span.high, 9), centre))) > 0.15


def test_a_direction_without_response_ends_at_zero() -> None:
    span = find_range(table(lambda t: np.maximum(t, 0.0)))
    assert (span.low, span.below) == (0.0, STALLED)
    assert (span.high, span.above) == (12.0, REACHED)
    np.testing.assert_allclose(even_steps(span, 5), [0.0, 3.0, 6.0, 9.0, 12.0], atol=0.1)
    assert even_steps(span, 1).tolist() == [12.0]


def test_it_stops_where_the_response_turns() -> None:
    span = find_range(table(lambda t: np.sin(t / 5.0)))  # the top lies at 7.85
    assert 6.0 <= span.high <= 7.5
    assert -7.5 <= span.low <= -6.0


def test_pixels_that_are_cut_off_end_it() -> None:
    coarse = table(lambda t: t)
    clipped = coarse.clipped + np.where(STEPS > 4.0, 0.06, 0.0) + 0.2  # the unedited pictures have 0.21
    span = find_range(replace(coarse, clipped=clipped))
    assert (span.high, span.above) == (3.0, CLIPPED)
    assert (span.low, span.below) == (-12.0, REACHED)


def test_other_scores_end_it_only_beyond_what_random_directions_do() -> None:
    coarse = replace(table(lambda t: t), others=np.abs(STEPS) * 0.2)
    span = find_range(coarse)
    assert (span.low, span.high, span.above) == (-1.5, 1.5, SPOILT)
    as_bad = replace(coarse, null=np.abs(STEPS) * 0.2 + np.zeros((5, 1)))
    assert find_range(as_bad).above == REACHED


def test_a_score_that_random_directions_move_as_much_has_no_range() -> None:
    coarse = table(lambda t: 0.1 * t)
    slopes = np.array([-0.2, 0.15, 0.1, -0.1, 0.2])[:, None]
    with pytest.raises(
        DataError, match=r"seen/red: no range was found\. Going down: the score no longer moves"
    ):
        find_range(replace(coarse, null_scores=slopes * STEPS), name="seen/red")


def test_noise_alone_has_no_range() -> None:
    passed = 0
    for seed in range(40):
        try:
            find_range(table(lambda t: 0.0 * t, noise=1.0, seed=seed))
            passed += 1
        except DataError:
            pass
    assert passed <= 8  # two first steps, each with a chance of 2.5 % and a little


def test_samples_without_a_score_are_left_out() -> None:
    coarse = table()
    scores = coarse.scores.copy()
    scores[::2, 8:] = np.nan
    span = find_range(replace(coarse, scores=scores))
    assert (span.low, span.high) == (-4.5, 4.5)
    scores[:, 12:] = np.nan
    half = find_range(replace(coarse, scores=scores))
    assert half.high <= 4.5
    assert half.as_data()["curve"][-1]["score"] is None


@settings(max_examples=60, deadline=None)
@given(
    rises=st.lists(st.floats(0.05, 3.0), min_size=16, max_size=16),
    count=st.integers(2, 25),
)
def test_steps_rise_within_the_range_and_are_even_in_what_was_measured(rises, count) -> None:
    values = np.concatenate([[0.0], np.cumsum(rises)])
    span = find_range(table(lambda t: np.interp(t, STEPS, values), noise=1e-4), SearchLimits(slope=0.0))
    steps = even_steps(span, count)
    assert len(steps) == count
    assert (np.diff(steps) > 0.0).all()
    assert (steps[0], steps[-1]) == (span.low, span.high) == (-12.0, 12.0)
    # At the coarse steps the interpolation is exact, so each lies between the right two of them.
    curve = np.array([row[1] for row in span.curve])
    wanted = np.linspace(curve[0], curve[-1], count)
    for step, value in zip(steps[1:-1], wanted[1:-1], strict=True):
        below = np.searchsorted(curve, value) - 1
        assert STEPS[below] - 0.02 <= step <= STEPS[below + 1] + 0.02


@pytest.mark.parametrize(
    ("start", "end"), [(-12.0, 12.0), (0.0, 4.0), (-5.0, 0.0), (-0.01, 9.0), (-1.0, 3.0)]
)
def test_coarse_steps_hold_the_picture_itself(start: float, end: float) -> None:
    steps = coarse_steps(start, end)
    assert len(steps) == TRIED
    assert (steps[0], steps[-1]) == (start, end)
    assert (np.diff(steps) > 0.0).all()
    assert 0.0 in steps


@pytest.mark.parametrize(("start", "end"), [(1.0, 2.0), (-2.0, -1.0), (0.0, 0.0)])
def test_a_search_that_leaves_out_the_picture_is_refused(start: float, end: float) -> None:
    with pytest.raises(UserError, match="--search looks to both sides of the picture"):
        coarse_steps(start, end)


def test_random_directions_bound_the_score_by_two_standard_deviations() -> None:
    """Compare slopes of 0.1 with random slopes of mean 0 and standard deviation 0.04 or 0.06."""
    coarse = table(lambda t: 0.1 * t, noise=1e-4)
    spread = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])[:, None] / np.std([-1.0, -0.5, 0.0, 0.5, 1.0], ddof=1)
    assert find_range(replace(coarse, null_scores=0.04 * spread * STEPS)).high == 12.0
    with pytest.raises(DataError):
        find_range(replace(coarse, null_scores=0.06 * spread * STEPS))
    # Likewise the drift of other concepts: 0.5 beyond their mean and two standard deviations.
    null = (1.0 + 0.1 * spread) * np.ones_like(STEPS)
    assert find_range(replace(coarse, null=null, others=np.full(len(STEPS), 1.69))).above == REACHED
    with pytest.raises(DataError, match="other scores move too far"):
        find_range(replace(coarse, null=null, others=np.full(len(STEPS), 1.71)))


@pytest.mark.parametrize(("start", "end"), [(-1.0, 15.0), (-0.01, 9.0), (-12.0, 1.0)])
def test_slopes_are_by_distance_where_steps_are_uneven(start: float, end: float) -> None:
    """A straight line has one slope, however far apart the steps of its two sides are."""
    steps = coarse_steps(start, end)
    assert np.ptp(np.diff(steps)) > 0.1 or (start, end) == (-1.0, 15.0)
    span = find_range(table(lambda t: t, noise=1e-6, steps=steps))
    assert (span.low, span.high, span.below, span.above) == (start, end, REACHED, REACHED)
    # As a line of unit slope in random directions would hide it, whatever the step.
    with pytest.raises(DataError):
        find_range(
            replace(table(lambda t: t, noise=1e-6, steps=steps), null_scores=1.01 * np.ones((5, 1)) * steps)
        )


def test_random_directions_without_a_score_say_nothing() -> None:
    coarse = table(lambda t: 0.1 * t, noise=1e-4)
    null = coarse.null_scores.copy()
    null[0] = np.nan
    assert find_range(replace(coarse, null_scores=null)).high == 12.0
    null[1:] = np.nan
    with pytest.raises(DataError, match="no range was found"):
        find_range(replace(coarse, null_scores=null))
