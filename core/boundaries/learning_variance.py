"""How far an effect depends on the samples that its boundary was learnt from (method B). Pure.

A boundary is learnt again from M resamplings of its samples (Efron 1979), and the same verification
samples are moved along what comes out. How much the mean effect then varies is the variance due to
learning, after two corrections:

- All replicates are moved on the same K samples, so what samples and boundary do together varies their means
  as well. Two-way analysis of variance takes it out: it is in the verification error already.
- A replicate has the noise of its resampling on top of the boundary's own, and normals have unit length: noise
  then takes a larger part of that length, and what it does to the effect looks smaller than it is. `dilution` says by how much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..randomness import Stream

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

FEWEST_SAMPLES = 32  # of which replicates are moved; half of those of the boundary, if that is more
LARGEST_DILUTION = np.sqrt(2.0)  # that of a boundary which is nothing but noise


def resampled_rows(samples: int, seed: int, replicate: int) -> tuple[Rows, int]:
    """Draw as many samples with replacement as there are: their rows (N,), ascending, and a seed for the learner.

    The learner gets a seed of its own for each replicate, because with other samples its random choices would be others too.

    >>> rows, seed = resampled_rows(5, seed=0, replicate=1)
    >>> len(rows), bool((np.diff(rows) >= 0).all())
    (5, True)
    """
    rng = np.random.default_rng([seed, int(Stream.RESAMPLING), replicate])
    return np.sort(rng.integers(samples, size=samples)), int(rng.integers(2**31))


def replicate_samples(samples: int, batch: int) -> int:
    """How many of a boundary's verification samples its replicates are moved on: half of them, 32 at least, in whole batches.

    Replicates are compared on the same samples, so few will do, and more replicates on half of them say more than fewer on all.

    >>> replicate_samples(128, 16), replicate_samples(500, 32), replicate_samples(24, 16)
    (64, 256, 24)
    """
    wanted = max(FEWEST_SAMPLES, -(-samples // 2))
    return min(samples, -(-wanted // batch) * batch)


def dilution(normal: NDArray[np.floating], replicates: NDArray[np.floating]) -> float:
    """By how much the spread of replicates' effects has to be multiplied, from 1 to sqrt(2).

    Let the learner find v + e, where v is what all samples would give and e the noise of those drawn, and a replicate v + e + e'.
    Noise e' moves the effect of a unit normal by 1 / |v + e + e'| of its size, that of a boundary by 1 / |v + e|. Because
    noise is orthogonal to everything else in many dimensions, the cosine of boundary and replicates is |v + e| / |v + e + e'|, and
    the cosine of two replicates is the square of that. Where the boundary is learnt from a part of the samples drawn by lot, the
    replicates' centre lies elsewhere; the quotient of the two cosines is right then as well.

    Args:
        normal: of the boundary, of unit length, (D,) or (L, D).
        replicates: (M, D) or (M, L, D), those that could not be learnt left out.

    Returns:
        1 for fewer than two replicates.
    """
    count = len(replicates)
    if count < 2:
        return 1.0
    flat = replicates.reshape(count, -1).astype(np.float64)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    own = normal.reshape(-1).astype(np.float64)
    with_own = float((flat @ own).mean() / np.linalg.norm(own))
    among = float(
        (np.square(flat.sum(axis=0)).sum() - count) / (count * (count - 1))
    )  # mean cosine of two of them
    if among <= 0.0 or with_own <= 0.0:
        return float(LARGEST_DILUTION)
    return float(np.clip(with_own / among, 1.0, LARGEST_DILUTION))


def learning_error(changes: Floats, scale: float = 1.0) -> tuple[float, int]:
    """Standard error of an effect due to the learning, and its degrees of freedom.

    With a_m the mean deviation of replicate m from the mean of all replicates on the same sample, and s^2 the mean square of what
    is left when samples and replicates are taken out,

        error^2 = scale^2 excess(sum_m a_m^2 / (M - 1), s^2 / K)

    Args:
        changes: of the boundary's own concept, a row per replicate and a column per verification sample, (M, K). NaN where a pair has no
            score, and in all of a row whose boundary could not be learnt.
        scale: what `dilution` says.

    Returns:
        NaN and 0 with fewer than two replicates.
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
    """By how much a variance that was estimated exceeds that of the noise in it; at least 0, and 0 only for no variance.

    The plain max(variance - noise, 0) is zero in half of all cases where noise prevails, and then an interval does as if nothing
    had to be learnt. So the mean over what the estimate might have been, variance X / f with X chi-squared of f degrees of
    freedom, is taken of it, which is what bagging it gives (Buehlmann and Yu, Analyzing bagging, Annals of Statistics 30, 2002):

        variance P(X' > c) - noise P(X > c)    c = f noise / variance, X' chi-squared of f + 2

    Where there is little noise this is the difference.

    >>> round(excess(4.0, 1.0, 11), 2), round(excess(1.0, 1.0, 11), 2), round(excess(0.5, 1.0, 11), 3)
    (3.0, 0.17, 0.003)
    """
    if not variance > 0.0:
        return 0.0
    cut = freedom * noise / variance
    return float(variance * stats.chi2.sf(cut, freedom + 2) - noise * stats.chi2.sf(cut, freedom))


def total_interval(
    mean: Floats,
    low: Floats,
    high: Floats,
    error: Floats,
    freedom: NDArray[np.int64],
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    """The interval that holds over other learning samples too, from one that holds over verification samples.

    Each side of the sum has the square root of the sum of squares of the parts' sides (Zou and Donner 2008): the verification
    interval keeps its shape, and the learning adds Student's interval of few replicates. It is never the narrower one.

    Args:
        mean: of the effects, any shape.
        low: lower end of their interval over verification samples.
        high: upper end.
        error: what learning_error says; NaN gives NaN.
        freedom: its degrees of freedom.
        confidence: of the part that learning adds.
    """
    half = stats.t.ppf(0.5 + confidence / 2.0, np.maximum(freedom, 1)) * error
    return mean - np.hypot(mean - low, half), mean + np.hypot(high - mean, half)


def errors_of(changes: Floats, scales: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """learning_error of each of B boundaries from changes (M, B, K): two of (B,)."""
    found = [learning_error(changes[:, i], scale) for i, scale in enumerate(scales)]
    return np.array([error for error, _ in found]), np.array(
        [freedom for _, freedom in found], dtype=np.int64
    )
