"""Which share of the votes each choice gets, with intervals over raters and strips. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Choices = NDArray[np.int64]

MISSING = -1


@dataclass(frozen=True)
class Shares:
    """Shares of the votes on one set of strips, an entry per choice (C,), with a 95 % interval.

    Attributes:
        votes: how many votes there are.
    """

    value: Floats
    low: Floats
    high: Floats
    votes: int


def shares(choices: Choices, strata: Sequence[str], count: int) -> Shares:
    """Shares of choices (R, Q) of R raters on Q strips; entries are 0 .. count - 1, or MISSING.

    Raters and strips are both samples of more that could have been asked and shown. The variance is that
    of drawing both again, V = V_raters + V_strips - V_votes, in closed form (Cameron, Gelbach, Miller,
    Journal of Business and Economic Statistics 29, 2011). A bootstrap that draws both in one go counts the
    chance of single votes three times (Owen, Annals of Applied Statistics 1, 2007). The interval is
    Wilson's, with as many votes as would have this variance if they were independent, and Student's
    quantile, so that few raters or strips count as few.

    Args:
        choices: of each rater on each strip.
        strata: the concept of each strip (Q,): the concepts are those that were asked about, strips vary within them.
        count: of choices.
    """
    known = choices != MISSING
    votes = int(known.sum())
    if votes == 0:
        blank = np.full(count, np.nan)
        return Shares(blank, blank, blank, 0)
    raters, strips = known.any(axis=1), known.any(axis=0)
    choices, known = choices[np.ix_(raters, strips)], known[np.ix_(raters, strips)]
    made = (choices[:, :, None] == np.arange(count)).astype(np.float64)  # (R, Q, C)
    value = made.sum(axis=(0, 1)) / votes
    groups = _strata([stratum for stratum, kept in zip(strata, strips, strict=True) if kept])
    variance, freedom = _variance((made - value) * known[..., None] / votes, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(variance > 0.0, value * (1.0 - value) / variance, votes)
    effective = np.clip(effective, 1.0, votes)
    t = stats.t.ppf(0.975, freedom)
    spread = t * np.sqrt(value * (1.0 - value) / effective + (t / (2.0 * effective)) ** 2)
    centre, whole = value + t**2 / (2.0 * effective), 1.0 + t**2 / effective
    low, high = (np.clip((centre + sign * spread) / whole, 0.0, 1.0) for sign in (-1.0, 1.0))
    return Shares(value, low, high, votes)


def _strata(names: Sequence[str]) -> list[NDArray[np.int64]]:
    """Columns of each concept; all together where one concept has a single strip, which could not vary by itself."""
    groups = [np.flatnonzero([name == stratum for name in names]) for stratum in dict.fromkeys(names)]
    return groups if all(len(group) > 1 for group in groups) else [np.arange(len(names))]


def _variance(rest: Floats, groups: Sequence[NDArray[np.int64]]) -> tuple[Floats, Floats]:
    """Variance (C,) of shares and its degrees of freedom (C,), from what each vote adds to them, (R, Q, C)."""
    width = rest.shape[2]
    by_raters = _scatter(rest.sum(axis=1))
    by_strips = sum((_scatter(rest[:, group].sum(axis=0)) for group in groups), np.zeros(width))
    by_votes = sum((_scatter(rest[:, group].reshape(-1, width)) for group in groups), np.zeros(width))
    # Satterthwaite's: each part with the degrees of freedom that it was estimated with.
    raters, strips = max(len(rest) - 1, 1), max(sum(len(group) - 1 for group in groups), 1)
    parts = by_raters**2 / raters + by_strips**2 / strips
    freedom = np.where(parts > 0.0, (by_raters + by_strips) ** 2 / np.where(parts > 0.0, parts, 1.0), 1e6)
    return np.maximum(by_raters + by_strips - by_votes, by_votes), np.clip(freedom, 1.0, 1e6)


def _scatter(sums: Floats) -> Floats:
    """N / (N - 1) times the squares about the mean of (N, C), summed; zero for one."""
    n = len(sums)
    if n < 2:
        return np.zeros(sums.shape[1])
    return np.asarray(((sums - sums.mean(axis=0)) ** 2).sum(axis=0) * n / (n - 1))
