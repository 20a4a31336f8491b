"""Plan the units of work of the stage `rescore`, and the arrays for their results. No mathematics."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..boundaries.files import FILES, load_boundaries
from ..boundaries.learning_variance import replicate_samples
from ..boundaries.null_directions import NULL_FILE, Layers, null_layers
from ..boundaries.resampled import RESAMPLED_FILE, Resampled
from ..boundaries.targets import ways_of_choice
from ..plugins.boundary import Boundaries
from ..runs.prepare import Prepared
from ..runs.run import Run
from ..storage.chunks import ArrayLayout
from ..storage.disk import file_hash
from ..storage.shards import Shards
from ..strata.moves import moved_of
from .adaptive import DECIDING, RESAMPLED, Design, rounds
from .effects import moved_backwards
from .interim import layer_looks, look_sizes
from .results import concept_units
from .sums import FIELDS

BLOCK = 32  # most directions in a unit
FEWEST_UNITS = 256  # of a run, so that each worker of many has several; block size 1 may give fewer
FEWEST_IN_ROUND = 64  # of a round of adaptive sampling
UNIT_PIXELS = 2**28  # of all pictures of a unit: some seconds of a large GPU, some minutes of a CPU's core


class Move(NamedTuple):
    """Represent a batch of samples moved along one direction at some layer sets.

    Attributes:
        direction: position of the direction, boundaries first; for the part `resampled`, of the boundary that
            was learnt again.
        sets: positions of the layer sets.
        backward: whether a boundary is moved backwards too, for each of `sets`.
        passes: number of passes of the batch, for the count of images.
    """

    direction: int
    sets: tuple[int, ...]
    backward: tuple[bool, ...]
    passes: int


@dataclass(frozen=True)
class Unit:
    """Represent one batch of verification samples moved along a block of directions; plain data.

    The baseline of the batch is rendered once for the whole unit, and what the unit computes is one shard of
    every array that it writes.

    Attributes:
        path: folder of the run.
        key: key of the directions, see `directions_key`.
        start: first sample of the batch.
        batch: samples in the batch.
        part: `resampled`, or with adaptive sampling the step it belongs to: `all` or `layers`.
        block: position of the first direction of the block, and of the one after its last.
        moves: moves along directions of the block; not all of them need be moved.
        first: whether the baseline of the batch counts as this unit's work.
    """

    path: str
    key: str
    start: int
    batch: int
    part: str
    block: tuple[int, int]
    moves: tuple[Move, ...]
    first: bool


def baselines(prepared: Prepared) -> int:
    """Return how often a sample's baseline is rendered: with adaptive sampling once for each step."""
    config = prepared.config.rescoring
    return 1 + (prepared.learning_resamples > 0) + (len(prepared.sets) > 1) if config.adaptive else 1


def backwards(prepared: Prepared) -> tuple[bool, ...]:
    """Return whether boundaries are moved backwards too, for each layer set, (S,)."""
    return moved_backwards(prepared.config.rescoring.backward, prepared.sets)


def images_needed(prepared: Prepared, boundaries: Sequence[Layers], null: Sequence[Layers] = (None,)) -> int:
    """Return the number of images that re-scoring renders and scores.

        K (1 + (B + G R) S + B S') + K' M B

    K samples, B boundaries, R null directions moved at G sets of layers, S layer sets, S' of them moved
    backwards too, and M boundaries learnt again for each boundary, which are moved on K' samples (method B).
    At a layer set without a layer that a direction moves, no image is rendered. Adaptive sampling renders
    each baseline up to three times and may stop early; this is then the largest number possible.

    Args:
        prepared: the run's plugins and settings.
        boundaries: layers of each boundary, None for all, (B,).
        null: layers at which null directions are moved, (G,), see `null_layers`.
    """
    rescoring, sets, back = prepared.config.rescoring, tuple(range(len(prepared.sets))), backwards(prepared)
    forwards = (False,) * len(sets)
    moves = sum(_passes(prepared, own, sets, back) for own in boundaries)
    moves += rescoring.null_directions * sum(_passes(prepared, own, sets, forwards) for own in null)
    relearnt = replicate_samples(rescoring.samples, prepared.batch) * prepared.learning_resamples
    relearnt *= len(boundaries)
    return rescoring.samples * (baselines(prepared) + moves) + relearnt


