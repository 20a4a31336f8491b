"""Say in words what re-scoring took: how many samples were moved where, and how much work that saved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..boundaries.learning_variance import replicate_samples
from ..config.schema import Rescoring
from ..decimals import percent, significant
from ..rescoring.interim import layer_looks, look_sizes
from ..rescoring.results import Effects
from ..runs.manifest import Work
from ..runs.progress import duration


def sampling(effects: Effects, config: Rescoring, batch: int, work: Work | None) -> list[str]:
    """Return sentences for the report.

    Args:
        effects: effects of the run.
        config: config of re-scoring.
        batch: images in a batch.
        work: computing work of re-scoring; None if unknown.
    """
    sentences = []
    if config.adaptive:
        step, looks = look_sizes(config.samples, config.looks, batch)
        sentences.append(f"Sampling stopped early, in looks of {_listed([str(n) for n in looks])} samples.")
        everywhere = np.arange(len(effects.sets)) == effects.all_set
        sentences.append(f"At all layers {_stops(effects.used[:, everywhere], looks, 'boundaries')}.")
        if not everywhere.all():
            looks = layer_looks(config.samples, step)
            stops = _stops(effects.used[:, ~everywhere], looks, "pairs of boundary and set")
            sentences.append(f"At the other layer sets {stops}.")
    else:
        sentences.append(f"All {config.samples} samples were moved along every direction at every layer set.")
    again = int((effects.replicates > 0).sum())
    if again:
        moved = (
            "half of its samples, 32 at least"
            if config.adaptive
            else f"{replicate_samples(config.samples, batch)} of the samples"
        )
        replaced = "one boundary" if again == 1 else f"each of {again} boundaries"
        sentences.append(
            f"In place of {replaced}, the boundaries of {config.learning_resamples} resamplings "
            f"were applied at all layers to {moved}."
        )
    if work is not None:
        first = (
            f"{percent(work.done / work.full, 0)} of the work of moving all samples, and "
            if config.adaptive
            else ""
        )
        amount = f"{significant(work.done, 3)} {work.unit}" if work.unit == "FLOPs" else duration(work.done)
        resamplings = ", but has no resamplings" if again else ""
        sentences.append(
            f"Generator and scorers did {amount} of work: {first}{percent(work.done / work.naive, 0)} "
            "of what the paper's code would do, which makes the unedited samples anew for every direction, "
            f"and every edited image in a full pass{resamplings}."
        )
    return sentences


def _stops(used: NDArray[np.int64], looks: Sequence[int], what: str) -> str:
    """Say how many stopped at which interim analysis, as `2 of 13 boundaries stopped at 16, 11 at 128`."""
    counts = [(int((used == look).sum()), look) for look in looks]
    (count, look), *rest = [(count, look) for count, look in counts if count]
    return ", ".join(
        [f"{count} of {used.size} {what} stopped at {look}", *(f"{n} at {at}" for n, at in rest)]
    )


def _listed(words: Sequence[str]) -> str:
    """Join words as `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
