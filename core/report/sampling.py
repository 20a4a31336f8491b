"""What re-scoring took, in words: how many samples were used where, and the work in shares of the full and of the naive order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import replicate_samples
from ..config.schema import Rescoring
from ..rescoring.interim import look_sizes
from ..rescoring.results import Effects


def sampling(rescored: Effects, config: Rescoring, batch: int, work: dict[str, Any] | None) -> list[str]:
    """Sentences for the report.

    Args:
        rescored: of the run.
        config: of re-scoring.
        batch: of the run, in images.
        work: as core.rescoring.cost counts it; None where it was not.
    """
    said = []
    if config.adaptive:
        _, looks = look_sizes(config.samples, config.looks, batch)
        said.append(f"Sampling stopped early, in looks of {_listed([str(n) for n in looks])} samples.")
        everywhere = np.arange(len(rescored.sets)) == rescored.all_set
        said.append(f"At all layers {_stops(rescored.used[:, everywhere], looks, 'boundaries')}.")
        if not everywhere.all():
            said.append(
                f"At the other layer sets {_stops(rescored.used[:, ~everywhere], looks, 'pairs of boundary and set')}."
            )
    else:
        said.append(f"All {config.samples} samples were moved along every direction at every layer set.")
    again = int((rescored.replicates > 0).sum())
    if again:
        moved = (
            "half of its samples, 32 at least"
            if config.adaptive
            else f"{replicate_samples(config.samples, batch)} of the samples"
        )
        replaced = "one boundary" if again == 1 else f"each of {again} boundaries"
        said.append(
            f"In place of {replaced}, what {config.learning_resamples} resamplings gave was moved at all layers on {moved}."
        )
    if work is not None:
        first = (
            f"{100.0 * work['done'] / work['full']:.0f} % of the work of moving all samples, and "
            if config.adaptive
            else ""
        )
        amount = (
            f"{work['done']:.3g} {work['unit']}" if work["unit"] == "FLOPs" else f"{work['done']:.3g} seconds"
        )
        said.append(
            f"Generator and scorers did {first}{100.0 * work['done'] / work['naive']:.0f} % of the work of the naive order ({amount})."
        )
    return said


def _stops(used: NDArray[np.int64], looks: Sequence[int], what: str) -> str:
    """`2 of 13 boundaries stopped at 16, 11 at 128`."""
    found = [(int((used == look).sum()), look) for look in looks]
    (count, look), *rest = [(count, look) for count, look in found if count]
    return ", ".join(
        [f"{count} of {used.size} {what} stopped at {look}", *(f"{n} at {at}" for n, at in rest)]
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
