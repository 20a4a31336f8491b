"""Hold several scorers of one concept against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..statistics import resampled_means, sample_means
from .estimates import Chance, Estimate, chance_of, estimate
from .metrics.judges import rank_agreement, sign_agreement

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Hold how several judges of one concept agree.

    Attributes:
        names: concepts that mean the same, by J scorers.
        effects: by learner and judge, (E, J), in sd of each judge's scores.
        ranks: rank correlation over learners; one number with its interval over samples.
        signs: share of learners whose effect has one sign by all judges.
        chance_ranks: the same over random directions instead of learners.
        chance_signs: the same.
    """

    names: tuple[str, ...]
    effects: Floats
    ranks: Estimate
    signs: Estimate
    chance_ranks: Chance
    chance_signs: Chance


def judged(
    names: tuple[str, ...],
    changes: Mapping[str, Floats],
    null: Floats,
    columns: Sequence[int],
    weights: Floats,
) -> Judged:
    """Compute how judges of a concept agree on the effects of learners on it.

    Args:
        names: the concepts, J of them.
        changes: by learner, changes at the last step along the concept's direction, (K, C).
        null: along random directions, (M, K, C).
        columns: columns of the J concepts.
        weights: how often each sample counts, (R, K).
    """
    own = np.stack([change[:, list(columns)] for change in changes.values()])  # (E, K, J)
    by_learner = np.moveaxis(own, 1, 2)
    effects = sample_means(by_learner)  # (E, J)
    drawn = resampled_means(by_learner, weights)  # (R, E, J)
    random = resampled_means(np.moveaxis(null[:, :, list(columns)], 1, 2), weights)  # (R, M, J)
    ranks, signs = (
        estimate(np.array([agreement(effects)]), np.array([[agreement(one)] for one in drawn]), bounds)
        for agreement, bounds in ((rank_agreement, (-1.0, 1.0)), (sign_agreement, (0.0, 1.0)))
    )
    return Judged(
        names,
        effects,
        ranks,
        signs,
        chance_of(np.array([rank_agreement(one) for one in random])),
        chance_of(np.array([sign_agreement(one) for one in random])),
    )
