"""Intervals, the null of random directions, and corrections for many tests (method B). All pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


def bootstrap_weights(samples: int, resamplings: int, seed: int) -> Floats:
    """How often each sample is drawn in each resampling: (R, K), rows sum to K.

    One matrix serves all effects of a run, so that differences between them are resampled together.
    """
    rng = np.random.default_rng([seed, samples, resamplings])
    return rng.multinomial(samples, np.full(samples, 1.0 / samples), size=resamplings).astype(np.float64)


def resampled_means(changes: Floats, weights: Floats) -> Floats:
    """Means of changes (..., K) in every resampling (R, K): (R, ...). NaN changes are left out."""
    valid = ~np.isnan(changes)
    flat = np.where(valid, changes, 0.0).reshape(-1, changes.shape[-1])
    totals = weights @ flat.T  # (R, M)
    counts = weights @ valid.reshape(flat.shape).astype(np.float64).T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = totals / counts
    return means.reshape(len(weights), *changes.shape[:-1])


def interval(replicates: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Percentile interval over the first axis of replicates (R, ...).

    Replicates that are undefined for want of data are left out; with none, the interval is NaN.
    """
    tail = (1.0 - confidence) / 2.0
    if replicates.size == 0:
        return np.full(replicates.shape[1:], np.nan), np.full(replicates.shape[1:], np.nan)
    undefined = np.isnan(replicates).all(axis=0)
    filled = np.where(undefined, 0.0, replicates)
    low, high = np.nanquantile(filled, (tail, 1.0 - tail), axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def mean_interval(mean: Floats, error: Floats, count: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Student's interval from a mean, its standard error and the number of samples."""
    factor = stats.t.ppf(0.5 + confidence / 2.0, np.maximum(count - 1.0, 1.0))
    return mean - factor * error, mean + factor * error


def null_p_value(effect: Floats, null: Floats, *, two_sided: bool) -> Floats:
    """How probable an effect as large as this is for a random direction.

    p = 1 - T_{R-1}((m - m0) / (s0 sqrt(1 + 1/R))): the effect is held against the mean m0 and the
    standard deviation s0 of R null effects, as one more draw from the same normal distribution.

    Args:
        effect: signed mean changes, any shape.
        null: those of the R null directions, (R, ...) with the same trailing shape.
        two_sided: whether a decrease counts as well.

    Returns:
        p values; 1 where the null does not vary, NaN where an effect is undefined.
    """
    count = len(null)
    centre, spread = null.mean(axis=0), null.std(axis=0, ddof=1)
    flat = spread <= 1e-9 * np.abs(centre)  # rounding may keep equal numbers a little apart
    score = (effect - centre) / (np.where(flat, 1.0, spread) * np.sqrt(1.0 + 1.0 / count))
    p = 2.0 * stats.t.sf(np.abs(score), count - 1) if two_sided else stats.t.sf(score, count - 1)
    return np.where(np.isnan(effect), np.nan, np.where(flat, 1.0, p))


def rank_p_value(effect: Floats, null: Floats) -> Floats:
    """Share of null directions that do as well or better, counting the effect itself: not below 1/(R+1).

    >>> float(rank_p_value(np.array(3.0), np.array([1.0, 2.0, 4.0])))
    0.5
    """
    better = (null >= effect).sum(axis=0)
    return np.where(np.isnan(effect), np.nan, (better + 1.0) / (len(null) + 1.0))


def benjamini_hochberg(p: Floats) -> Floats:
    """Q values of a family of p values (M,); NaN stays NaN and does not count.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if len(known):
        q[known] = stats.false_discovery_control(p[known], method="bh")
    return q


def holm(p: Floats) -> Floats:
    """P values of a family (M,) corrected so that the chance of any false finding stays below the rate (Holm 1979); NaN does not count.

    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(3).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    found = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    ordered = known[np.argsort(p[known], kind="stable")]
    found[ordered] = np.minimum(np.maximum.accumulate(p[ordered] * np.arange(len(ordered), 0, -1)), 1.0)
    return found


def rank_correlation(a: Floats, b: Floats) -> tuple[float, float, float]:
    """Spearman's rank correlation of two scores (M,), and its 95 % interval over the things ranked; pairs with a NaN are left out.

    The interval is Fisher's with the variance (1 + r^2 / 2) / (M - 3) of Bonett and Wright (2000): what
    another choice of M such things might have given. NaN below 5 pairs, and where all ranks of a side are equal.
    """
    known = ~(np.isnan(a) | np.isnan(b))
    x, y = stats.rankdata(a[known]), stats.rankdata(b[known])
    if len(x) < 5 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return np.nan, np.nan, np.nan
    r = float(np.corrcoef(x, y)[0, 1])
    centre = np.arctanh(np.clip(r, -1.0 + 1e-12, 1.0 - 1e-12))
    half = stats.norm.ppf(0.975) * np.sqrt((1.0 + r**2 / 2.0) / (len(x) - 3.0))
    return r, float(np.tanh(centre - half)), float(np.tanh(centre + half))


def share_interval(share: float, count: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share that was seen in `count` cases; NaN without cases.

    >>> [round(bound, 3) for bound in share_interval(0.5, 100)]
    [0.404, 0.596]
    """
    if not count > 0:
        return np.nan, np.nan
    z = float(stats.norm.ppf(0.5 + confidence / 2.0))
    centre = (share + z**2 / (2.0 * count)) / (1.0 + z**2 / count)
    half = z / (1.0 + z**2 / count) * np.sqrt(share * (1.0 - share) / count + z**2 / (4.0 * count**2))
    return float(centre - half), float(centre + half)
