"""Compute how far independent judges of one concept agree on the effects of learners."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...distributions import mean_ranks

Floats = NDArray[np.float64]
FEWEST = 3  # ranked items; with two, a rank correlation is -1 or 1


def rank_agreement(effects: Floats) -> float:
    """Return Spearman's rank correlation of the effects by two judges, averaged over pairs of judges.

    Args:
        effects: of E learners by J judges, (E, J); learners without an effect by every judge are left out.

    Returns:
        From -1 to 1; NaN with fewer than 3 learners, or where a judge gives all the same effect.

    >>> rank_agreement(np.array([[0.1, 1.0], [0.2, 2.0], [0.3, 5.0]]))
    1.0
    """
    known = effects[~np.isnan(effects).any(axis=1)]
    if len(known) < FEWEST or (np.ptp(known, axis=0) == 0.0).any():
        return float("nan")
    ranks = mean_ranks(known, axis=0)
    return float(np.mean([np.corrcoef(ranks[:, a], ranks[:, b])[0, 1] for a, b in _pairs(effects)]))


def sign_agreement(effects: Floats) -> float:
    """Return the share of learners whose effect has the same sign by every judge, from effects (E, J).

    >>> sign_agreement(np.array([[0.1, 1.0], [0.2, -2.0]]))
    0.5
    """
    known = effects[~np.isnan(effects).any(axis=1)]
    if not len(known):
        return float("nan")
    return float(((known > 0.0).all(axis=1) | (known < 0.0).all(axis=1)).mean())


def _pairs(effects: Floats) -> list[tuple[int, int]]:
    return list(combinations(range(effects.shape[1]), 2))
