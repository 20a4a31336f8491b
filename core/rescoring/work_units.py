"""Plan the units of work of the stage `rescore`, and the arrays for their results. No mathematics."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..boundaries.files import FILES
from ..boundaries.learning_variance import replicate_samples
from ..boundaries.null_directions import NULL_FILE
from ..boundaries.resampled import RESAMPLED_FILE, Resampled
from ..boundaries.targets import ways_of_choice
from ..plugins.boundary import Boundaries
from ..runs.prepare import Prepared
from ..runs.run import Run
from ..storage.disk import file_hash
from ..storage.shards import Shards
from .adaptive import DECIDING, RESAMPLED, Design, rounds
from .effects import moved_backwards
from .interim import look_sizes
from .results import concept_units
from .sums import FIELDS


@dataclass(frozen=True)
class Unit:
    """Represent one batch of verification samples moved along one direction at some layer sets; plain data.

    Attributes:
        path: folder of the run.
        key: key of the directions, see `directions_key`.
        start: first sample of the batch.
        direction: position of the direction, boundaries first; for the part `resampled`, of the boundary that
            was learnt again.
        sets: positions of the layer sets.
        batch: samples in the batch.
        part: `resampled`, or with adaptive sampling the step it belongs to: `all` or `layers`.
        backward: whether a boundary is moved backwards too, for each of `sets`.
        moves: number of moves of the batch, for the count of images.
        first: whether the baseline of the batch counts as this unit's work.
    """

    path: str
    key: str
    start: int
    direction: int
    sets: tuple[int, ...]
    batch: int
    part: str
    backward: tuple[bool, ...]
    moves: int
    first: bool


def baselines(prepared: Prepared) -> int:
    """Return how often a sample's baseline is rendered: with adaptive sampling once for each step."""
    config = prepared.config.rescoring
    return 1 + (prepared.learning_resamples > 0) + (len(prepared.sets) > 1) if config.adaptive else 1


def backwards(prepared: Prepared) -> tuple[bool, ...]:
    """Return whether boundaries are moved backwards too, for each layer set, (S,)."""
    return moved_backwards(prepared.config.rescoring.backward, prepared.sets)


def images_needed(prepared: Prepared, boundaries: int) -> int:
    """Return the number of images that re-scoring renders and scores.

        K (1 + (B + R) S + B S') + K' M B

    K samples, B boundaries, R null directions, S layer sets, S' of them moved backwards too, and M boundaries
    learnt again for each boundary, which are moved on K' samples (method B). Adaptive sampling renders each
    baseline up to three times and may stop early; this is then the largest number possible.
    """
    rescoring = prepared.config.rescoring
    moves = (boundaries + rescoring.null_directions) * len(prepared.sets)
    moves += boundaries * sum(backwards(prepared))
    relearnt = replicate_samples(rescoring.samples, prepared.batch) * prepared.learning_resamples * boundaries
    return rescoring.samples * (baselines(prepared) + moves) + relearnt


def open_units(run: Run) -> Shards:
    """Open the arrays of this stage."""
    return Shards(run.path / "rescoring.zarr")


def directions_key(run: Run, prepared: Prepared) -> str:
    """Return a key of all that units depend on: the key of this stage, and the files with directions."""
    config = run.config.rescoring
    names = (
        *FILES,
        *[NULL_FILE] * (config.null == "permuted"),
        *[RESAMPLED_FILE] * (prepared.learning_resamples > 0),
    )
    return hashlib.sha256(
        " ".join([run.keys.stages["rescore"], *(file_hash(run.path / name) for name in names)]).encode()
    ).hexdigest()


