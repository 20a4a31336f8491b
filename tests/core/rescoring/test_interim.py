"""Interim analyses: error rates and coverage with early stopping, by simulation."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from ganstrata.core.rescoring.hierarchy import hierarchy_of
from ganstrata.core.rescoring.interim import half_width, look_sizes, sequential_p, spending
from ganstrata.core.rescoring.sums import LookSums
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from simulated_looks import World, effects_by_batch


@settings(deadline=None, max_examples=200)
@given(st.integers(8, 3000), st.integers(1, 300), st.lists(st.integers(1, 99), max_size=5, unique=True))
def test_looks_are_whole_batches_that_rise_to_all_samples(
    samples: int, batch: int, percents: list[int]
) -> None:
    step, looks = look_sizes(samples, [*(p / 100 for p in sorted(percents)), 1.0], batch)
    assert 1 <= step <= batch
    assert looks[-1] == samples
    assert list(looks) == sorted(set(looks))
    assert all(look % step == 0 for look in looks[:-1])
    assert looks[0] >= min(samples, 16)


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_what_is_spent_adds_up_to_everything(power: float) -> None:
    assert spending((16, 32, 64, 128), power).sum() == pytest.approx(1.0)
    assert (spending((16, 32, 64, 128), power) > 0).all()


def test_p_values_of_looks_that_were_not_taken_do_not_count() -> None:
    p = np.array([[0.1, 0.1, np.nan], [0.001, 0.001, np.nan]])
    result = sequential_p(p, np.array([[0.25], [0.75]]), np.array([[True, True, True], [False, True, True]]))
    np.testing.assert_allclose(result, [0.4, 0.001 / 0.75, np.nan])


@pytest.mark.parametrize("correlation", [0.0, 0.9, 1.0])
def test_p_values_are_valid_however_looks_depend_on_each_other_and_whatever_stops_them(
    correlation: float,
) -> None:
    rng = np.random.default_rng(0)
    z = np.sqrt(correlation) * rng.standard_normal(40_000) + np.sqrt(1.0 - correlation) * rng.standard_normal(
        (4, 40_000)
    )
    p = stats.norm.sf(z)
    for power in (1.0, 3.0):
        weights = spending((16, 32, 64, 128), power)[:, None]
        # Whoever stops as soon as it looks good, and goes on otherwise, has the least of all looks.
        result = sequential_p(p, weights, np.ones(p.shape, dtype=bool))
        for rate in (0.01, 0.05, 0.2):
            assert (result <= rate).mean() <= rate + 3.0 * np.sqrt(rate / 40_000)


def test_half_a_students_interval() -> None:
    changes = np.random.default_rng(1).standard_normal((3, 20)) + 5.0
    changes[1, 4:] = np.nan
    changes[2, 1:] = np.nan
    for row, result in zip(changes[:2], half_width(changes), strict=False):
        known = row[~np.isnan(row)]
        low, high = stats.ttest_1samp(known, 0.0).confidence_interval(0.95)
        assert result == pytest.approx((high - low) / 2)
    assert half_width(changes)[2] == np.inf


def rates(repetitions: int, effects, **world):
    """Return rates over simulated runs.

    They are false discovery rate, power, coverage and mean error of planted effects, the share of samples
    used, and the share of decisions that agree with those on all samples.
    """
    planted = ~np.isnan(np.asarray(effects, dtype=np.float64))
    false, power, covered, errors, shares, agree = [], [], [], [], [], []
    for seed in range(repetitions):
        simulated = World(seed, effects, **world)
        result, factors, used = simulated.stop()
        false.append((factors & ~planted).sum() / max(factors.sum(), 1))
        shares.append(used.mean() / simulated.design.looks[-1])
        agree.append((factors == simulated.whole()).mean())
        rows = np.flatnonzero(planted)
        if len(rows):
            truth, at = simulated.effects[rows], (rows, 0, 0, rows)
            power.append(factors[rows].mean())
            covered.append(((result.low[at] < truth) & (truth < result.high[at])).mean())
            errors.append((result.mean[at] - truth).mean())
    return {
        name: float(np.mean(v)) if v else np.nan
        for name, v in {
            "false": false,
            "power": power,
            "covered": covered,
            "bias": errors,
            "share": shares,
            "agree": agree,
        }.items()
    }


def test_chance_alone_is_found_less_often_than_the_nominal_rate_and_with_few_samples() -> None:
    result = rates(75, [np.nan] * 10)
    assert result["false"] <= 0.05 + 2.0 * np.sqrt(0.05 * 0.95 / 75)
    assert result["share"] < 0.8
    assert result["agree"] > 0.98


def test_planted_effects_are_found_and_covered_although_sampling_stops() -> None:
    result = rates(60, [0.3, 0.6, 0.6, 1.2, *[np.nan] * 6])
    assert result["false"] <= 0.05 + 2.0 * np.sqrt(0.05 * 0.95 / 60)
    assert result["power"] > 0.9
    assert result["covered"] >= 0.93
    assert abs(result["bias"]) < 0.03
    assert result["agree"] > 0.95
    assert result["share"] < 0.8


def layered(seed: int, *, skewed: bool = False, precision: float = 0.2):
    """Sample a factor's effects on eight layers until precise: truth, used samples, changes (else NaN)."""
    rng = np.random.default_rng(seed)
    truth = np.array([0.0, 0.1, 0.5, 0.3, 0.1, 0.0, 0.0, 0.0])

    def noise(*shape: int):
        return rng.exponential(size=shape) - 1.0 if skewed else rng.standard_normal(shape)

    sizes = rng.uniform(0.02, 0.6, size=(8, 1))
    changes = truth[:, None] + sizes * (0.6 * noise(128) + 0.8 * noise(8, 128))
    used = np.full(8, 128)
    for look in (64, 32, 16):
        used[half_width(changes[:, :look]) <= precision * truth.sum()] = look
    return truth, used, np.where(np.arange(128) < used[:, None], changes, np.nan)


