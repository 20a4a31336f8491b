"""Compute intervals, p values against a null distribution, and corrections for multiple tests (method B).

All functions are pure. NaN marks an undefined value throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .distributions import mean_ranks, normal_quantile, t_quantile, t_tail

Floats = NDArray[np.float64]


def bootstrap_weights(samples: int, resamplings: int, seed: int) -> Floats:
    """Draw R bootstrap resamplings of K samples (Efron 1979).

    One matrix serves all effects of a run, so that differences between effects are resampled together.

    Args:
        samples: K.
        resamplings: R.
        seed: seed of the random numbers.

    Returns:
        How often each sample is drawn in each resampling, (R, K). Each row sums to K.
    """
    rng = np.random.default_rng([seed, samples, resamplings])
    return rng.multinomial(samples, np.full(samples, 1.0 / samples), size=resamplings).astype(np.float64)


def resampled_means(changes: Floats, weights: Floats) -> Floats:
    """Return the mean of changes (..., K) in each resampling (R, K), as (R, ...).

    NaN changes are left out. A resampling without a defined change has the mean NaN.
    """
    valid = ~np.isnan(changes)
    flat = np.where(valid, changes, 0.0).reshape(-1, changes.shape[-1])
    totals = weights @ flat.T  # (R, M)
    counts = weights @ valid.reshape(flat.shape).astype(np.float64).T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = totals / counts
    return means.reshape(len(weights), *changes.shape[:-1])


def widening(count: NDArray[Any]) -> Floats:
    """Return the factor by which percentile intervals of bootstrapped means are too narrow.

        f = sqrt(n / (n - 1)) t_{n-1} / z

    The bootstrap is too narrow for two reasons. Its variance divides by n instead of n - 1. Its percentiles
    lie at the quantiles z of the normal distribution instead of those of Student's t (Hesterberg, What
    teachers should know about the bootstrap, The American Statistician 69, 2015, section 3.2).

    Args:
        count: number of samples n of each mean, any shape.

    Returns:
        f in the shape of `count`; NaN for fewer than 2 samples.

    >>> widening(np.array([1, 8, 16, 128])).round(2).tolist()
    [nan, 1.29, 1.12, 1.01]
    """
    n = np.maximum(count, 2.0)
    factor = np.sqrt(n / (n - 1.0)) * t_quantile(0.975, n - 1.0) / normal_quantile(0.975)
    return np.where(np.asarray(count) < 2, np.nan, factor)


def widened(replicates: Floats, value: Floats, count: NDArray[Any]) -> Floats:
    """Widen bootstrap replicates so that their percentiles are as wide as Student's interval.

    Each replicate r becomes value + f (r - value), with f from `widening`.

    Args:
        replicates: replicates of the estimate, (R, ...).
        value: estimate from the original samples, (...).
        count: number of samples of the estimate, broadcast against `value`.

    Returns:
        Replicates (R, ...); NaN where fewer than two samples are defined, since their spread is unknown.
    """
    return np.asarray(value + widening(count) * (replicates - value))


def sample_means(changes: Floats) -> Floats:
    """Return the mean of changes (..., K) over samples, (...). NaN is left out; NaN where all are NaN."""
    valid = ~np.isnan(changes)
    count = valid.sum(axis=-1)
    total = np.where(valid, changes, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def bootstrap_means(changes: Floats, weights: Floats) -> Floats:
    """Return bootstrap replicates of mean changes, widened for small samples (see `widening`).

    Args:
        changes: (..., K); NaN is left out.
        weights: how often each sample is drawn in each resampling, (R, K).

    Returns:
        Replicates (R, ...), ready for `interval`.
    """
    return widened(
        resampled_means(changes, weights), sample_means(changes), (~np.isnan(changes)).sum(axis=-1)
    )


def interval(replicates: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the percentile interval of replicates (R, ...) over their first axis: low and high, each (...).

    NaN replicates are left out. Where all are NaN, so is the interval.
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
    """Return Student's interval: low and high of mean -+ t_{n-1} error.

    Args:
        mean: any shape.
        error: standard error of the mean, same shape.
        count: number of samples n, same shape.
        confidence: level of the interval, in (0, 1).
    """
    factor = t_quantile(0.5 + confidence / 2.0, np.maximum(count - 1.0, 1.0))
    return mean - factor * error, mean + factor * error


NO_SPREAD = "no spread"
"""What stands in place of an interval that is a point: see `without_spread`."""


def without_spread(mean: Floats | float, low: Floats | float, high: Floats | float) -> NDArray[np.bool_]:
    """Return whether an interval of a mean change is a point, because all changes that it rests on are equal.

    Mostly they are all zero: no sample taken has changed. The interval then says nothing of rarer changes.

    >>> bool(without_spread(0.0, 0.0, 0.0)), bool(without_spread(0.0, -0.1, 0.1))
    (True, False)
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.subtract(high, low) <= 1e-6 * np.abs(mean))[()]


