"""Effects from sums, against the same numbers computed from all changes one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.rescoring.effects import (
    EffectArrays,
    effects_of,
    moved_backwards,
    over_learning,
    variation_factors,
)
from ganstrata.core.rescoring.sums import FIELDS, sums_of
from ganstrata.core.statistics import skewed_interval
from scipy import stats

B, S, C, K, R = 3, 2, 4, 40, 8
OWN = np.array([2, 0, 3])
UNIT = np.array([0.5, 2.0, 1.0, 0.1])
ALL = 1  # which layer set is `all`


@pytest.fixture
def scores():
    """Scores of a baseline (K, C), of edits (B, S, 2, K, C) and of null edits (R, S, K, C), with holes."""
    rng = np.random.default_rng(0)
    baseline = rng.standard_normal((K, C)).astype(np.float32)
    edited = (baseline + 0.3 + rng.standard_normal((B, S, 2, K, C))).astype(np.float32)
    null = (
        baseline + 0.2 * rng.standard_normal((R, S, 1, C)) + 0.5 * rng.standard_normal((R, S, K, C))
    ).astype(np.float32)
    baseline[:4, 2] = np.nan
    edited[:, :, :, 2:9, 2] = np.nan
    null[:, :, 1:3, 2] = np.nan
    return baseline, edited, null


def effects(baseline, edited, null):
    sums = np.stack([sums_of(baseline, e) for e in edited.reshape(-1, K, C)]).reshape(B, S, 2, C, len(FIELDS))
    null_sums = np.stack([sums_of(baseline, e) for e in null.reshape(-1, K, C)]).reshape(R, S, C, len(FIELDS))
    changes = edited.astype(np.float64) - baseline
    own = np.stack([changes[i, ..., j] for i, j in enumerate(OWN)])
    return effects_of(sums, null_sums[None], own, OWN, samples=K, unit=UNIT, all_set=ALL)


def test_every_effect_is_the_formula_applied_to_its_changes(scores):
    baseline, edited, null = scores
    result = effects(*scores)
    for i, s, k, j in np.ndindex(B, S, 2, C):
        changes = edited[i, s, k, :, j].astype(np.float64) - baseline[:, j]
        known = changes[~np.isnan(changes)]
        at = (i, s, k, j)
        assert result.count[at] == len(known)
        assert result.mean[at] == pytest.approx(known.mean())
        assert result.error[at] == pytest.approx(stats.sem(known))
        assert result.clipped[at] == pytest.approx(known[known > 0].sum() / len(known))
        assert result.in_sd[at] == pytest.approx(known.mean() / UNIT[j])
        if j != OWN[i]:
            expected = stats.ttest_1samp(known, 0.0).confidence_interval(0.95)
            assert (result.low[at], result.high[at]) == (
                pytest.approx(expected.low),
                pytest.approx(expected.high),
            )
        if k == 1:
            assert np.isnan([result.p[at], result.rank[at], result.q[at]]).all()
            continue
        means = np.nanmean(null[:, s, :, j].astype(np.float64) - baseline[:, j], axis=1)
        alternative = "greater" if j == OWN[i] else "two-sided"
        against_null = stats.ttest_ind([known.mean()], means, alternative=alternative).pvalue
        against_zero = stats.ttest_1samp(known, 0.0, alternative=alternative).pvalue
        assert result.p[at] == pytest.approx(max(against_null, against_zero))
        assert result.rank[at] == pytest.approx((1 + (means >= known.mean()).sum()) / (R + 1))


def test_the_interval_of_the_own_concept_allows_for_skewed_changes(scores):
    baseline, edited, null = scores
    edited[..., 3] += np.float32(8.0) * (np.arange(K) % 13 == 0)  # few samples carry most of the change
    result = effects(baseline, edited, null)
    for i, s, sign in np.ndindex(B, S, 2):
        changes = edited[i, s, sign, :, OWN[i]].astype(np.float64) - baseline[:, OWN[i]]
        at = (i, s, sign, OWN[i])
        assert (result.low[at], result.high[at]) == pytest.approx(
            skewed_interval(changes[~np.isnan(changes)])
        )
        assert result.low[at] < result.mean[at] < result.high[at]
    assert ((result.high - result.mean)[2, :, :, 3] > 1.2 * (result.mean - result.low)[2, :, :, 3]).all()


def test_undefined_pairs_are_left_out_and_counted(scores):
    result = effects(*scores)
    assert (result.undefined[..., [0, 1, 3]] == 0).all()
    assert (result.undefined[..., 2] == 9).all()  # 0 to 8
    assert (result.made_undefined[..., 2] == 5).all()  # 4 to 8 had a score before
    assert (result.made_undefined[..., [0, 1, 3]] == 0).all()


def test_a_concept_without_any_pair_has_no_effect(scores):
    baseline, edited, null = scores
    edited[1, :, :, :, 0] = np.nan  # its own concept
    result = effects(baseline, edited, null)
    for values in (
        result.mean,
        result.error,
        result.low,
        result.high,
        result.clipped,
        result.in_sd,
        result.p,
        result.q,
        result.rank,
    ):
        assert np.isnan(values[1, ALL, 0, 0])
    assert result.count[1, ALL, 0, 0] == 0
    assert result.made_undefined[1, ALL, 0, 0] == K
    # It is no test, so the others are corrected as two.
    p = result.p[[0, 2], ALL, 0, OWN[[0, 2]]]
    np.testing.assert_allclose(result.q[[0, 2], ALL, 0, OWN[[0, 2]]], stats.false_discovery_control(p))


def test_own_concepts_are_one_family_and_the_others_at_all_layers_another(scores):
    result = effects(*scores)
    rows = np.arange(B)
    for s in range(S):
        np.testing.assert_allclose(
            result.q[rows, s, 0, OWN], stats.false_discovery_control(result.p[rows, s, 0, OWN])
        )
    others = [(i, j) for i in range(B) for j in range(C) if j != OWN[i]]
    p = [result.p[i, ALL, 0, j] for i, j in others]
    np.testing.assert_allclose([result.q[i, ALL, 0, j] for i, j in others], stats.false_discovery_control(p))
    assert all(np.isnan(result.q[i, 0, 0, j]) for i, j in others)


def test_sums_of_batches_add_up():
    rng = np.random.default_rng(1)
    before, after = (rng.standard_normal((50, 3)).astype(np.float32) for _ in range(2))
    before[3, 1] = after[7, 1] = after[3, 1] = np.nan
    parts = [sums_of(before[a:b], after[a:b]) for a, b in ((0, 8), (8, 9), (9, 50))]
    np.testing.assert_allclose(np.sum(parts, axis=0), sums_of(before, after), rtol=1e-12)
    assert sums_of(before, after)[1].tolist()[::4] == [48.0, 1.0]  # count, made_undefined


def test_the_error_survives_a_small_spread_around_a_large_change():
    change = 1000.0 + np.array([0.0, 0.5, 1.0, 0.25] * 10)
    sums = sums_of(np.zeros((K, 1), np.float32), change[:, None].astype(np.float32))
    result = effects_of(
        np.broadcast_to(sums, (1, 1, 2, 1, 5)),
        np.broadcast_to(sums, (1, 3, 1, 1, 5)),
        np.broadcast_to(change, (1, 1, 2, K)),
        np.array([0]),
        samples=K,
        unit=np.ones(1),
        all_set=0,
    )
    assert result.error[0, 0, 0, 0] == pytest.approx(stats.sem(change), rel=1e-4)


def test_noise_looks_like_an_effect_only_in_the_clipped_mean():
    noise = np.random.default_rng(2).standard_normal((2000, 1)).astype(np.float32)
    _, total, _, clipped, _ = sums_of(np.zeros_like(noise), noise)[0] / 2000
    assert abs(total) < 4.0 / np.sqrt(2000)
    assert clipped == pytest.approx(
        1.0 / np.sqrt(2.0 * np.pi), abs=4.0 * 0.584 / np.sqrt(2000)
    )  # E max(x, 0)


def test_the_papers_figure_as_the_authors_compute_it():
    """Compare with genforce/higan 2088e23, rescore.py: N scores before, at all layers, and at each layer."""
    with np.load(Path(__file__).parents[2] / "data" / "higan_rescoring.npz", allow_pickle=False) as file:
        reference = dict(file)
    before = reference["scores"][:, 0]
    moved = reference["scores"][:, 1:]
    sums = sums_of(np.repeat(before[:, None], moved.shape[1], axis=1), moved)
    clipped = sums[:, FIELDS.index("clipped")] / sums[:, FIELDS.index("count")]
    assert clipped[0] == pytest.approx(float(reference["total"]), rel=1e-5)
    np.testing.assert_allclose(clipped[1:], reference["per_layer"], rtol=1e-5)
    assert np.argsort(-clipped[1:], kind="stable").tolist() == reference["layer_ranking"].tolist()


def table(**columns):
    """Effects of four boundaries on four own concepts at one layer set, of which only some fields matter."""
    blank = np.full((4, 1, 2, 4), np.nan)
    fields = {name: blank.copy() for name in EffectArrays.__dataclass_fields__}
    for name, values in columns.items():
        fields[name][np.arange(4), 0, 0, np.arange(4)] = values
    return EffectArrays(**fields)


@pytest.mark.parametrize(
    ("columns", "varies", "expected"),
    [
        ({"q": [0.01, 0.049, 0.05, 0.2], "low": [0.1] * 4}, [True] * 4, [True, True, False, False]),
        ({"q": [0.01] * 4, "low": [0.1, 0.0, -0.1, np.nan]}, [True] * 4, [True, False, False, False]),
        ({"q": [0.01] * 4, "low": [0.1] * 4}, [True, False, True, False], [True, False, True, False]),
        ({"q": [np.nan, 0.01, 0.01, 0.01], "low": [0.1] * 4}, [True] * 4, [False, True, True, True]),
        # Where there is an interval over learning samples, that one must lie above zero as well.
        (
            {"q": [0.01] * 4, "low": [0.1, 0.1, 0.1, -0.1], "low_total": [0.01, 0.0, np.nan, 0.1]},
            [True] * 4,
            [True, False, True, False],
        ),
        ({"q": [0.01] * 4, "low": [np.nan] * 4, "low_total": [0.1] * 4}, [True] * 4, [False] * 4),
    ],
)
def test_a_variation_factor_beats_chance_varies_and_is_surely_above_zero(columns, varies, expected):
    result = variation_factors(table(**columns), np.arange(4), np.array(varies), all_set=0, rate=0.05)
    assert result.tolist() == expected


def one_concept(changes, null):
    """Return effects of boundaries on one concept each, at one layer set.

    Changes are (B, K) and null means (R, B), each over K pairs.
    """
    count, samples = changes.shape
    before, table = (
        np.zeros((samples, count), np.float32),
        np.full((count, samples, count), np.nan, np.float32),
    )
    table[np.arange(count), :, np.arange(count)] = changes
    sums = np.stack([sums_of(before, edited) for edited in table])[:, None, None].repeat(2, axis=2)
    counts = np.where(np.isnan(null), 0.0, 1.0)
    null_sums = np.stack(
        [counts, np.nan_to_num(null), np.nan_to_num(null) ** 2, 0.0 * counts, 0.0 * counts], axis=-1
    )[:, None]
    own = changes[:, None, None].repeat(2, axis=2)
    return effects_of(
        sums, null_sums[None], own, np.arange(count), samples=samples, unit=np.ones(count), all_set=0
    )


def test_the_interval_that_decides_covers_the_truth():
    """Of effects that few samples carry; Student's interval has 5 in 100 of them wholly below the truth."""
    rng = np.random.default_rng(64)
    result = one_concept(rng.exponential(size=(300, 64)), rng.standard_normal((3, 300)))
    at = (np.arange(300), 0, 0, np.arange(300))
    below, above = (result.high[at] < 1.0).sum(), (result.low[at] > 1.0).sum()
    assert max(below, above) <= stats.binom.ppf(0.999, 300, 0.03)