def layer_rates(repetitions: int, **world):
    """Return rates over simulated factors.

    They are the coverage of single layers by Student's interval and by the bootstrap, the coverage of the
    depth where it is defined, how often it is, and the share of samples used.
    """
    student, curve, depth, has_depth, share = [], [], [], [], []
    for seed in range(repetitions):
        truth, used, changes = layered(seed, **world)
        half, mean = half_width(changes), np.nanmean(changes, axis=1)
        student.append((abs(mean - truth) < half).mean())
        result = hierarchy_of(
            changes[None],
            ["a/x"],
            ["layout"],
            ["layout"],
            {"low": (0, 1, 2, 3), "high": (4, 5, 6, 7)},
            bootstrap=400,
            seed=seed,
        )
        curve.append(((result.concept_curve.low[0] < truth) & (truth < result.concept_curve.high[0])).mean())
        expected = truth @ np.arange(8) / truth.sum()
        has_depth.append(not np.isnan(result.concept_depth.low[0]))
        if has_depth[-1]:
            depth.append(result.concept_depth.low[0] < expected < result.concept_depth.high[0])
        share.append(used.mean() / 128)
    named = {"student": student, "curve": curve, "depth": depth, "told": has_depth, "share": share}
    return {name: float(np.mean(values)) for name, values in named.items()}


def test_layers_and_depth_are_covered_although_sampling_stops_for_precision() -> None:
    result = layer_rates(150)
    assert 0.92 < result["student"] < 0.98
    assert 0.92 < result["curve"] < 0.98
    assert result["depth"] > 0.90
    assert result["told"] > 0.75
    assert result["share"] < 0.5