def planned_units(run: Run, prepared: Prepared, boundaries: Boundaries) -> Iterator[list[Unit]]:
    """Yield lists of units. The caller must carry out each list before it asks for the next one.

    There is one list, or with adaptive sampling one per round.
    """
    config, path, key, sets = (
        prepared.config.rescoring,
        str(run.path),
        directions_key(run, prepared),
        tuple(range(len(prepared.sets))),
    )
    count, backward = len(boundaries), backwards(prepared)
    resampled = Resampled.load(run.path, boundaries) if prepared.learning_resamples else None
    relearnt = np.zeros(count, dtype=int) if resampled is None else resampled.learnt.sum(axis=0)  # (B,)
    if not config.adaptive:
        units: list[Unit] = []
        for start in range(0, config.samples, prepared.batch):
            for direction in range(count + config.null_directions):
                also = tuple(direction < count and back for back in backward)
                moves, first = len(sets) + sum(also), direction == 0
                units.append(Unit(path, key, start, direction, sets, prepared.batch, "", also, moves, first))
            units += [
                Unit(
                    path,
                    key,
                    start,
                    int(i),
                    (list(prepared.sets).index("all"),),
                    prepared.batch,
                    RESAMPLED,
                    (False,),
                    int(relearnt[i]),
                    first=False,
                )
                for i in np.flatnonzero(relearnt)
                if start < replicate_samples(config.samples, prepared.batch)
            ]
        yield units
        return
    own = np.array([column_of(prepared, boundary.concept) for boundary in boundaries])
    varies = np.array([concept.varies for concept in run.concepts])
    dilutions = None if resampled is None else resampled.dilutions(boundaries)
    design = Design.of(
        config,
        prepared.batch,
        own,
        varies,
        concept_units(run.concepts),
        list(prepared.sets),
        dilutions,
        ways_of_choice(boundaries),
    )
    for scheduled in rounds(design, open_units(run)):
        starts: set[int] = set()
        units = []
        for move in scheduled:
            start = move.start
            # No decision at `all` rests on backward steps, so few samples suffice.
            needed = move.direction < count and not (move.part == DECIDING and start >= design.backward)
            also = tuple(move.part != RESAMPLED and needed and backward[s] for s in move.sets)
            moves = int(relearnt[move.direction]) if move.part == RESAMPLED else len(move.sets) + sum(also)
            units.append(
                Unit(
                    path,
                    key,
                    start,
                    move.direction,
                    move.sets,
                    design.step,
                    move.part,
                    also,
                    moves,
                    first=start not in starts,
                )
            )
            starts.add(start)
        yield units


def images_of(prepared: Prepared, unit: Unit) -> int:
    """Return the number of images that a unit renders, including the baseline if it counts here."""
    return min(unit.batch, prepared.config.rescoring.samples - unit.start) * (unit.moves + unit.first)


def name_of(unit: Unit) -> str:
    """Return the name under which a unit is stored."""
    return f"{unit.start:07d}-{unit.direction:05d}" + (f"-{unit.part}" if unit.part else "")


def layout_of(prepared: Prepared, boundaries: int) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], str]]:
    """Return shape, shape of a shard, and dtype of each array of rescoring.zarr."""
    config, sets, concepts = prepared.config.rescoring, len(prepared.sets), len(prepared.concepts)
    directions, step = boundaries + config.null_directions, prepared.batch
    if config.adaptive:
        step, _ = look_sizes(config.samples, config.looks, prepared.batch)
    batches = -(-config.samples // step)

    def kinds(ending: str, sets: int) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], str]]:
        return {
            f"sums{ending}": (
                (directions, batches, sets, 2, concepts, len(FIELDS)),
                (1, 1, sets, 2, concepts, len(FIELDS)),
                "float64",
            ),
            f"own{ending}": (
                (boundaries, sets, 2, config.samples),
                (1, sets, 2, min(step, config.samples)),
                "float32",
            ),
        }

    layout = kinds("", sets) | (kinds(f"_{DECIDING}", 1) if config.adaptive else {})
    if m := prepared.learning_resamples:
        layout[RESAMPLED] = ((m, boundaries, config.samples), (m, 1, min(step, config.samples)), "float32")
    return layout


def column_of(prepared: Prepared, concept: str) -> int:
    """Return the column of a concept in the scores."""
    return next(j for j, c in enumerate(prepared.concepts) if c.name == concept)