def test_one_pair_says_nothing_of_the_interval():
    changes = np.full((2, 10), np.nan)
    changes[0, 3], changes[1, :2] = 5.0, (5.0, 5.5)
    result = one_concept(changes, np.random.default_rng(0).standard_normal((5, 2)))
    assert result.count[[0, 1], 0, 0, [0, 1]].tolist() == [1.0, 2.0]
    assert np.isnan([result.low[0, 0, 0, 0], result.high[0, 0, 0, 0]]).all()
    assert result.low[1, 0, 0, 1] < 4.0 < 6.5 < result.high[1, 0, 0, 1]  # far beyond the two pairs themselves
    assert not variation_factors(result, np.arange(2), np.ones(2, dtype=bool), all_set=0, rate=1.0)[0]


def test_null_directions_without_an_effect_are_left_out_and_counted():
    rng = np.random.default_rng(3)
    changes, null = rng.standard_normal((4, 30)) + 2.0, 0.1 * rng.standard_normal((20, 4))
    null[0, 0], null[2:, 1], null[1:, 2], null[:, 3] = np.nan, np.nan, np.nan, np.nan
    result = one_concept(changes, null)
    at = (np.arange(4), 0, 0, np.arange(4))
    assert result.null_count[at].tolist() == [19.0, 2.0, 1.0, 0.0]
    assert np.isnan(result.null_count[:, :, 1]).all()
    for i, known in ((0, 19), (1, 2)):
        rest = null[~np.isnan(null[:, i]), i]
        against_null = stats.ttest_ind([changes[i].mean()], rest, alternative="greater").pvalue
        against_zero = stats.ttest_1samp(changes[i], 0.0, alternative="greater").pvalue
        assert result.p[at][i] == pytest.approx(max(against_null, against_zero), rel=1e-3)
        assert result.rank[at][i] == pytest.approx(1.0 / (known + 1))
    assert np.isnan(result.p[at][2:]).all()
    assert np.isnan(result.rank[at]).tolist() == [False, False, False, True]
    # The others are corrected as if these had not been asked.
    np.testing.assert_allclose(result.q[at][:2], stats.false_discovery_control(result.p[at][:2]))
    assert variation_factors(result, np.arange(4), np.ones(4, dtype=bool), all_set=0, rate=0.05).tolist()[
        ::2
    ] == [True, False]
    assert not variation_factors(result, np.arange(4), np.ones(4, dtype=bool), all_set=0, rate=1.0)[2:].any()