def most_unseen(count: int, confidence: float = 0.95) -> float:
    """Return the largest share of samples that may be of a kind of which `count` random ones have none.

        share = 1 - (1 - confidence)^(1 / count)    about 3 / count (Hanley and Lippman-Hand, JAMA 249, 1983)

    >>> round(most_unseen(16), 3), round(most_unseen(128), 3)
    (0.171, 0.023)
    """
    return float(1.0 - (1.0 - confidence) ** (1.0 / count))


def mean_p_value(mean: Floats, error: Floats, count: NDArray[Any], *, two_sided: bool) -> Floats:
    """Return the p value of Student's test that a mean is zero.

        p = 1 - T_{n-1}( mean / error ),    two-sided 2 (1 - T_{n-1}( |mean| / error ))

    Args:
        mean: means, any shape.
        error: standard error of each mean, same shape.
        count: number of samples n behind each mean, same shape.
        two_sided: whether a decrease counts as well.

    Returns:
        p values in the shape of `mean`: 1 where the mean is exactly zero or rests on fewer than two samples,
        whose spread is unknown; NaN where the mean is undefined.

    >>> mean_p_value(np.array([0.2, 0.0]), np.array([0.1, 0.0]), np.array([16, 16]), two_sided=False).round(3)
    array([0.032, 1.   ])
    """
    known = (count > 1) & (mean != 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(known, mean / error, 0.0)
    freedom = np.maximum(count - 1.0, 1.0)
    p = 2.0 * t_tail(np.abs(score), freedom) if two_sided else t_tail(score, freedom)
    return np.where(np.isnan(mean), np.nan, np.where(known, p, 1.0))


def skewed_interval(changes: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return an interval of mean changes that allows for skewness (Hall 1992).

    Where few samples carry a change, mean and standard error are correlated, and Student's interval misses
    more often on one side. With sample skewness g and t = (mean - truth) / (s / sqrt(n)),

        t + a t^2 / 3 + a^2 t^3 / 27 + a / 6,    a = g / sqrt(n)

    is nearly free of skewness (Hall's transformation). It rises with t, so each quantile gives one end of the
    interval in closed form (Hall, On the removal of skewness by transformation, Journal of the Royal
    Statistical Society B 54, 1992). Hall uses quantiles of the normal distribution. Student's are used here,
    so that without skewness this is Student's interval. The mean lies inside.

    Args:
        changes: (..., K); NaN is left out.
        confidence: level of the interval, in (0, 1).

    Returns:
        Low and high, each (...); NaN where fewer than two samples are defined.

    >>> low, high = skewed_interval(np.array([0.0, 0.0, 0.0, 0.1, 0.0, 0.9, 0.0, 0.2]))
    >>> round(float(low), 2), round(float(high), 2)  # Student's: -0.11 to 0.41
    (-0.03, 1.14)
    """
    valid = ~np.isnan(changes)
    count = valid.sum(axis=-1)
    least = np.maximum(count, 2)
    mean = sample_means(changes)
    deviations = np.where(valid, changes - mean[..., None], 0.0)
    spread = np.sqrt((deviations**2).sum(axis=-1) / (least - 1.0))
    skewness = (
        (deviations**3).sum(axis=-1) / least / np.where(spread > 0.0, spread, 1.0) ** 3 / np.sqrt(least)
    )  # a
    quantile = t_quantile(0.5 + confidence / 2.0, least - 1.0)

    def inverse(value: Floats) -> Floats:
        """Return the t at which the transformation has this value.

        t = 3 (cbrt(1 + a v) - 1) / a with v = value - a / 6, rearranged so that a = 0 is allowed.
        """
        value = value - skewness / 6.0
        root = np.cbrt(1.0 + skewness * value)
        return np.asarray(3.0 * value / (1.0 + root + root**2))

    error = np.where(count < 2, np.nan, spread / np.sqrt(least))
    return mean - inverse(quantile) * error, mean - inverse(-quantile) * error


LEAST_NULL = 2
"""Fewest null directions with a defined effect for which a standard deviation exists."""


def null_moments(null: Floats) -> tuple[Floats, Floats, Floats]:
    """Return count, mean and standard deviation (ddof 1) of null effects (R, ...) over R, each (...).

    NaN effects are left out. The mean of none and the standard deviation of fewer than two are NaN.
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


def null_p_value(
    effect: Floats,
    null: Floats,
    *,
    two_sided: bool,
    extra: Floats | float = 0.0,
    extra_freedom: Floats | float = 1.0,
) -> Floats:
    """Return the p value of an effect under the null distribution of random directions.

        p = 1 - T_f( (m - m0) / sqrt(s0^2 (1 + 1/R) + extra) )

    m is the effect, m0 and s0 are mean and standard deviation of the R defined null effects, and T_f is the
    distribution function of Student's t with f = R - 1. This is Student's test of one more draw from the
    normal distribution of the null effects (method B). The paper has no null. A rank among R directions
    cannot fall below 1 / (R + 1), so it would not survive a correction for multiple tests; see
    `rank_p_value`.

    Args:
        effect: signed mean changes, any shape.
        null: signed mean changes of the null directions, (R, ...) with the same trailing shape.
        two_sided: whether a decrease counts as well.
        extra: estimated variance of m - m0 that s0 does not contain, at least 0. f is then that of
            Satterthwaite (1946) for the sum of the two variances; without extra it is R - 1.
        extra_freedom: degrees of freedom of `extra`.

    Returns:
        p values in the shape of `effect`; 1 where the null effects are all equal, NaN where the effect is
        undefined or fewer than LEAST_NULL null effects are defined.
    """
    count, centre, spread = null_moments(null)
    flat = spread <= 1e-9 * np.abs(centre)  # rounding may keep equal numbers a little apart
    known, freedom = np.maximum(count, 1.0), np.maximum(count - 1.0, 1.0)
    deviation = np.hypot(np.where(flat, 1.0, spread) * np.sqrt(1.0 + 1.0 / known), np.sqrt(extra))
    score = (effect - centre) / deviation
    share = (np.sqrt(extra) / deviation) ** 2
    freedom = 1.0 / ((1.0 - share) ** 2 / freedom + share**2 / extra_freedom)
    p = 2.0 * t_tail(np.abs(score), freedom) if two_sided else t_tail(score, freedom)
    return np.where(np.isnan(effect) | (count < LEAST_NULL), np.nan, np.where(flat, 1.0, p))


def rank_p_value(effect: Floats, null: Floats) -> Floats:
    """Return the rank of an effect among R defined null effects: (1 + number as large or larger) / (1 + R).

    It lies between 1 / (R + 1) and 1; NaN where the effect or every null effect is undefined.

    >>> float(rank_p_value(np.array(3.0), np.array([1.0, 2.0, 4.0, np.nan])))
    0.5
    """
    count, better = (~np.isnan(null)).sum(axis=0), (null >= effect).sum(axis=0)
    return np.where(np.isnan(effect) | (count == 0), np.nan, (better + 1.0) / (count + 1.0))


def benjamini_hochberg(p: Floats) -> Floats:
    """Return the q values of a family of p values (M,): Benjamini and Hochberg (1995).

    With p sorted, q_(i) = min over j >= i of M p_(j) / j. NaN stays NaN and does not count towards M.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if len(known):
        rising = known[np.argsort(p[known])]
        scaled = p[rising] * (len(known) / np.arange(1, len(known) + 1))
        q[rising] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def holm(p: Floats) -> Floats:
    """Correct a family of p values (M,) for the chance of any false rejection (Holm 1979).

    With p sorted, the i-th becomes the max over j <= i of (M - j + 1) p_(j), at most 1. NaN stays NaN and
    does not count towards M.

    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(3).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    corrected = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    ordered = known[np.argsort(p[known], kind="stable")]
    corrected[ordered] = np.minimum(np.maximum.accumulate(p[ordered] * np.arange(len(ordered), 0, -1)), 1.0)
    return corrected


def rank_correlation(a: Floats, b: Floats) -> tuple[float, float, float]:
    """Return Spearman's rank correlation of two score vectors (M,), with low and high of its 95 % interval.

    The interval is tanh(artanh(r) -+ z sqrt((1 + r^2 / 2) / (M - 3))): Fisher's transformation with the
    variance of Bonett and Wright (2000). It is over other choices of the M ranked items. Pairs with a NaN are
    left out. All three are NaN with fewer than 5 pairs, and where either vector is constant.
    """
    known = ~(np.isnan(a) | np.isnan(b))
    x, y = mean_ranks(a[known]), mean_ranks(b[known])
    if len(x) < 5 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return np.nan, np.nan, np.nan
    r = float(np.corrcoef(x, y)[0, 1])
    centre = np.arctanh(np.clip(r, -1.0 + 1e-12, 1.0 - 1e-12))
    half = normal_quantile(0.975) * np.sqrt((1.0 + r**2 / 2.0) / (len(x) - 3.0))
    return r, float(np.tanh(centre - half)), float(np.tanh(centre + half))


def share_interval(share: float, count: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval (1927) of a share observed in n = `count` cases; NaN without cases.

        (share + z^2 / 2n -+ z sqrt(share (1 - share) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    >>> [round(bound, 3) for bound in share_interval(0.5, 100)]
    [0.404, 0.596]
    """
    if not count > 0:
        return np.nan, np.nan
    z = normal_quantile(0.5 + confidence / 2.0)
    centre = (share + z**2 / (2.0 * count)) / (1.0 + z**2 / count)
    half = z / (1.0 + z**2 / count) * np.sqrt(share * (1.0 - share) / count + z**2 / (4.0 * count**2))
    return float(centre - half), float(centre + half)
