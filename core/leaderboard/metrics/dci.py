"""Compute DCI: disentanglement, completeness and informativeness of the projections on directions."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.linear_model import lars_path_gram

from ...statistics import resampled_means

Floats = NDArray[np.float64]
EQUAL = 1e-6  # correlations less than this from 1 are those of one code with itself
STANDARD_ERRORS = 2.0  # correlations below so many standard errors of none get no weight


def weights_of_codes(codes: Floats, factors: Floats, counts: Floats | None = None) -> Floats:
    """Fit every factor by a lasso on the codes, and return its coefficients between standardised quantities.

    The penalty is 2 / sqrt(N): a code whose partial correlation with a factor is below two standard errors of
    a correlation of nothing gets the coefficient 0.

    Args:
        codes: projections of N samples on B directions, (N, B).
        factors: scores of C concepts, (N, C); NaN is left out.
        counts: how often each sample counts, (N,); once by default.

    Returns:
        (B, C); 0 where a code does not vary or repeats one before, or a factor does not vary or is never
        defined.
    """
    counts = np.ones(len(codes)) if counts is None else counts
    columns, kept = [], distinct(codes)
    for factor in factors.T:
        weight = counts * ~np.isnan(factor)
        if not weight.any():
            columns.append(np.zeros(codes.shape[1]))
            continue
        x = standardised(codes[:, kept], weight)
        y = standardised(np.where(np.isnan(factor), 0.0, factor)[:, None], weight)
        total = weight.sum()
        penalty = STANDARD_ERRORS / np.sqrt(total)
        # Parameters are right, and checking them takes longer than the fit.
        with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
            warnings.simplefilter("ignore")  # directions may be nearly alike
            *_, path = lars_path_gram(
                Xy=(x * weight[:, None]).T @ y[:, 0],
                Gram=(x * weight[:, None]).T @ x,
                n_samples=int(total),
                alpha_min=penalty,
                method="lasso",
            )
        column = np.zeros(codes.shape[1])
        column[kept] = path[:, -1]
        columns.append(column)
    return np.stack(columns, axis=1)


def distinct(codes: Floats) -> NDArray[np.int64]:
    """Return the positions of the codes (N, B) that repeat none before, whichever way round, and vary.

    A direction that stands for several concepts gives equal codes, at which the path of a lasso may break.
    """
    x = standardised(codes, np.ones(len(codes)))
    alike = np.abs(np.tril(x.T @ x / len(x), -1)) > 1.0 - EQUAL  # (B, B)
    return np.flatnonzero(~alike.any(axis=1) & (x != 0.0).any(axis=0))


def standardised(values: Floats, weight: Floats) -> Floats:
    """Return columns (N, B) with weighted mean 0 and variance 1; 0 for a column that does not vary."""
    mean, spread = _mean_and_spread(values, weight)
    return np.asarray((values - mean) / np.where(spread > 0.0, spread, np.inf))


def _mean_and_spread(values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return weighted mean and standard deviation of columns (N, B), each (B,)."""
    mean = weight @ values / weight.sum()
    return mean, np.sqrt(weight @ (values - mean) ** 2 / weight.sum())


def disentanglement(importance: Floats) -> float:
    """Compute how exclusively codes speak of one factor each.

        D = sum_i rho_i (1 - H(P_i.)),    P_ij = R_ij / sum_j R_ij,    rho_i = sum_j R_ij / sum R

    H has the base C, so that D is 1 if every code is important to one factor alone, and 0 if to all alike
    (Eastwood and Williams, A framework for the quantitative evaluation of disentangled representations,
    2018).

    Args:
        importance: R (B, C) of code i for factor j, at least 0.

    Returns:
        From 0 to 1; NaN if no code is important, or there is one factor.

    >>> disentanglement(np.eye(3)), round(disentanglement(np.ones((3, 3))), 6)
    (1.0, 0.0)
    """
    total = importance.sum()
    if not total > 0.0 or importance.shape[1] < 2:
        return float("nan")
    rows = importance.sum(axis=1)
    share = importance / np.where(rows > 0.0, rows, 1.0)[:, None]
    logarithm = np.log(np.where(share > 0.0, share, 1.0)) / np.log(importance.shape[1])
    return float(rows / total @ (1.0 + (share * logarithm).sum(axis=1)))


def completeness(importance: Floats) -> float:
    """Compute how exclusively factors are spoken of by one code each: `disentanglement` of R transposed."""
    return disentanglement(importance.T)


def informativeness(codes: Floats, factors: Floats, fresh: tuple[Floats, Floats], weights: Floats) -> Floats:
    """Compute how well the lasso of `weights_of_codes` predicts each factor on fresh samples.

        I = 1 - sum (y - prediction)^2 / sum (y - mean)^2

    The source reports the error; this is 1 less the error's share of the variance. Samples with an undefined
    factor are left out of its fit and of its judgement.

    Args:
        codes: (N, B), to fit.
        factors: (N, C), to fit.
        fresh: codes (N', B) and factors (N', C), to judge.
        weights: how often each fresh sample counts, (R, N').

    Returns:
        (R, C); below 0 where the prediction is worse than the mean, NaN where the factor does not vary.
    """
    coefficients, (new, truth) = weights_of_codes(codes, factors), fresh
    predicted, middle = np.full(truth.shape, np.nan), np.zeros(truth.shape[1])
    for j, factor in enumerate(factors.T):
        known = ~np.isnan(factor)
        if known.any():
            # As the lasso had them: where a factor is defined may depend on the codes.
            each = known.astype(np.float64)
            centre, inside = _mean_and_spread(codes, each)
            mean, spread = _mean_and_spread(np.where(known, factor, 0.0)[:, None], each)
            within = (new - centre) / np.where(inside > 0.0, inside, np.inf)
            predicted[:, j] = mean + spread * (within @ coefficients[:, j])
            middle[j] = float(mean[0])
    error = resampled_means(((truth - predicted) ** 2).T, weights)  # (R, C)
    about_middle = (truth - middle).T  # so that no digits cancel
    about = resampled_means(about_middle**2, weights) - resampled_means(about_middle, weights) ** 2
    return np.where(about > 0.0, 1.0 - error / np.where(about > 0.0, about, 1.0), np.nan)