@pytest.mark.full
@pytest.mark.parametrize("skewed", [False, True])
def test_rates_at_length(skewed: bool) -> None:
    """The table in docs/method.md."""
    few = 0.91 if skewed else 0.93  # an exponential distribution is as skewed as changes come
    chance = rates(1000, [np.nan] * 10, skewed=skewed)
    planted = rates(1000, [0.3, 0.3, 0.6, 0.6, 1.2, *[np.nan] * 5], skewed=skewed)
    layers = layer_rates(1000, skewed=skewed)
    print(f"\nskewed {skewed}\n  chance  {chance}\n  planted {planted}\n  layers  {layers}")
    assert chance["false"] < 0.05 + 2.0 * np.sqrt(0.05 * 0.95 / 1000)
    assert planted["false"] < 0.05
    assert planted["covered"] >= few
    assert few <= layers["student"] <= 0.97
    assert few <= layers["curve"] <= 0.975
    assert layers["depth"] >= few


def p_by_hand(changes, boundaries: int, i: int) -> float:
    """Compute p of boundary i's own concept from changes (B + R, K, C): the larger of two one-sided tests."""
    means = changes.mean(axis=1)
    against_null = stats.ttest_ind([means[i, i]], means[boundaries:, i], alternative="greater").pvalue
    return max(against_null, stats.ttest_1samp(changes[i, :, i], 0.0, alternative="greater").pvalue)


def test_p_and_interval_of_looks_by_hand() -> None:
    simulated = World(5, [0.3, 0.6, np.nan])
    q, count, every = simulated.design, 3, simulated.sums()
    moved_sums = every.copy()
    moved_sums[0, 4:] = np.nan  # the first boundary stopped at 64 of 128, after batches of 16
    result = simulated.measured(moved_sums, q.looks)
    shares = np.diff((np.array([16, 32, 64, 128]) / 128) ** 3, prepend=0.0)
    for i, last in ((0, 2), (1, 3)):
        p = [p_by_hand(simulated.changes[:, :look], count, i) for look in q.looks[: last + 1]]
        assert result.p[i, 0, 0, i] == pytest.approx(min(1.0, (np.array(p) / shares[: last + 1]).min()))
        changes = simulated.changes[i, : q.looks[last], i]
        low, high = stats.ttest_1samp(changes, 0.0).confidence_interval(1.0 - 0.05 * shares[last])
        assert (result.low[i, 0, 0, i], result.high[i, 0, 0, i]) == (pytest.approx(low), pytest.approx(high))
        assert result.mean[i, 0, 0, i] == pytest.approx(changes.mean())
        assert result.rank[i, 0, 0, i] == pytest.approx(
            (1 + (simulated.changes[count:, : len(changes), i].mean(axis=1) >= changes.mean()).sum()) / 21
        )


def test_what_has_stopped_stays_decided_while_others_go_on() -> None:
    """A boundary that stopped as a factor stays one; one that stopped for futility becomes none."""
    for seed in range(20):
        simulated = World(seed, [0.6, 1.2, 1.2, *[np.nan] * 7])
        _, factors, used = simulated.stop()
        early = used < simulated.design.looks[-1]
        assert early.any()
        assert (factors[early] == simulated.decided[early]).all()


def test_other_sets_are_compared_once_and_all_spends_late() -> None:
    """Of two layer sets with equal numbers, the second is `all`. The first has the p of the first look."""
    simulated = World(7, [0.4, np.nan, 0.2])
    q, count, every = simulated.design, 3, simulated.sums().repeat(2, axis=2)
    null = every[count:, :, :, 0].copy()
    null[:, 1:, 0] = np.nan  # null directions have the first look alone
    result = effects_by_batch(
        every[:count], null[None], q.own, looks=q.looks, step=q.step, unit=np.ones(count), all_set=1
    )
    shares = np.diff((np.array(q.looks) / q.looks[-1]) ** 3, prepend=0.0)
    for i in range(count):
        p = [p_by_hand(simulated.changes[:, :look], count, i) for look in q.looks]
        assert result.p[i, 0, 0, i] == pytest.approx(p[0])
        assert result.p[i, 1, 0, i] == pytest.approx(min(1.0, (np.array(p) / shares).min()))
        means = simulated.changes[:, : q.looks[0], i].mean(axis=1)
        assert result.rank[i, 0, 0, i] == pytest.approx((1 + (means[count:] >= means[i]).sum()) / 21)
        # Student's 95 % where precision stops sampling; wider at `all`, whose last look has v = 0.875.
        low, high = stats.ttest_1samp(simulated.changes[i, :, i], 0.0).confidence_interval(0.95)
        assert (result.low[i, 0, 0, i], result.high[i, 0, 0, i]) == (pytest.approx(low), pytest.approx(high))
        assert result.low[i, 1, 0, i] < low