def _passes(prepared: Prepared, own: Layers, sets: Sequence[int], backward: Sequence[bool]) -> int:
    """Return how often a sample is rendered: once or twice at each of these sets that a direction reaches.

    Args:
        prepared: the run's plugins and settings.
        own: layers of the direction, or None for all.
        sets: positions of layer sets.
        backward: whether it is moved backwards too, for each of them.
    """
    layers = list(prepared.sets.values())
    return sum(1 + back for s, back in zip(sets, backward, strict=True) if moved_of(own, layers[s]))


def open_units(run: Run) -> Shards:
    """Open the arrays of this stage."""
    return run.arrays("rescoring.zarr")


def directions_key(run: Run, prepared: Prepared) -> str:
    """Return a key of all that units depend on: the key of this stage, and the files with directions."""
    names = list(FILES)
    if run.config.rescoring.null == "permuted":
        names.append(NULL_FILE)
    if prepared.learning_resamples > 0:
        names.append(RESAMPLED_FILE)
    parts = [run.keys.stages["rescore"], *(file_hash(run.path / name) for name in names)]
    layers, _ = null_layers(load_boundaries(run.path)[0])
    if layers != (None,):
        parts.append(repr(layers))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def planned_units(run: Run, prepared: Prepared, boundaries: Boundaries) -> Iterator[list[Unit]]:
    """Yield lists of units. The caller must carry out each list before it asks for the next one.

    There is one list, or with adaptive sampling one per round. Samples are moved along a direction in one
    round of a part alone, and rounds consist of whole batches, so no shard belongs to two units.
    """
    config, sets = prepared.config.rescoring, tuple(range(len(prepared.sets)))
    count, backward = len(boundaries), backwards(prepared)
    layers, kind = null_layers(boundaries)
    own_at = [b.layers for b in boundaries] + [each for each in layers for _ in range(config.null_directions)]
    resampled = Resampled.load(run.path, boundaries) if prepared.learning_resamples else None
    relearnt = np.zeros(count, dtype=int) if resampled is None else resampled.learnt.sum(axis=0)  # (B,)
    if not config.adaptive:
        all_set = (list(prepared.sets).index("all"),)
        moves: list[tuple[str, int, Move]] = []
        for start in range(0, config.samples, prepared.batch):
            for direction, at in enumerate(own_at):
                also = tuple(direction < count and back for back in backward)
                moves.append(("", start, Move(direction, sets, also, _passes(prepared, at, sets, also))))
            if start < replicate_samples(config.samples, prepared.batch):
                moves += [
                    (RESAMPLED, start, Move(int(i), all_set, (False,), int(relearnt[i])))
                    for i in np.flatnonzero(relearnt)
                ]
        yield _units(run, prepared, count, len(layers), prepared.batch, moves)
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
        kind,
    )
    for scheduled in rounds(design, open_units(run)):
        moves = []
        for part, start, direction, at in scheduled:
            # No decision at `all` rests on backward steps, so few samples suffice.
            needed = direction < count and not (part == DECIDING and start >= design.backward)
            also = tuple(part != RESAMPLED and needed and backward[s] for s in at)
            passes = (
                int(relearnt[direction])
                if part == RESAMPLED
                else _passes(prepared, own_at[direction], at, also)
            )
            moves.append((part, start, Move(direction, at, also, passes)))
        yield _units(run, prepared, count, len(layers), design.step, moves)


