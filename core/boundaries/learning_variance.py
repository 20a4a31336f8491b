"""Estimate the variance of an effect that is due to the learning samples (method B). Pure functions.

The boundary is learnt again from M bootstrap resamples of its samples (Efron 1979). Each of these replicates
moves the same K verification samples. The variance of the mean effect between replicates is the variance due
to learning, after two corrections:

- The interaction of sample and replicate adds to the variance between the replicates' means. Two-way analysis
  of variance removes it (`learning_error`), because the verification error already contains it.
- A replicate contains the noise of its resample on top of the noise of the boundary itself. Normals have unit
  length, so this extra noise shortens the true part of the normal and makes the variance look too small.
  `dilution` is the factor that corrects this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..distributions import chi_square_tail, t_quantile
from ..randomness import Stream

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

FEWEST_SAMPLES = 32  # on which replicates are moved; or half of the boundary's samples, if that is more
LARGEST_DILUTION = np.sqrt(2.0)  # of a boundary that is pure noise


def resampled_rows(samples: int, seed: int, replicate: int) -> tuple[Rows, int]:
    """Draw the rows of one bootstrap resample: N rows out of N, with replacement.

    Args:
        samples: N.
        seed: seed of the run.
        replicate: number of the resample, from 0.

    Returns:
        The rows (N,), ascending, and a seed for the learner. Each replicate has its own seed, because the
        random choices of the learner are part of the variance.

    >>> rows, seed = resampled_rows(5, seed=0, replicate=1)
    >>> len(rows), bool((np.diff(rows) >= 0).all())
    (5, True)
    """
    rng = np.random.default_rng([seed, int(Stream.RESAMPLING), replicate])
    return np.sort(rng.integers(samples, size=samples)), int(rng.integers(2**31))


def replicate_samples(samples: int, batch: int) -> int:
    """Return how many verification samples the replicates of a boundary move: half of its own, at least 32.

    All replicates move the same samples, so half of them suffice: for the same cost, more replicates give a
    better estimate than more samples. The number is rounded up to whole batches.

    Args:
        samples: K, the number on which the boundary itself is moved.
        batch: samples in one pass.

    >>> replicate_samples(128, 16), replicate_samples(500, 32), replicate_samples(24, 16)
    (64, 256, 24)
    """
    wanted = max(FEWEST_SAMPLES, -(-samples // 2))
    return min(samples, -(-wanted // batch) * batch)


def dilution(normal: NDArray[np.floating], replicates: NDArray[np.floating]) -> float:
    """Compute the factor that corrects the spread of the replicates' effects, from 1 to sqrt(2).

        dilution = mean cos(boundary, replicate) / mean cos(replicate, other replicate)

    Derivation: let the boundary be v + e before it is normalised, where v is its value for infinitely many
    samples and e the noise of those drawn, and let a replicate be v + e + e'. After normalisation, noise e'
    changes the effect of a replicate by e' / |v + e + e'|, but noise e changes that of the boundary by
    e / |v + e|. The factor is therefore |v + e + e'| / |v + e|. In many dimensions noise is orthogonal to
    everything else. Then the cosine of boundary and replicate is |v + e| / |v + e + e'|, and the cosine of
    two replicates is the square of that, so the quotient of the two is the factor. It is also right for a
    boundary that is learnt from a random part of the samples, where the replicates scatter around another
    centre.

    Args:
        normal: unit normal of the boundary, (D,) or (L, D).
        replicates: normals (M, D) or (M, L, D), without those that could not be learnt.

    Returns:
        The factor; 1 for fewer than two replicates.
    """
    count = len(replicates)
    if count < 2:
        return 1.0
    flat = replicates.reshape(count, -1).astype(np.float64)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    own = normal.reshape(-1).astype(np.float64)
    with_own = float((flat @ own).mean() / np.linalg.norm(own))
    # Mean cosine of two replicates: |sum of unit vectors|^2 = M + sum of the cosines of all ordered pairs.
    among = float((np.square(flat.sum(axis=0)).sum() - count) / (count * (count - 1)))
    if among <= 0.0 or with_own <= 0.0:
        return float(LARGEST_DILUTION)
    return float(np.clip(with_own / among, 1.0, LARGEST_DILUTION))


def learning_error(changes: Floats, scale: float = 1.0) -> tuple[float, int]:
    """Compute the standard error of an effect due to learning, by two-way analysis of variance.

        a_m     = mean over k of (d_mk - mean over m of d_mk)                  effect of replicate m
        s^2     = mean square of d_mk without sample and replicate effects     interaction
        error^2 = scale^2 excess(sum_m a_m^2 / (M - 1), s^2 / K)

    Args:
        changes: d (M, K), the change of the boundary's own concept for each replicate and verification
            sample. NaN where a pair has no score, and in the whole row of a replicate that could not be
            learnt.
        scale: from `dilution`.

    Returns:
        The standard error and its degrees of freedom, M - 1; NaN and 0 for fewer than two replicates.
    """
    rows = changes[~np.isnan(changes).all(axis=1)]
    rows = rows[:, (~np.isnan(rows)).sum(axis=0) >= 2]
    count = len(rows)
    if count < 2 or rows.shape[1] == 0:
        return np.nan, 0
    known = ~np.isnan(rows)
    per_row = known.sum(axis=1)
    deviations = np.where(known, rows - np.nanmean(rows, axis=0), 0.0)
    means = deviations.sum(axis=1) / np.maximum(per_row, 1)
    means -= means.mean()
    left = np.where(known, deviations - means[:, None], 0.0)
    freedom = int(known.sum()) - count - rows.shape[1] + 1
    noise = float(np.square(left).sum()) / freedom / float(per_row.mean()) if freedom > 0 else 0.0
    return scale * float(
        np.sqrt(excess(float(np.square(means).sum()) / (count - 1), noise, count - 1))
    ), count - 1


def excess(variance: float, noise: float, freedom: int) -> float:
    """Estimate the part of a variance that is not noise: a smooth form of max(variance - noise, 0).

    Where noise prevails, the plain maximum is zero in half of all cases, and an interval would then ignore
    the learning. So it is averaged over the distribution of the estimate, variance X / f with X chi-squared
    of f degrees of freedom. Bagging has this result (Buehlmann and Yu, Analyzing bagging, Annals of
    Statistics 30, 2002):

        excess = variance P(X' > c) - noise P(X > c)    c = f noise / variance, X' chi-squared of f + 2

    With little noise this is the plain difference.

    Args:
        variance: estimated, noise included.
        noise: variance of the noise.
        freedom: f, degrees of freedom of the estimate.

    Returns:
        A number of at least 0; exactly 0 only where the variance is 0.

    >>> round(excess(4.0, 1.0, 11), 2), round(excess(1.0, 1.0, 11), 2), round(excess(0.5, 1.0, 11), 3)
    (3.0, 0.17, 0.003)
    """
    if not variance > 0.0:
        return 0.0
    cut = freedom * noise / variance
    return float(variance * chi_square_tail(cut, freedom + 2) - noise * chi_square_tail(cut, freedom))


def total_interval(
    mean: Floats,
    low: Floats,
    high: Floats,
    error: Floats,
    freedom: NDArray[np.int64],
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    """Add the variance due to learning to an interval that covers verification samples only.

        half  = t(f, (1 + confidence) / 2) error
        low'  = mean - sqrt((mean - low)^2 + half^2)
        high' = mean + sqrt((high - mean)^2 + half^2)

    Each side is combined on its own (Zou and Donner 2008), so that a skewed interval stays skewed. The result
    is never narrower than the interval given.

    Args:
        mean: effects, any shape.
        low: lower end of their interval over verification samples.
        high: upper end.
        error: from `learning_error`; NaN gives NaN.
        freedom: f, its degrees of freedom.
        confidence: confidence of Student's interval `half`.

    Returns:
        The lower and the upper end.
    """
    half = t_quantile(0.5 + confidence / 2.0, np.maximum(freedom, 1)) * error
    return mean - np.hypot(mean - low, half), mean + np.hypot(high - mean, half)


def errors_of(changes: Floats, scales: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Compute `learning_error` for each of B boundaries.

    Args:
        changes: (M, B, K).
        scales: from `dilution` (B,).

    Returns:
        The standard errors (B,) and their degrees of freedom (B,).
    """
    pairs = [learning_error(changes[:, i], scale) for i, scale in enumerate(scales)]
    errors = np.array([error for error, _ in pairs])
    return errors, np.array([freedom for _, freedom in pairs], dtype=np.int64)