def test_two_changes_have_an_interval_and_fewer_have_none() -> None:
    nan = np.nan
    result = half_width(np.array([[1.0, 2.0, nan], [1.0, nan, nan], [nan, nan, nan]]))
    assert result.tolist() == [pytest.approx(stats.t.ppf(0.975, 1) * 0.5), np.inf, np.inf]


@pytest.mark.parametrize("batches", [1, 2])
def test_null_directions_are_counted_at_the_look_that_was_taken(batches: int) -> None:
    """Two null directions have no score in the first batches, so a boundary that stopped there has 18."""
    simulated = World(5, [0.3, 0.6])
    q, every = simulated.design, simulated.sums()
    moved_sums = every.copy()
    moved_sums[0, batches:] = np.nan  # stopped at 16 or 32
    null = moved_sums[2:, :, :, 0].copy()
    null[:2, :batches, :, :, :] = 0.0
    result = effects_by_batch(
        moved_sums[:2], null[None], q.own, looks=q.looks, step=q.step, unit=np.ones(2), all_set=0
    )
    assert result.null_count[[0, 1], 0, 0, [0, 1]].tolist() == [18.0, 20.0]
    assert np.isnan(result.null_count[:, :, 1]).all()


def test_null_directions_that_were_moved_on_fewer_samples_judge_every_look() -> None:
    """What was not moved is NaN; it counts as if it had no score."""
    simulated = World(5, [0.3, 0.6])
    q, sums = simulated.design, simulated.sums()
    results = []
    for unmoved in (np.nan, 0.0):
        null = sums[2:, :, :, 0].copy()
        null[:, 4:] = unmoved
        results.append(
            effects_by_batch(
                sums[:2], null[None], q.own, looks=q.looks, step=q.step, unit=np.ones(2), all_set=0
            )
        )
    for name in ("p", "rank", "null_count"):
        forwards = getattr(results[0], name)[:, 0, 0]
        assert np.isfinite(forwards).all()
        np.testing.assert_array_equal(forwards, getattr(results[1], name)[:, 0, 0])


def test_samples_used_are_counted_of_directions_that_are_moved_one_way() -> None:
    sums = np.full((2, 3, 1, 2, 2, 5), np.nan)
    sums[0, :2], sums[1, :3, :, 0] = (
        1.0,
        1.0,
    )  # a boundary, and a null direction, which is not moved backwards
    summed = LookSums.of(sums, 1, 1, [3], 1, 0)
    assert summed.used(40, 16).tolist() == [[32], [40]]
    assert summed.used(40, 16, sign=1).tolist() == [[32], [0]]


def test_pairs_without_a_score_are_counted_among_those_that_were_moved() -> None:
    simulated = World(3, [0.3, 0.6])
    q, moved_sums = simulated.design, simulated.sums()
    moved_sums[0, 2:] = np.nan  # stopped at 32
    moved_sums[0, 1, 0, 0, 0, 0] -= 5.0
    result = effects_by_batch(
        moved_sums[:2],
        moved_sums[None, 2:, :, :, 0],
        q.own,
        looks=q.looks,
        step=q.step,
        unit=np.ones(2),
        all_set=0,
    )
    assert result.undefined[:, 0, 0].tolist() == [[5.0, 0.0], [0.0, 0.0]]


