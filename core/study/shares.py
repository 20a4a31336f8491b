"""Compute the share of the votes for each choice, with intervals over raters and strips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..distributions import t_quantile

Floats = NDArray[np.float64]
Choices = NDArray[np.int64]

MISSING = -1


@dataclass(frozen=True)
class Shares:
    """Hold the shares of the votes for C choices.

    Attributes:
        value, low, high: share and its 95 % interval, (C,); NaN without votes.
        votes: number of votes.
    """

    value: Floats
    low: Floats
    high: Floats
    votes: int


def shares(choices: Choices, concepts: Sequence[str], count: int) -> Shares:
    """Compute the shares of C choices from the votes of R raters on Q strips.

    Raters and strips are both samples of larger populations. The variance of a share is
    V = V_raters + V_strips - V_votes (Cameron, Gelbach and Miller, Journal of Business and Economic
    Statistics 29, 2011); a bootstrap over both at once would count the variance of single votes three times
    (Owen, Annals of Applied Statistics 1, 2007). The interval of a share p is Wilson's with Student's
    quantile t, for the number n of independent votes that would have the same variance:

        (p + t^2 / 2n -+ t sqrt(p (1 - p) / n + t^2 / 4n^2)) / (1 + t^2 / n),    n = p (1 - p) / V

    Args:
        choices: choice of each rater on each strip, 0 to count - 1, or MISSING, (R, Q).
        concepts: concept of each strip, (Q,); concepts are fixed, and strips are sampled within them.
        count: number of choices.
    """
    known = choices != MISSING
    votes = int(known.sum())
    if votes == 0:
        blank = np.full(count, np.nan)
        return Shares(blank, blank, blank, 0)
    raters, strips = known.any(axis=1), known.any(axis=0)
    choices, known = choices[np.ix_(raters, strips)], known[np.ix_(raters, strips)]
    votes_for = (choices[:, :, None] == np.arange(count)).astype(np.float64)  # (R, Q, C)
    value = votes_for.sum(axis=(0, 1)) / votes
    groups = _strips_by_concept([name for name, voted in zip(concepts, strips, strict=True) if voted])
    variance, freedom = _variance((votes_for - value) * known[..., None] / votes, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(variance > 0.0, value * (1.0 - value) / variance, votes)
    effective = np.clip(effective, 1.0, votes)
    t = t_quantile(0.975, freedom)
    spread = t * np.sqrt(value * (1.0 - value) / effective + (t / (2.0 * effective)) ** 2)
    centre, whole = value + t**2 / (2.0 * effective), 1.0 + t**2 / effective
    low, high = (np.clip((centre + sign * spread) / whole, 0.0, 1.0) for sign in (-1.0, 1.0))
    return Shares(value, low, high, votes)


def _strips_by_concept(names: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return the columns of each concept; all columns as one group if any concept has a single strip."""
    groups = [np.flatnonzero([name == concept for name in names]) for concept in dict.fromkeys(names)]
    return groups if all(len(group) > 1 for group in groups) else [np.arange(len(names))]


def _variance(contributions: Floats, groups: Sequence[NDArray[np.int64]]) -> tuple[Floats, Floats]:
    """Compute the variance of the shares and its degrees of freedom, (C,) each.

    Args:
        contributions: contribution of each vote to each share, centred, (R, Q, C).
        groups: columns of each concept.
    """
    width = contributions.shape[2]
    by_raters = _scatter(contributions.sum(axis=1))
    by_strips = sum((_scatter(contributions[:, group].sum(axis=0)) for group in groups), np.zeros(width))
    by_votes = sum(
        (_scatter(contributions[:, group].reshape(-1, width)) for group in groups), np.zeros(width)
    )
    # Satterthwaite's approximation: each part has the degrees of freedom of its own estimate.
    raters, strips = max(len(contributions) - 1, 1), max(sum(len(group) - 1 for group in groups), 1)
    parts = by_raters**2 / raters + by_strips**2 / strips
    freedom = np.where(parts > 0.0, (by_raters + by_strips) ** 2 / np.where(parts > 0.0, parts, 1.0), 1e6)
    return np.maximum(by_raters + by_strips - by_votes, by_votes), np.clip(freedom, 1.0, 1e6)


def _scatter(sums: Floats) -> Floats:
    """Return N / (N - 1) times the sum of squares about the mean of (N, C); zero for N = 1."""
    n = len(sums)
    if n < 2:
        return np.zeros(sums.shape[1])
    return np.asarray(((sums - sums.mean(axis=0)) ** 2).sum(axis=0) * n / (n - 1))
