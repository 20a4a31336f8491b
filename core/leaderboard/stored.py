"""Read what a leaderboard kept of its learners: their directions, and what moving along them changes.

Shapes: B concepts, T steps, K samples.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UserError, nearest
from ..messages import listed
from ..plugins.boundary import STYLES, Boundaries
from ..probing.concept_stats import spread_of
from ..statistics import mean_interval, sample_means
from ..storage.disk import read_bytes
from ..storage.kept_results import Store
from ..storage.paths import why_no_file
from ..storage.result_folder import faults_of, read_index
from .comparison import learner_file, learner_from_store

INDEX, COMPUTED, CONCEPTS = "leaderboard.json", "computed", "concepts.csv"
AGAIN = "run the command again that wrote the folder, which mends it"
CLOSE = 1e-4  # in sd: what a table rounds away
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StoredLearner:
    """Hold a learner of a leaderboard.

    Attributes:
        label: its name with options.
        supervised: whether it used scores.
        boundaries: of each concept, (B,).
        changes: mean change of every concept along every direction at every step, in sd, (B, T, B).
        low, high: 95 % interval of the change of a direction's own concept, (B, T).
    """

    label: str
    supervised: bool
    boundaries: Boundaries
    changes: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class StoredBoard:
    """Hold the learners of a leaderboard.

    Attributes:
        learners: those that were compared.
        concepts: names of the B concepts.
        steps: T steps, rising, 0 among them, in units of `spread`.
        spread: length of a step: standard deviation of w, or in space s of the styles.
        space: w or s.
    """

    learners: tuple[StoredLearner, ...]
    concepts: tuple[str, ...]
    steps: tuple[float, ...]
    spread: float
    space: str

    def learner(self, label: str) -> StoredLearner:
        """Return a learner by its label.

        Raises:
            UserError: there is none.
        """
        labels = [learner.label for learner in self.learners]
        if label not in labels:
            raise UserError(f"the leaderboard has no learner '{label}'.{nearest(label, labels)}")
        return self.learners[labels.index(label)]


def read_board(folder: Path) -> StoredBoard:
    """Read the learners of a leaderboard.

    Args:
        folder: that `ganstrata leaderboard` wrote.

    Raises:
        UserError: there is no leaderboard, or it is not finished.
        DataError: files are damaged, or what was kept is of another comparison than the tables.
    """
    file = folder / INDEX
    if not file.is_file():
        raise UserError(f"{folder} is not a folder of a leaderboard: {INDEX}: {why_no_file(file)}")
    try:
        index = read_index(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is damaged: {error}; {AGAIN}") from None
    if index.get("finished") is not True:
        raise UserError(f"{folder}: the leaderboard is unfinished; run the same command again, which goes on")
    if faults := [name for name in faults_of(folder, INDEX) if name in (INDEX, CONCEPTS)]:
        raise DataError(f"{folder}: changed or missing since it was written: {listed(faults)}; {AGAIN}")
    store = Store(folder / COMPUTED)
    try:
        return _board(store, index, _targets(read_bytes(folder / CONCEPTS)), folder)
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{folder}: what was kept of the comparison is damaged ({error}); {AGAIN}") from None


def _board(
    store: Store, index: Mapping[str, Any], targets: Mapping[tuple[str, str], float], folder: Path
) -> StoredBoard:
    settings = index["settings"]
    steps = tuple(sorted({0.0, *map(float, settings["steps"])}))
    drawn = store.get("samples", None)
    if drawn is None:
        raise DataError(f"{folder}: the samples of the comparison are not kept there any more; {AGAIN}")
    styles = settings.get("space") == STYLES
    latents = drawn.arrays["styles" if styles else "w"][: drawn.facts["count"]]
    learners = [_learner(store, label, used, folder) for label, used in index["supervised"].items()]
    for learner in learners:
        _check(learner, targets, len(steps), folder)
    concepts = tuple(boundary.concept for boundary in learners[0].boundaries)
    space = STYLES if styles else "w"
    return StoredBoard(tuple(learners), concepts, steps, spread_of(latents), space)


def _learner(store: Store, label: str, supervised: bool, folder: Path) -> StoredLearner:
    stored = store.get(learner_file(label), None)
    if stored is None:
        raise DataError(f"{folder}: what was kept of the learner {label} is missing or damaged; {AGAIN}")
    found, moved = learner_from_store(stored.arrays, stored.facts)
    count = len(found.boundaries)
    changes = moved.changes[..., :count].astype(np.float64)  # (B, T, K, B)
    own = changes[np.arange(count), :, :, np.arange(count)]  # (B, T, K)
    low, high = _interval(own)
    means = sample_means(np.moveaxis(changes, 2, 3))  # (B, T, B)
    return StoredLearner(label, bool(supervised), found.boundaries, means, low, high)


def _interval(changes: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % interval of the mean of changes (..., K); NaN where fewer than two are known."""
    valid = ~np.isnan(changes)
    count, mean = valid.sum(axis=-1), sample_means(changes)
    apart = np.where(valid, changes - mean[..., None], 0.0)
    known = count > 1
    variance = (apart**2).sum(axis=-1) / np.where(known, count - 1, 1)
    error = np.where(known, np.sqrt(variance / np.maximum(count, 1)), np.nan)
    return mean_interval(mean, error, count)


def _check(
    learner: StoredLearner, targets: Mapping[tuple[str, str], float], steps: int, folder: Path
) -> None:
    """Refuse what was kept of another comparison, such as one that was interrupted since.

    Raises:
        DataError: its effects are not those of the table.
    """
    kept = [float(learner.changes[b, -1, b]) for b in range(len(learner.boundaries))]
    told = [targets.get((learner.label, boundary.concept), np.nan) for boundary in learner.boundaries]
    same = np.allclose(kept, told, atol=CLOSE, rtol=CLOSE, equal_nan=True)
    if learner.changes.shape[1] != steps or not same:
        raise DataError(
            f"{folder}: what is kept of the learner {learner.label} is of another comparison than the "
            f"tables; {AGAIN}"
        )


def _targets(content: bytes) -> dict[tuple[str, str], float]:
    """Return the effect of each learner and concept, as the table has it."""
    rows = csv.DictReader(io.StringIO(content.decode()))
    return {(row["learner"], row["concept"]): float(row["target"] or "nan") for row in rows}


def step_for(effect: float, steps: Sequence[float], effects: Floats) -> float | None:
    """Return the smallest step forwards at which an effect is reached, between measured steps in proportion.

    Args:
        effect: wanted, above 0.
        steps: (T,), rising, 0 among them.
        effects: at each of them, (T,), 0 at the step 0.

    Returns:
        The step; None if no measured step reaches the effect.

    >>> steps, effects = [-1.0, 0.0, 1.0, 2.0], np.array([-0.5, 0.0, 0.4, 0.8])
    >>> step_for(0.5, steps, effects), step_for(0.9, steps, effects)
    (1.25, None)
    """
    before, at = 0.0, 0.0
    for step, reached in zip(steps, effects, strict=True):
        if step <= 0.0:
            continue
        if reached >= effect:
            return float(at + (step - at) * (effect - before) / (reached - before))
        before, at = float(reached), float(step)
    return None
