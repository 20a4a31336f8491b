"""Interim decisions: what is a factor, what is futile, and what is known precisely."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ganstrata.core.config.schema import Rescoring
from ganstrata.core.rescoring.adaptive import Design, judge
from ganstrata.core.rescoring.sums import sums_of
from numpy.typing import NDArray
from scipy import stats

BATCH, SAMPLES, NULL = 16, 32, 8


def design() -> Design:
    """Return a design with one boundary, two looks and a concept whose sd is 1."""
    return Design(
        own=np.array([0]),
        varies=np.array([True]),
        units=np.ones(1),
        null=NULL,
        sets=1,
        all_set=0,
        step=BATCH,
        looks=(BATCH, SAMPLES),
        layer_looks=(BATCH, SAMPLES),
        null_samples=SAMPLES,
        backward=BATCH,
        precision=0.2,
        rate=0.05,
    )


def judged(
    plan: Design,
    changes: NDArray[np.float64],
    null: NDArray[np.float64],
    look: int = SAMPLES,
    null_samples: int = SAMPLES,
):
    """Judge one boundary by its changes (2, K), forwards and backwards, and R constant null effects (R,)."""
    changes, zero = changes.astype(np.float32), np.zeros((BATCH, 1), np.float32)
    sums = np.full((1 + NULL, SAMPLES // BATCH, 1, 2, 1, 5), np.nan)
    for batch in range(SAMPLES // BATCH):
        part = slice(BATCH * batch, BATCH * (batch + 1))
        for sign in range(2):
            sums[0, batch, 0, sign] = sums_of(zero, changes[sign, part, None])
        for r in range(NULL) if BATCH * batch < null_samples else ():
            sums[1 + r, batch, 0, 0] = sums_of(zero, np.full((BATCH, 1), null[r], np.float32))
    return judge(plan, sums, changes[None, None].astype(np.float64), look)


def spread(mean: float, sd: float) -> NDArray[np.float64]:
    """Return changes with exactly this mean and standard deviation, (K,)."""
    noise = np.random.default_rng(0).standard_normal(SAMPLES)
    return mean + sd * (noise - noise.mean()) / noise.std(ddof=1)


def test_judgement_is_of_the_steps_forwards() -> None:
    """The effect is positive but uncertain forwards, and negative and known exactly backwards."""
    changes = np.stack([spread(0.15, 1.0), np.full(SAMPLES, -2.0)])
    null = np.linspace(-0.15, 0.15, NULL)
    factors, futile, precise, scale = judged(design(), changes, null)
    assert (factors.tolist(), futile.tolist(), precise.tolist()) == ([False], [False], [False])
    assert scale == pytest.approx([0.15])


def test_what_is_futile_is_decided_against_the_null_directions_at_the_same_layers() -> None:
    """Of two boundaries that change alike, one has null directions that do as much as it, the other none."""
    plan = replace(
        design(), own=np.array([0, 0]), varies=np.array([True]), units=np.ones(1), kind=np.array([1, 0])
    )
    zero, changes = np.zeros((BATCH, 1), np.float32), spread(1.0, 0.1)
    sums = np.full((2 + 2 * NULL, SAMPLES // BATCH, 1, 2, 1, 5), np.nan)
    for b in range(SAMPLES // BATCH):
        sums[:2, b, 0, :] = sums_of(zero, changes[BATCH * b : BATCH * (b + 1), None].astype(np.float32))
        for r in range(NULL):
            little, much = (scale * (r - (NULL - 1) / 2) for scale in (0.01, 1.0))
            sums[2 + r, b, 0, 0] = sums_of(zero, np.full((BATCH, 1), little, np.float32))
            sums[2 + NULL + r, b, 0, 0] = sums_of(zero, np.full((BATCH, 1), much, np.float32))
    own = np.broadcast_to(changes, (2, 1, 2, SAMPLES))
    factors, futile, _, _ = judge(plan, sums, own, SAMPLES)
    assert factors.tolist() == [False, True]
    assert futile.tolist() == [True, False]


def test_a_concept_that_does_not_vary_is_futile() -> None:
    plan = replace(design(), varies=np.array([False]))
    factors, futile, _, _ = judged(plan, np.stack([spread(5.0, 0.1)] * 2), np.linspace(-0.1, 0.1, NULL))
    assert (factors.tolist(), futile.tolist()) == ([False], [True])


def test_a_large_effect_is_a_factor_that_is_known_precisely() -> None:
    factors, futile, precise, scale = judged(
        design(), np.stack([spread(5.0, 0.1)] * 2), np.linspace(-0.1, 0.1, NULL)
    )
    assert (factors.tolist(), futile.tolist(), precise.tolist()) == ([True], [False], [True])
    assert scale == pytest.approx([5.0])


@pytest.mark.parametrize(("sd_of_concept", "is_futile"), [(0.01, True), (1.0, False)])
def test_a_score_that_has_not_changed_yet_is_futile_only_if_one_more_sample_could_not_matter(
    sd_of_concept: float, is_futile: bool
) -> None:
    """All changes are zero. One more sample might change by 1 sd of the concept: 1 / 17 or 0.01 / 17."""
    plan = replace(design(), units=np.array([sd_of_concept]))
    null = np.linspace(-0.01, 0.01, NULL)  # sd 0.007
    _, futile, _, _ = judged(plan, np.zeros((2, SAMPLES)), null, look=BATCH)
    assert futile.tolist() == [is_futile]


def test_nothing_is_futile_while_all_null_effects_are_equal() -> None:
    _, futile, _, _ = judged(design(), np.stack([spread(-3.0, 0.1)] * 2), np.zeros(NULL))
    assert futile.tolist() == [False]
    _, futile, _, _ = judged(design(), np.stack([spread(-3.0, 0.1)] * 2), np.linspace(-0.1, 0.1, NULL))
    assert futile.tolist() == [True]


def test_a_look_sees_the_samples_before_it_alone() -> None:
    """The first half shows an effect, the second takes it away."""
    changes = spread(0.0, 0.1)
    changes[:BATCH] += 5.0
    changes[BATCH:] -= 5.0
    null = np.linspace(-0.1, 0.1, NULL)
    early, late = (judged(design(), np.stack([changes] * 2), null, look) for look in (BATCH, SAMPLES))
    assert early[3] == pytest.approx([5.0], abs=0.1)
    assert late[3] == pytest.approx([0.0], abs=0.1)
    assert early[2].tolist() == [True]
    assert late[0].tolist() == [False]


@pytest.mark.parametrize(("nearly", "is_futile"), [(0.985, True), (1.015, False)])
def test_one_more_sample_might_change_by_one_sd(nearly: float, is_futile: bool) -> None:
    """Nothing has changed in 16 samples: the most that the effect may be is 1 sd / 17."""
    null = np.linspace(-0.01, 0.01, NULL)
    # The smallest effect with p = 0.05 among the null directions, by Student's test of one more draw.
    least = stats.t.isf(0.05, NULL - 1) * null.std(ddof=1) * np.sqrt(1.0 + 1.0 / NULL)
    plan = replace(design(), units=np.array([nearly * 17.0 * least]))
    assert judged(plan, np.zeros((2, SAMPLES)), null, look=BATCH)[1].tolist() == [is_futile]


def test_an_effect_downwards_is_known_as_precisely_as_one_upwards() -> None:
    _, futile, precise, scale = judged(
        design(), np.stack([spread(-5.0, 0.1)] * 2), np.linspace(-0.1, 0.1, NULL)
    )
    assert (futile.tolist(), precise.tolist()) == ([True], [True])
    assert scale == pytest.approx([5.0])


def test_null_directions_that_have_stopped_judge_as_far_as_they_went() -> None:
    changes = np.stack([spread(-3.0, 0.1)] * 2)
    _, futile, _, _ = judged(design(), changes, np.linspace(-0.1, 0.1, NULL), null_samples=BATCH)
    assert futile.tolist() == [True]


@pytest.mark.parametrize(("samples", "looks", "backward"), [(128, (16, 32, 64, 128), 16), (512, (64,), 32)])
def test_a_design_is_that_of_the_config(samples: int, looks: tuple[int, ...], backward: int) -> None:
    config = Rescoring(samples=samples, null_directions=7, precision=0.3, false_discovery_rate=0.1)
    columns, varies, units = np.array([1, 0]), np.array([True, False]), np.array([0.5, 2.0])
    plan = Design.of(config, 16, columns, varies, units, ["0", "1", "all"], np.ones(2))
    assert (plan.null, plan.sets, plan.all_set, plan.step) == (7, 3, 2, 16)
    assert plan.looks[: len(looks)] == looks
    assert (plan.layer_looks[0], plan.null_samples, plan.backward) == (16, samples // 2, backward)
    assert (plan.precision, plan.rate) == (0.3, 0.1)
    assert (plan.own is columns, plan.varies is varies, plan.units is units) == (True, True, True)
    assert plan.dilutions is not None
