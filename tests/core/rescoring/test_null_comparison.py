"""Effects against null directions that were moved on fewer samples than the boundary."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.rescoring.null_comparison import by_layers, compare_with_null, extra_variance
from ganstrata.core.rescoring.sums import moments_of, null_means, sums_of
from numpy.typing import NDArray
from scipy import stats

STEP, NULL = 16, 10
OWN = np.array([0])


def fields(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return FIELDS by batch (D, N, 1, 1, 5) of changes (D, K) of one concept."""
    zero = np.zeros((STEP, 1), np.float32)
    parts = changes.reshape(len(changes), -1, STEP).astype(np.float32)
    return np.stack([[sums_of(zero, part[:, None]) for part in row] for row in parts])[:, :, None]


def compared(changes: NDArray[np.float64], null_samples: int) -> tuple[float, float, float]:
    """Return p of the first direction against the others, the extra variance and its degrees of freedom."""
    sums = fields(changes)
    null = sums[1:].copy()
    null[:, null_samples // STEP :] = np.nan
    moments = moments_of(np.nansum(sums[:1], axis=1)[:, :, None].repeat(2, axis=2))
    extra = extra_variance(null, moments.count[:, :, 0])
    result = compare_with_null(moments, null_means(np.nansum(null, axis=1)), OWN, extra)
    return float(result.p[0, 0, 0, 0]), extra.variance.item(), extra.freedom.item()


def test_each_boundary_is_compared_with_null_directions_at_its_own_layers() -> None:
    rng = np.random.default_rng(8)
    sums = fields(rng.standard_normal((3, 64)) + 0.5)[:, :, :, None].repeat(2, axis=3).sum(axis=1)
    null = rng.standard_normal((2, NULL, 1, 1)) * np.array([0.1, 3.0])[:, None, None, None]  # (G, R, S, C)
    moments, own = moments_of(sums), np.zeros(3, dtype=int)
    kind = np.array([1, 0, 1])
    found = by_layers(kind, lambda g, rows: compare_with_null(moments.of(rows), null[g], own[rows]))
    for i, g in enumerate(kind):
        alone = compare_with_null(moments.of(np.array([i])), null[g], own[:1])
        for name in ("p", "rank", "count"):
            np.testing.assert_array_equal(getattr(found, name)[i], getattr(alone, name)[0])
    assert found.p[1, 0, 0, 0] < found.p[[0, 2], 0, 0, 0].min()


def test_with_as_many_samples_nothing_is_added() -> None:
    changes = np.random.default_rng(0).standard_normal((1 + NULL, 128)) + 0.3
    p, extra, _ = compared(changes, 128)
    means = changes.mean(axis=1)
    against_null = stats.ttest_ind(means[:1], means[1:], alternative="greater").pvalue
    against_zero = stats.ttest_1samp(changes[0], 0.0, alternative="greater").pvalue
    assert extra == 0.0
    assert p == pytest.approx(max(float(against_null[()]), float(against_zero)), rel=1e-5)


def test_noise_of_the_samples_is_added_in_full_and_that_of_each_direction_is_there_already() -> None:
    rng = np.random.default_rng(1)
    common, alone = rng.standard_normal(4096), rng.standard_normal((1 + NULL, 4096))
    fewer = 1.0 / 2048 - 1.0 / 4096
    _, extra, freedom = compared(2.0 * common + alone, 2048)
    assert extra == pytest.approx((4.0 - 1.0) * fewer, rel=0.35)
    assert freedom == 2048 // STEP - 1
    assert compared(common + 2.0 * alone, 2048)[1] == 0.0


def test_directions_without_a_score_in_some_batches_leave_it_defined() -> None:
    changes = 2.0 * np.random.default_rng(2).standard_normal(128) + np.zeros((1 + NULL, 1))
    sums = fields(changes + 0.01 * np.arange(1 + NULL)[:, None])
    sums[3, 1], sums[4] = 0.0, 0.0
    for null in (sums[1:], sums[5:]):
        extra = extra_variance(null[:, :4], np.array([[[128.0]]]))
        assert np.isfinite(extra.variance).all()
        assert (extra.freedom >= 1.0).all()


def by_hand(changes: NDArray[np.float64], reached: float, count: float) -> float:
    """Return the extra variance from the changes (R, K) of whole batches: two-way analysis of variance."""
    means = changes.reshape(len(changes), -1, STEP).mean(axis=2)  # (R, N)
    directions, batches = means.shape
    left = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0) + means.mean()
    of_both = (left**2).sum() / ((directions - 1) * (batches - 1))
    of_samples = directions * means.mean(axis=0).var(ddof=1)
    excess = STEP * ((of_samples - of_both) / directions - of_both)
    return float(max(excess, 0.0) * (1.0 / reached - 1.0 / count))