def test_two_pairs_have_a_standard_error_and_one_has_none():
    after = np.array([[1.0, 5.0], [3.0, np.nan]], np.float32)
    sums = sums_of(np.zeros((2, 2), np.float32), after)
    changes = after.T[:, None, None].repeat(2, axis=2).astype(float)
    null = np.ones((1, 3, 1, 2, len(FIELDS)))
    result = effects_of(
        sums[None, None, None].repeat(2, 0).repeat(2, 2),
        null,
        changes,
        np.arange(2),
        samples=2,
        unit=np.ones(2),
        all_set=0,
    )
    assert result.error[0, 0, 0].tolist() == [pytest.approx(1.0), pytest.approx(np.nan, nan_ok=True)]


def test_the_papers_figure_of_one_pair_is_its_rise():
    result = one_concept(np.array([[0.5, np.nan], [-0.5, np.nan]]), np.zeros((3, 2)))
    assert result.clipped[[0, 1], 0, 0, [0, 1]].tolist() == [0.5, 0.0]


def test_intervals_over_learning_are_those_of_the_own_concept_at_all_layers_and_never_the_narrower(scores):
    result = effects(*scores)
    error, freedom = np.array([0.1, 0.0, np.nan]), np.array([7, 7, 0])
    total = over_learning(result, error, freedom, OWN, all_set=ALL)
    at = (np.arange(B), ALL, 0, OWN)
    half = stats.t.ppf(0.975, 7) * error
    np.testing.assert_allclose(
        total.low_total[at], result.mean[at] - np.hypot(result.mean[at] - result.low[at], half)
    )
    np.testing.assert_allclose(
        total.high_total[at], result.mean[at] + np.hypot(result.high[at] - result.mean[at], half)
    )
    for array in (total.low_total, total.high_total):
        array[at] = 0.0
        assert np.isnan(array).sum() == array.size - B
        assert np.isnan(result.low_total).all()