def test_half_widths_of_a_table_are_those_of_its_rows_and_grow_with_the_confidence() -> None:
    changes = np.random.default_rng(2).standard_normal((2, 3, 9))
    changes[0, 1, 3:] = np.nan
    result = half_width(changes, 0.8)
    assert result.shape == (2, 3)
    for at in np.ndindex(2, 3):
        known = changes[at][~np.isnan(changes[at])]
        low, high = stats.ttest_1samp(known, 0.0).confidence_interval(0.8)
        assert result[at] == pytest.approx((high - low) / 2)


class JumpingWorld(World):
    """Simulate scores that jump by 0.9 in few samples and stay as they are in the others, like categories."""

    def __init__(self, seed: int, jumps, *, null_jumps: float) -> None:
        super().__init__(seed, jumps, null=10)
        rng = np.random.default_rng([seed, 1])
        chance = np.full(self.truth.shape, null_jumps)  # (B + R, C)
        rows = np.arange(len(self.effects))
        chance[rows, rows] = np.where(np.isnan(self.effects), null_jumps, self.effects)
        self.changes = 0.9 * (rng.random(self.changes.shape) < chance[:, None])
        self.changes += 1e-6 * rng.standard_normal(self.changes.shape)


def test_no_p_value_is_smaller_than_the_samples_allow_where_null_directions_change_nothing() -> None:
    """At the first look no null direction has a jump, so their spread is next to nothing."""
    p = []
    for seed in range(20):
        simulated = JumpingWorld(seed, [0.3], null_jumps=0.0)
        effects, _, used = simulated.stop()
        looks = [look for look in simulated.design.looks if look <= used[0]]
        against_zero = [
            stats.ttest_1samp(simulated.changes[0, :look, 0], 0.0, alternative="greater").pvalue
            for look in looks
        ]
        assert effects.p[0, 0, 0, 0] >= min(against_zero)
        p.append(effects.p[0, 0, 0, 0])
    assert np.median(p) < 1e-3  # and yet what is there is found


def test_a_jump_that_the_first_samples_miss_is_not_given_up() -> None:
    """Of directions that jump in 8 % of the samples, a quarter have no jump in the first 16."""
    missed, factors = 0, 0
    for seed in range(60):
        simulated = JumpingWorld(seed, [0.08], null_jumps=0.0)
        if simulated.changes[0, :16, 0].max() > 0.5:
            continue
        _, decided, used = simulated.stop()
        assert used[0] > 16
        missed, factors = missed + 1, factors + int(decided[0])
    assert missed >= 8
    assert factors >= missed // 2


def test_where_a_boundary_was_not_moved_no_sample_is_undefined() -> None:
    simulated = World(3, [0.3, 0.6])
    plan, moved_sums = simulated.design, simulated.sums()
    moved_sums[:, :, :, 1] = np.nan  # forwards alone
    result = effects_by_batch(
        moved_sums[:2],
        moved_sums[None, 2:, :, :, 0],
        plan.own,
        looks=plan.looks,
        step=plan.step,
        unit=np.ones(2),
        all_set=0,
    )
    assert (result.undefined == 0.0).all()
    assert np.isnan(result.mean[:, :, 1]).all()


def test_half_a_width_without_two_defined_changes_is_infinite() -> None:
    """And is computed without a warning."""
    with np.errstate(all="raise"):
        assert half_width(np.array([[np.nan, np.nan], [1.0, np.nan]])).tolist() == [np.inf, np.inf]


def test_sums_up_to_looks_need_no_memory_for_batches() -> None:
    """200 batches of each of 20 directions take 14 MB; what is kept of them with three looks is 0.5 MB."""

    def directions() -> Iterator[np.ndarray]:
        for _ in range(20):
            yield np.ones((200, 3, 2, 15, 5))

    tracemalloc.start()
    summed = LookSums.of(directions(), 18, 2, [50, 100, 200], 1, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summed.at_all[:, :, 0, 0, 1].tolist() == [[50.0] * 18, [100.0] * 18, [200.0] * 18]
    assert (summed.total == 200.0).all()
    assert (summed.first == 1.0).all()
    assert peak < 4 * 2**20
