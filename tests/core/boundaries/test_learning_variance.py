"""The variance of an effect due to learning, compared with known values."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.boundaries.learning_variance import (
    LARGEST_DILUTION,
    dilution,
    errors_of,
    excess,
    learning_error,
    replicate_samples,
    resampled_rows,
    total_interval,
)
from scipy import stats


def test_resampled_rows_are_a_bootstrap() -> None:
    rows = np.stack([resampled_rows(2000, 3, m)[0] for m in range(20)])
    assert rows.shape == (20, 2000)
    assert (np.diff(rows, axis=1) >= 0).all()
    distinct = np.array([len(np.unique(r)) for r in rows]) / 2000
    np.testing.assert_allclose(distinct, 1.0 - np.exp(-1.0), atol=0.03)
    assert (rows.min(), rows.max()) == (0, 1999)
    counts = np.stack([np.bincount(r, minlength=2000) for r in rows])
    assert (
        abs(np.corrcoef(counts)[np.triu_indices(20, 1)]).max() < 0.1
    )  # replicates know nothing of each other
    assert counts.mean(axis=0).var() == pytest.approx(1.0 / 20, rel=0.2)


def test_resamplings_follow_seed_and_number_alone() -> None:
    (rows, seed), (again, same) = resampled_rows(50, 7, 2), resampled_rows(50, 7, 2)
    assert (rows.tolist(), seed) == (again.tolist(), same)
    assert len({tuple(resampled_rows(50, s, m)[0]) for s in range(3) for m in range(3)}) == 9
    assert (
        len({resampled_rows(50, s, m)[1] for s in range(3) for m in range(3)}) == 9
    )  # the learner's seed is another each time


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("share", [1.0, 0.7])
def test_dilution_is_how_much_longer_a_replicate_is(noise: float, share: float) -> None:
    """Return a boundary learnt from a random share of the samples, and replicates learnt in the same way."""
    rng = np.random.default_rng(0)
    d, truth = 4000, np.eye(4000)[0]
    whole = np.sqrt(share) * noise * rng.standard_normal(d) / np.sqrt(d)  # what all samples have in common
    boundary = truth + whole + np.sqrt(1.0 - share) * noise * rng.standard_normal(d) / np.sqrt(d)
    replicates = truth + whole + noise * rng.standard_normal((12, d)) / np.sqrt(d)
    wanted = np.linalg.norm(replicates, axis=1).mean() / np.linalg.norm(boundary)
    assert dilution(unit(boundary), unit(replicates)) == pytest.approx(wanted, rel=0.03)


def test_dilution_of_a_boundary_per_layer_is_that_of_all_layers() -> None:
    rng = np.random.default_rng(1)
    normal, replicates = unit(rng.standard_normal((3, 50)) + 2.0), unit(rng.standard_normal((6, 3, 50)) + 2.0)
    flat = dilution(normal.reshape(-1) / np.sqrt(3.0), replicates.reshape(6, -1) / np.sqrt(3.0))
    assert dilution(normal, replicates) == pytest.approx(flat)


def test_dilution_has_bounds() -> None:
    normal = np.eye(8)[0]
    assert dilution(normal, np.repeat(normal[None], 5, axis=0)) == 1.0
    assert dilution(normal, np.eye(8)[1:6]) == LARGEST_DILUTION  # replicates that have nothing in common
    assert dilution(normal, -np.repeat(normal[None], 5, axis=0)) == LARGEST_DILUTION
    assert dilution(normal, normal[None]) == 1.0
    assert dilution(normal, np.empty((0, 8))) == 1.0


def crossed(
    rng: np.random.Generator, size: int, m: int, k: int, learning: float, common: float, rest: float
) -> np.ndarray:
    """Return changes (size, M, K): effect + replicate effects + sample effects + interaction."""
    replicate, sample = (
        learning * rng.standard_normal((size, m, 1)),
        common * rng.standard_normal((size, 1, k)),
    )
    return 0.5 + replicate + sample + rest * rng.standard_normal((size, m, k))


@pytest.mark.parametrize(("learning", "rest"), [(0.0, 1.0), (0.1, 1.0), (0.5, 1.0), (0.5, 0.0)])
def test_the_variance_due_to_learning_is_estimated_without_bias(learning: float, rest: float) -> None:
    m, k, size = 12, 64, 600
    tables = crossed(np.random.default_rng(2), size, m, k, learning, 3.0, rest)
    errors = np.array([learning_error(table) for table in tables])
    assert (errors[:, 1] == m - 1).all()
    # Where noise prevails the mean is too high, because a variance is not below zero; so is that of `excess`.
    sd = (learning**2 + rest**2 / k) * np.sqrt(2.0 / (m - 1))
    above = np.sqrt(2.0) * sd * stats.norm.pdf(0.0) if learning == 0.0 else 0.0
    assert np.square(errors[:, 0]).mean() == pytest.approx(
        learning**2 + above, abs=5.0 * sd / np.sqrt(size) + 0.15 * above + 0.01 * learning**2
    )


@pytest.mark.parametrize(
    ("variance", "noise", "freedom"),
    [(2.0, 1.0, 11), (1.0, 1.0, 11), (0.6, 1.0, 11), (1.0, 1.0, 1), (3.0, 0.5, 4)],
)
def test_excess_is_the_mean_over_what_the_estimate_might_have_been(
    variance: float, noise: float, freedom: int
) -> None:
    draws = variance * np.random.default_rng(freedom).chisquare(freedom, 200_000) / freedom
    drawn = np.maximum(draws - noise, 0.0)
    assert excess(variance, noise, freedom) == pytest.approx(
        drawn.mean(), abs=5.0 * drawn.std() / np.sqrt(200_000)
    )


def test_excess_of_a_clear_variance_is_the_difference_and_that_of_none_is_none() -> None:
    assert excess(3.0, 0.0, 11) == pytest.approx(3.0)
    assert excess(3.0, 0.1, 11) == pytest.approx(2.9, rel=1e-4)
    assert excess(0.0, 1.0, 11) == 0.0
    assert excess(0.0, 0.0, 11) == 0.0
    variances = [excess(x, 1.0, 11) for x in np.linspace(0.1, 5.0, 50)]
    assert (np.diff([0.0, *variances]) > 0.0).all()
    assert (np.array(variances) >= np.maximum(np.linspace(0.1, 5.0, 50) - 1.0, 0.0)).all()


def test_what_samples_add_by_themselves_does_not_matter() -> None:
    table = crossed(np.random.default_rng(3), 1, 8, 40, 0.3, 0.0, 0.2)[0]
    moved = table + 100.0 * np.random.default_rng(4).standard_normal(40)
    assert learning_error(moved)[0] == pytest.approx(learning_error(table)[0])
    assert learning_error(table, 1.3)[0] == pytest.approx(1.3 * learning_error(table)[0])


def test_by_hand() -> None:
    # Replicates differ by 1 and 3 from each other on every sample, and by nothing else.
    table = np.array([[0.0], [1.0], [4.0]]) + np.arange(5.0)
    assert learning_error(table)[0] == pytest.approx(np.std([0.0, 1.0, 4.0], ddof=1))
    # Two replicates that are alike on average: what is left is noise.
    assert learning_error(np.array([[1.0, -1.0], [-1.0, 1.0]])) == (0.0, 1)


def test_missing_scores_and_replicates_are_left_out() -> None:
    table = crossed(np.random.default_rng(5), 1, 10, 400, 0.5, 2.0, 0.3)[0]
    whole = learning_error(table)
    lost = np.concatenate([table, np.full((3, 400), np.nan)])
    assert learning_error(lost) == (pytest.approx(whole[0]), 9)
    holes = np.where(np.random.default_rng(6).random(table.shape) < 0.3, np.nan, table)
    holes[:, :7] = np.nan  # samples without any score
    error, freedom = learning_error(holes)
    assert (error, freedom) == (pytest.approx(whole[0], rel=0.1), 9)


@pytest.mark.parametrize(
    "table",
    [
        np.full((8, 20), np.nan),
        np.where(np.arange(8)[:, None] == 2, 1.0, np.nan) * np.ones(20),
        np.empty((0, 20)),
    ],
)
def test_of_fewer_than_two_replicates_nothing_is_known(table: np.ndarray) -> None:
    error, freedom = learning_error(table)
    assert np.isnan(error)
    assert freedom == 0


def test_replicates_without_a_common_sample_say_nothing() -> None:
    table = np.full((2, 6), np.nan)
    table[0, :3], table[1, 3:] = 1.0, 2.0
    assert np.isnan(learning_error(table)[0])


def test_the_total_interval_by_hand() -> None:
    mean, low, high = np.array([1.0, 1.0, 1.0]), np.array([0.7, 0.7, 0.7]), np.array([1.4, 1.4, 1.4])
    interval = total_interval(mean, low, high, np.array([0.2, 0.0, np.nan]), np.array([7, 7, 0]))
    half = stats.t.ppf(0.975, 7) * 0.2
    np.testing.assert_allclose(interval[0], [1.0 - np.hypot(0.3, half), 0.7, np.nan])
    np.testing.assert_allclose(interval[1], [1.0 + np.hypot(0.4, half), 1.4, np.nan])


def test_each_boundary_has_its_own_error() -> None:
    rng = np.random.default_rng(7)
    tables = np.stack([crossed(rng, 1, 6, 30, s, 1.0, 0.1)[0] for s in (0.0, 0.5, 2.0)], axis=1)  # (M, B, K)
    error, freedom = errors_of(tables, np.array([1.0, 1.0, 1.2]))
    assert freedom.tolist() == [5, 5, 5]
    assert error.tolist() == [learning_error(tables[:, i], s)[0] for i, s in enumerate((1.0, 1.0, 1.2))]


def test_the_error_by_the_formulas_with_a_score_missing() -> None:
    """Analysis of variance by hand: 12 changes of 3 replicates on 4 samples, also without one of them."""
    table = np.array([[1.0, 2.0, 4.0, 3.0], [2.0, 2.0, 7.0, 5.0], [9.0, 8.0, 9.0, 6.0]])
    for holes in ([], [(1, 2)]):
        rows = table.copy()
        for hole in holes:
            rows[hole] = np.nan
        known = ~np.isnan(rows)
        apart = rows - np.nanmean(rows, axis=0)
        means = np.array([np.nanmean(row) for row in apart])
        means -= means.mean()
        left = np.nansum((apart - means[:, None]) ** 2)
        noise = left / (known.sum() - 3 - 4 + 1) / (known.sum() / 3)
        assert learning_error(rows) == (pytest.approx(np.sqrt(excess((means**2).sum() / 2, noise, 2))), 2)


def test_dilution_of_two_replicates_by_hand() -> None:
    normal, tilted = np.eye(3)[0], np.array([0.8, 0.6, 0.0])
    assert dilution(normal, np.stack([tilted, np.array([0.8, 0.0, 0.6])])) == pytest.approx(0.8 / 0.64)
    # Replicates that agree with each other more than with the boundary are not made less of.
    assert dilution(normal, np.stack([tilted, tilted])) == 1.0
    assert dilution(normal, np.stack([tilted, np.array([0.8, -0.6, 0.0])])) == pytest.approx(np.sqrt(2.0))


def test_how_many_samples_replicates_are_moved_on() -> None:
    assert [replicate_samples(samples, 1) for samples in (10, 32, 60, 64, 65, 66, 1000)] == [
        10,
        32,
        32,
        32,
        33,
        33,
        500,
    ]


def test_seeds_of_replicates_are_of_all_that_every_learner_takes() -> None:
    seeds = np.array([resampled_rows(4, 0, m)[1] for m in range(400)]) / 2**31
    assert (seeds.min(), seeds.max()) == (pytest.approx(0.0, abs=0.05), pytest.approx(1.0, abs=0.05))
    assert (seeds < 1.0).all()


def test_replicates_that_have_nothing_in_common_with_each_other_or_with_the_boundary_are_noise() -> None:
    assert dilution(np.full(4, 0.5), np.eye(4)) == LARGEST_DILUTION
    assert dilution(np.eye(3)[0], np.eye(3)[[1, 1]]) == LARGEST_DILUTION


def test_on_one_sample_all_that_replicates_differ_by_counts_as_learning() -> None:
    assert learning_error(np.array([[0.0], [1.0], [4.0]])) == (
        pytest.approx(np.std([0.0, 1.0, 4.0], ddof=1)),
        2,
    )