def _units(
    run: Run,
    prepared: Prepared,
    boundaries: int,
    null: int,
    batch: int,
    moves: Iterable[tuple[str, int, Move]],
) -> list[Unit]:
    """Group moves of batches by part, batch and block of directions.

    Args:
        run: the run.
        prepared: its plugins and settings.
        boundaries: number of boundaries B.
        null: number of sets of layers at which null directions are moved, G.
        batch: samples in a batch.
        moves: part, first sample and move; those of a batch follow each other, so that a worker which does
            several units of a batch renders its baseline once.
    """
    directions = boundaries + null * prepared.config.rescoring.null_directions
    size = block_size(prepared, directions, run.grid)
    blocks: dict[tuple[str, int, int], list[Move]] = {}
    for part, start, move in moves:
        blocks.setdefault((part, start, move.direction // size * size), []).append(move)
    path, key, begun = str(run.path), directions_key(run, prepared), set()
    units = []
    for (part, start, low), grouped in blocks.items():
        high = min(low + size, boundaries if part == RESAMPLED else directions)
        units.append(Unit(path, key, start, batch, part, (low, high), tuple(grouped), start not in begun))
        begun.add(start)
    return units


def block_size(prepared: Prepared, directions: int, grid: int) -> int:
    """Return the number of directions in a unit: a power of two.

    A unit is the work that a kill loses, once per worker, and a few files. The size follows from the config
    and the number of directions alone, so that a run has the same files whatever machines work on it.

    Args:
        prepared: the run's plugins and settings.
        directions: number of boundaries and null directions, B + G R.
        grid: of the run, see Manifest; early runs have one direction in a unit.
    """
    if grid == 1:
        return 1
    config, card, sets = prepared.config.rescoring, prepared.generator.card, len(prepared.sets)
    step, batches, fewest = prepared.batch, -(-config.samples // prepared.batch), FEWEST_UNITS
    if config.adaptive:
        step, looks = look_sizes(config.samples, config.looks, prepared.batch)
        batches = min(looks[0], layer_looks(config.samples, step)[0]) // step or 1
        fewest = FEWEST_IN_ROUND
    passes = max(sets + sum(backwards(prepared)), prepared.learning_resamples)
    most = min(
        BLOCK,
        directions * batches // fewest,
        UNIT_PIXELS // (card.height * card.width * step * passes),
    )
    return int(2 ** (max(1, most).bit_length() - 1))


def images_of(prepared: Prepared, unit: Unit) -> int:
    """Return the number of images that a unit renders, including the baseline if it counts here."""
    return min(unit.batch, prepared.config.rescoring.samples - unit.start) * (
        sum(move.passes for move in unit.moves) + unit.first
    )


def name_of(unit: Unit) -> str:
    """Return the name under which a unit is stored."""
    return f"{unit.start:07d}-{unit.block[0]:05d}" + (f"-{unit.part}" if unit.part else "")


def layout_of(prepared: Prepared, boundaries: int, null: int, grid: int) -> dict[str, ArrayLayout]:
    """Return how each array of rescoring.zarr is stored.

    A shard is what a unit writes; within it each direction is a chunk of its own, so that one direction is
    read without the others of its block.

    Args:
        prepared: the run's plugins and settings.
        boundaries: number of boundaries B.
        null: number of sets of layers at which null directions are moved, G.
        grid: of the run, see Manifest.
    """
    config, sets, concepts = prepared.config.rescoring, len(prepared.sets), len(prepared.concepts)
    directions, step = boundaries + null * config.null_directions, prepared.batch
    if config.adaptive:
        step, _ = look_sizes(config.samples, config.looks, prepared.batch)
    batches, count = -(-config.samples // step), min(step, config.samples)
    block = block_size(prepared, directions, grid)

    def kinds(ending: str, sets: int) -> dict[str, ArrayLayout]:
        cell, row = (sets, 2, concepts, len(FIELDS)), (sets, 2)
        return {
            f"sums{ending}": ArrayLayout(
                (directions, batches, *cell), (block, 1, *cell), "float64", chunk=(1, 1, *cell)
            ),
            f"own{ending}": ArrayLayout(
                (boundaries, *row, config.samples), (block, *row, count), "float32", chunk=(1, *row, count)
            ),
        }

    layout = kinds("", sets) | (kinds(f"_{DECIDING}", 1) if config.adaptive else {})
    if m := prepared.learning_resamples:
        layout[RESAMPLED] = ArrayLayout(
            (m, boundaries, config.samples), (m, block, count), "float32", chunk=(m, 1, count)
        )
    return layout


def column_of(prepared: Prepared, concept: str) -> int:
    """Return the column of a concept in the scores."""
    return next(j for j, c in enumerate(prepared.concepts) if c.name == concept)