def test_an_interval_over_learning_that_holds_zero_makes_no_factor():
    columns = {"q": [0.01] * 4, "low": [0.1] * 4, "low_total": [0.1, 0.0, -0.1, np.nan]}
    assert variation_factors(
        table(**columns), np.arange(4), np.ones(4, dtype=bool), all_set=0, rate=0.05
    ).tolist() == [True, False, False, True]


def test_p_of_a_rare_jump_is_that_of_its_samples_where_no_null_direction_changes_the_score():
    """A score that jumps in 5 of 16 samples; the null directions change it by next to nothing."""
    changes = np.where(np.arange(16) % 4 == 1, 0.9, 0.0) + np.where(np.arange(16) == 2, 0.9, 0.0)
    null = 1e-6 * np.random.default_rng(1).standard_normal((10, 1))
    result = one_concept(changes[None], null)
    assert stats.ttest_ind([changes.mean()], null[:, 0], alternative="greater").pvalue < 1e-30
    expected = stats.ttest_1samp(changes, 0.0, alternative="greater").pvalue
    assert 0.001 < expected < 0.05
    assert result.p[0, 0, 0, 0] == pytest.approx(expected)


def test_an_effect_that_its_samples_show_but_no_larger_than_chance_directions_have_is_none():
    changes = 0.3 + 0.01 * np.random.default_rng(2).standard_normal((1, 16))
    null = np.random.default_rng(3).standard_normal((10, 1))
    result = one_concept(changes, null)
    expected = stats.ttest_ind([changes.mean()], null[:, 0], alternative="greater").pvalue
    assert result.p[0, 0, 0, 0] == pytest.approx(expected)
    assert expected > 0.2


@pytest.mark.parametrize(
    ("backward", "expected"),
    [("all", (False, True, False)), ("everywhere", (True, True, True)), ("none", (False, False, False))],
)
def test_boundaries_are_moved_backwards_where_it_was_asked_for(
    backward: str, expected: tuple[bool, ...]
) -> None:
    assert moved_backwards(backward, ["0", "all", "upper"]) == expected


def test_boundaries_computed_one_by_one_are_those_computed_together(scores, monkeypatch):
    together = effects(*scores)
    monkeypatch.setattr("ganstrata.core.rescoring.effects.CELLS", 1)
    for name, values in vars(effects(*scores)).items():
        np.testing.assert_array_equal(values, getattr(together, name), err_msg=name)
