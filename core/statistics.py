"""Intervals, the null of random directions, and corrections for many tests (method B). All pure."""

from __future__ import annotations

from typing import Any

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


def widening(count: NDArray[Any]) -> Floats:
    """How much too narrow the percentiles of bootstrapped means of `count` samples are: a factor per count, NaN below 2.

    f = sqrt(n / (n - 1)) t / z: a resampling has the variance of the sample about its own mean, divided
    by n and not by n - 1, and its percentiles lie at the quantiles z of the normal distribution where
    Student's t belongs (Hesterberg, What teachers should know about the bootstrap, American
    Statistician 69, 2015, section 3.2). 1.29 at 8 samples, 1.12 at 16, 1.01 at 128.

    >>> widening(np.array([1, 8, 16, 128])).round(2).tolist()
    [nan, 1.29, 1.12, 1.01]
    """
    n = np.maximum(count, 2.0)
    factor = np.sqrt(n / (n - 1.0)) * stats.t.ppf(0.975, n - 1.0) / stats.norm.ppf(0.975)
    return np.where(np.asarray(count) < 2, np.nan, factor)


def widened(replicates: Floats, value: Floats, count: NDArray[Any]) -> Floats:
    """Replicates (R, ...) pulled from the estimate (...) so that their percentiles lie as far out as Student's interval.

    Where fewer than two samples are defined nothing is known of the spread, and the replicates are NaN.

    Args:
        replicates: of the estimate, from resampled samples.
        value: the estimate from the samples as they are.
        count: how many samples it rests on, to be broadcast against value.
    """
    return np.asarray(value + widening(count) * (replicates - value))


def sample_means(changes: Floats) -> Floats:
    """Means of changes (..., K) over samples: (...). NaN changes are left out; NaN where all are."""
    valid = ~np.isnan(changes)
    count = valid.sum(axis=-1)
    total = np.where(valid, changes, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def bootstrap_means(changes: Floats, weights: Floats) -> Floats:
    """Replicates of the means of changes (..., K) for intervals: (R, ...), widened as few samples need it.

    Args:
        changes: NaN is left out.
        weights: how often each sample is drawn, (R, K).
    """
    return widened(
        resampled_means(changes, weights), sample_means(changes), (~np.isnan(changes)).sum(axis=-1)
    )


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


def mean_interval(
    mean: Floats, error: Floats, count: Floats, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Student's interval from a mean, its standard error and the number of samples."""
    factor = stats.t.ppf(0.5 + confidence / 2.0, np.maximum(count - 1.0, 1.0))
    return mean - factor * error, mean + factor * error


def skewed_interval(changes: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """The interval of means of changes (..., K) that may be skewed: Hall's transformation of Student's statistic. Two of (...).

    Where few samples carry a change, mean and standard error go together, and Student's interval misses on one side. With
    skewness g and t = (mean - truth) / (s / sqrt(n)),

        t + a t^2 / 3 + a^2 t^3 / 27 + a / 6,    a = g / sqrt(n)

    is nearly free of skewness, and as it rises with t it can be solved for the truth (Hall, On the removal of skewness by
    transformation, Journal of the Royal Statistical Society B 54, 1992). It is held against Student's quantiles, for which
    Hall has those of the normal distribution, so that without skewness it is Student's interval. The mean lies inside.

    Args:
        changes: NaN is left out.
        confidence: of the interval.

    Returns:
        NaN where fewer than two samples are defined.

    >>> low, high = skewed_interval(np.array([0.0, 0.0, 0.0, 0.1, 0.0, 0.9, 0.0, 0.2]))
    >>> round(float(low), 2), round(float(high), 2)  # Student's: -0.11 to 0.41
    (-0.03, 1.14)
    """
    valid = ~np.isnan(changes)
    count = valid.sum(axis=-1)
    least = np.maximum(count, 2)
    mean = sample_means(changes)
    apart = np.where(valid, changes - mean[..., None], 0.0)
    spread = np.sqrt((apart**2).sum(axis=-1) / (least - 1.0))
    shape = (apart**3).sum(axis=-1) / least / np.where(spread > 0.0, spread, 1.0) ** 3 / np.sqrt(least)  # a
    quantile = stats.t.ppf(0.5 + confidence / 2.0, least - 1.0)

    def solved(value: Floats) -> Floats:
        """The t at which the transformation has this value: 3 (cbrt(1 + a v) - 1) / a with v = value - a / 6, without dividing by a."""
        value = value - shape / 6.0
        root = np.cbrt(1.0 + shape * value)
        return np.asarray(3.0 * value / (1.0 + root + root**2))

    error = np.where(count < 2, np.nan, spread / np.sqrt(least))
    return mean - solved(quantile) * error, mean - solved(-quantile) * error


LEAST_NULL = 2
"""Null directions with a defined effect, below which nothing can be said of their spread."""


def null_moments(null: Floats) -> tuple[Floats, Floats, Floats]:
    """How many of R null effects (R, ...) are defined, their mean, and their standard deviation (ddof 1), each (...).

    NaN is left out; the mean of none and the deviation of fewer than two are NaN.
    """
    valid = ~np.isnan(null)
    count = valid.sum(axis=0)
    centre = np.where(count > 0, np.where(valid, null, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    squares = (np.where(valid, null - centre, 0.0) ** 2).sum(axis=0)
    return (
        count.astype(np.float64),
        centre,
        np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan),
    )


def null_p_value(effect: Floats, null: Floats, *, two_sided: bool) -> Floats:
    """How probable an effect as large as this is for a random direction.

    p = 1 - T_{R-1}((m - m0) / (s0 sqrt(1 + 1/R))): the effect is held against the mean m0 and the
    standard deviation s0 of R null effects, as one more draw from the same normal distribution. R
    counts the directions whose effect is defined.

    Args:
        effect: signed mean changes, any shape.
        null: those of the null directions, (R, ...) with the same trailing shape; NaN where undefined.
        two_sided: whether a decrease counts as well.

    Returns:
        p values; 1 where the null does not vary, NaN where an effect is undefined or fewer than
        LEAST_NULL null effects are defined.
    """
    count, centre, spread = null_moments(null)
    flat = spread <= 1e-9 * np.abs(centre)  # rounding may keep equal numbers a little apart
    known, freedom = np.maximum(count, 1.0), np.maximum(count - 1.0, 1.0)
    score = (effect - centre) / (np.where(flat, 1.0, spread) * np.sqrt(1.0 + 1.0 / known))
    p = 2.0 * stats.t.sf(np.abs(score), freedom) if two_sided else stats.t.sf(score, freedom)
    return np.where(np.isnan(effect) | (count < LEAST_NULL), np.nan, np.where(flat, 1.0, p))


def rank_p_value(effect: Floats, null: Floats) -> Floats:
    """Share of the R defined null effects that are as large or larger, counting the effect itself: not below 1/(R+1).

    NaN where the effect or every null effect is undefined.

    >>> float(rank_p_value(np.array(3.0), np.array([1.0, 2.0, 4.0, np.nan])))
    0.5
    """
    count, better = (~np.isnan(null)).sum(axis=0), (null >= effect).sum(axis=0)
    return np.where(np.isnan(effect) | (count == 0), np.nan, (better + 1.0) / (count + 1.0))


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