def test_it_is_that_of_the_batches_in_which_every_direction_has_a_score() -> None:
    """Of the second concept, one direction has none in the second batch, and one in the fourth."""
    rng = np.random.default_rng(7)
    changes = 5.0 * rng.standard_normal(96) + rng.standard_normal((3, 96))
    changes = changes.astype(np.float32).astype(np.float64)
    sums = fields(changes).repeat(2, axis=3)
    sums[1, 1, :, 1] = 0.0
    sums[2, 3, :, 1] = np.nan
    extra = extra_variance(sums, np.array([[[128.0, 192.0]]]))
    common = np.concatenate([changes[:, :16], changes[:, 32:48], changes[:, 64:]], axis=1)
    expected = [by_hand(changes, 96.0, 128.0), by_hand(common, (96 + 80 + 80) / 3, 192.0)]
    assert min(expected) > 0.0
    np.testing.assert_allclose(extra.variance[0, 0], expected, rtol=1e-5)
    assert extra.freedom[0, 0].tolist() == [5.0, 3.0]


def test_what_is_added_counts_for_other_concepts_as_for_the_own_one() -> None:
    """The second concept changes as the first does, and decreases count there: p is twice as large."""
    changes = 2.0 * np.random.default_rng(4).standard_normal(128) + 0.3 * np.ones((1 + NULL, 1))
    changes += np.random.default_rng(5).standard_normal((1 + NULL, 128))
    changes[0] += 0.6
    sums = fields(changes).repeat(2, axis=3)
    null = sums[1:, :4]
    moments = moments_of(np.nansum(sums[:1], axis=1)[:, :, None].repeat(2, axis=2))
    extra = extra_variance(null, moments.count[:, :, 0])
    assert (extra.variance > 0.0).all()
    p = compare_with_null(moments, null_means(np.nansum(null, axis=1)), OWN, extra).p[0, 0, 0]
    without = compare_with_null(moments, null_means(np.nansum(null, axis=1)), OWN).p[0, 0, 0]
    assert without[0] < 0.9 * p[0] < 0.4
    assert p[1] == pytest.approx(2.0 * p[0])


def test_one_direction_alone_shows_the_noise_of_samples_and_none_of_its_own() -> None:
    changes = np.random.default_rng(6).standard_normal((1, 64))
    extra = extra_variance(fields(changes), np.array([[[128.0]]]))
    of_batches = STEP * changes.reshape(-1, STEP).mean(axis=1).var(ddof=1)
    assert extra.variance.item() == pytest.approx(of_batches * (1.0 / 64 - 1.0 / 128), rel=1e-5)


@pytest.mark.parametrize(("common", "alone", "spread"), [(0.3, 0.4, 0.1), (2.0, 0.2, 0.1), (2.0, 0.2, 0.02)])
def test_p_is_small_no_more_often_than_it_says(common: float, alone: float, spread: float) -> None:
    """All directions have the same distribution. Without the extra variance p is below 0.05 in up to 34 %."""
    rng, small = np.random.default_rng(3), []
    for _ in range(500):
        directions = 0.5 + spread * rng.standard_normal((1 + NULL, 1))
        changes = (
            directions + common * rng.standard_normal(128) + alone * rng.standard_normal((1 + NULL, 128))
        )
        small.append(compared(changes, 64)[0] < 0.05)
    assert np.mean(small) <= 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / 500)
