"""Learns every boundary again from resampled samples, to see how far it depends on them (method B)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..plugins.records import Boundaries
from ..probing.concept_stats import spread_of
from .learning_variance import resampled_rows
from .relearnt import Resampled

Learn = Callable[[NDArray[np.int64], int], tuple[Boundaries, Mapping[str, str]]]
"""Rows to learn from (N,), some of them several times, and a seed: boundaries, and why others could not be learnt."""


@dataclass
class Missing:
    """How many resamplings did not give a boundary, and why the last of them did not."""

    resamplings: int = 0
    reason: str = ""


@dataclass
class Relearnt:
    """What the resamplings gave, and what they did not, by the boundary's name."""

    resampled: Resampled
    missing: dict[str, Missing] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, dict[str, int | str]]:
        """For run.json."""
        return {
            name: {"resamplings": missing.resamplings, "reason": missing.reason}
            for name, missing in self.missing.items()
        }


def learn_again(
    learn: Learn,
    boundaries: Boundaries,
    w: NDArray[np.float32],
    *,
    count: int,
    seed: int,
    done: Callable[[], None],
) -> Relearnt:
    """Learn from `count` resamplings of the samples what `boundaries` were learnt from all of them.

    Args:
        learn: the run's learner on these rows.
        boundaries: of all samples, conditional directions included: what is looked for.
        w: of all samples, (N, D); its spread is measured anew in each resampling.
        count: M.
        seed: of the resamplings.
        done: called after each.
    """
    normals = np.full((count, len(boundaries), *boundaries[0].normal.shape), np.nan, dtype=np.float32)
    spreads = np.empty(count)
    relearnt = Relearnt(Resampled(normals, spreads))
    for m in range(count):
        rows, learner_seed = resampled_rows(len(w), seed, m)
        spreads[m] = spread_of(w[rows])
        found, refused = learn(rows, learner_seed)
        for i, boundary in enumerate(boundaries):
            if boundary.name in found.names:
                normals[m, i] = found.of(boundary.name).normal
            if not np.isfinite(normals[m, i]).all():
                missing = relearnt.missing.setdefault(boundary.name, Missing())
                missing.resamplings += 1
                missing.reason = (
                    refused.get(boundary.name)
                    or refused.get(boundary.concept)
                    or "the learner gave no finite normal"
                )
        done()
    return relearnt
