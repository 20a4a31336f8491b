"""Learn each boundary again from bootstrap resamples of its samples (method B)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..plugins.boundary import Boundaries
from ..probing.concept_stats import spread_of
from ..runs.manifest import NotRelearnt
from ..storage.rows import Rows, with_rows
from .learning_variance import resampled_rows
from .resampled import Resampled

Learn = Callable[[NDArray[np.int64], int], tuple[Boundaries, Mapping[str, str]]]
"""Learn from rows (N,) with a seed; return the boundaries, and a dict name -> reason of failure."""


@dataclass
class Relearnt:
    """Hold boundaries learnt from resamples, and the failures.

    Attributes:
        resampled: normals and spreads.
        missing: name of a boundary -> its failures; boundaries without failures are left out.
    """

    resampled: Resampled
    missing: dict[str, NotRelearnt] = field(default_factory=dict)


def learn_again(
    learn: Learn,
    boundaries: Boundaries,
    latents: Rows,
    *,
    count: int,
    seed: int,
    done: Callable[[], None],
) -> Relearnt:
    """Learn each boundary again from M resamples.

    Args:
        learn: calls the run's learner on rows of the samples.
        boundaries: learnt from all samples, conditional directions included.
        latents: w of all samples (N, D), or their styles (N, S) where boundaries lie in s; the spread is
            computed again for each resample.
        count: M.
        seed: seed of the resampling.
        done: called after each resample.

    Returns:
        Normals (M, B, D), (M, B, L, D) or (M, B, S) and spreads (M,); a normal is NaN where learning failed.
    """
    normals = np.full((count, len(boundaries), *boundaries[0].normal.shape), np.nan, dtype=np.float32)
    spreads = np.empty(count)
    relearnt = Relearnt(Resampled(normals, spreads))
    for m in range(count):
        rows, learner_seed = resampled_rows(latents.shape[0], seed, m)
        spreads[m] = spread_of(with_rows(latents, rows))
        replicates, refused = learn(rows, learner_seed)
        for i, boundary in enumerate(boundaries):
            if boundary.name in replicates.names:
                normals[m, i] = replicates.of(boundary.name).normal
            if not np.isfinite(normals[m, i]).all():
                before = relearnt.missing.get(boundary.name)
                reason = (
                    refused.get(boundary.name)
                    or refused.get(boundary.concept)
                    or "the learner gave no finite normal"
                )
                relearnt.missing[boundary.name] = NotRelearnt(
                    resamplings=1 if before is None else before.resamplings + 1, reason=reason
                )
        done()
    return relearnt
