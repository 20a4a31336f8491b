"""Stage 3: move fresh samples along every boundary, score again, and hold it against chance (method B).

The work is cut into units of one batch of samples and one direction. A worker keeps the batch's
baseline, with the states at which each layer set begins, so an edited image costs only the strata
behind the edit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaryfile import FILES, check_fits, load_boundaries
from ..composition import Pass
from ..editing import move, step_field
from ..effects import FIELDS, SIGNS, sums_of
from ..engine import Engine
from ..prepare import Prepared
from ..progress import Progress
from ..randomness import Stream
from ..records import Boundaries
from ..rescored import Rescored, write_table
from ..run import Run, file_hash
from ..shards import Shards
from . import null
from .synthesis import draw


@dataclass(frozen=True)
class Unit:
    """One batch of verification samples moved along one direction; plain data."""

    path: str
    stamp: str
    start: int
    direction: int


def images_needed(prepared: Prepared, boundaries: int) -> int:
    """K (1 + (2 B + R) |S|): what re-scoring will synthesise and score."""
    rescoring = prepared.config.rescoring
    return rescoring.samples * (1 + (2 * boundaries + rescoring.null_directions) * len(prepared.sets))


def step_length(prepared: Prepared, spread: float) -> float:
    """Lambda in units of w: times the spread of w where the config says so."""
    rescoring = prepared.config.rescoring
    return rescoring.distance * (spread if rescoring.distance_unit == "sd" else 1.0)


def open_units(run: Run) -> Shards:
    """The arrays of this stage."""
    return Shards(run.path / "rescoring.zarr")


def is_complete(run: Run, prepared: Prepared) -> bool:
    """Whether every unit is there, as it was written."""
    return run.is_done("rescore") and not _missing(run, prepared, len(load_boundaries(run.path)[0]))


def rescore(run: Run, engine: Engine, progress: Progress) -> None:
    """Write rescoring.zarr and rescoring.csv."""
    run.require("learn")
    prepared = engine.prepared
    boundaries, _ = load_boundaries(run.path)
    for boundary in boundaries:
        check_fits(boundary, prepared.generator)
    units = open_units(run)
    units.create(_layout(prepared, len(boundaries)), _stamp(run))
    missing = _missing(run, prepared, len(boundaries))
    total = images_needed(prepared, len(boundaries))
    with progress.stage("rescore", total=total, done=total - _images(prepared, missing, len(boundaries))) as step:
        for count in engine.map(_unit, missing):
            step(count)
        rescored = Rescored.read(run)
        write_table(rescored, run.path / "rescoring.csv")
    run.finish("rescore", seconds=step.seconds, files=("rescoring.csv",), images=total, factors=rescored.found)


def _stamp(run: Run) -> str:
    """What the units are computed from: the boundaries, and a null of permuted scores, byte for byte."""
    names = FILES if run.config.rescoring.null == "random" else (*FILES, null.FILE)
    return hashlib.sha256("".join(file_hash(run.path / name) for name in names).encode()).hexdigest()


def _missing(run: Run, prepared: Prepared, boundaries: int) -> list[Unit]:
    config, stamp = prepared.config.rescoring, _stamp(run)
    units = open_units(run)
    every = [
        Unit(str(run.path), stamp, start, direction)
        for start in range(0, config.samples, prepared.batch)
        for direction in range(boundaries + config.null_directions)
    ]
    return [unit for unit in every if not units.is_whole(_name(unit))]


def _images(prepared: Prepared, units: list[Unit], boundaries: int) -> int:
    """Images that these units will show, baselines included once per batch."""
    samples, sets = prepared.config.rescoring.samples, len(prepared.sets)
    count = 0
    for unit in units:
        here = min(prepared.batch, samples - unit.start)
        count += here * sets * (2 if unit.direction < boundaries else 1) + (here if unit.direction == 0 else 0)
    return count


def _name(unit: Unit) -> str:
    return f"{unit.start:07d}-{unit.direction:05d}"


def _layout(prepared: Prepared, boundaries: int) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], str]]:
    config, batch = prepared.config.rescoring, prepared.batch
    batches, sets, concepts = -(-config.samples // batch), len(prepared.sets), len(prepared.concepts)
    directions = boundaries + config.null_directions
    return {
        "sums": ((directions, batches, sets, 2, concepts, len(FIELDS)), (1, 1, sets, 2, concepts, len(FIELDS)), "float64"),
        "own": ((boundaries, sets, 2, config.samples), (1, sets, 2, min(batch, config.samples)), "float32"),
    }


@torch.inference_mode()
def _unit(prepared: Prepared, unit: Unit) -> int:
    """Move one batch along one direction at every layer set, and write what changed."""
    run = Run.open(unit.path)
    boundaries, chance = _directions(unit, run, prepared)
    spread = float(run.manifest["spread"])
    baseline, codes, scores = _baseline(prepared, unit.start)
    here = min(prepared.batch, prepared.config.rescoring.samples - unit.start)
    is_boundary = unit.direction < len(boundaries)
    normal = boundaries[unit.direction].normal if is_boundary else chance[unit.direction - len(boundaries)]
    step, scale = step_length(prepared, spread), prepared.generator.layer_scale
    sums = np.full((len(prepared.sets), 2, len(prepared.concepts), len(FIELDS)), np.nan)
    own = np.full((len(prepared.sets), 2, here), np.nan, dtype=np.float32)
    column = _column(prepared, boundaries[unit.direction].concept) if is_boundary else 0
    signs = SIGNS if is_boundary else SIGNS[:1]
    for s, layers in enumerate(prepared.sets.values()):
        field = step_field(normal, layers, scale)
        for k, sign in enumerate(signs):
            edited = prepared.score(baseline.edited(move(codes, field, sign * step), layers))
            sums[s, k] = sums_of(scores[:here], edited[:here])
            own[s, k] = edited[:here, column] - scores[:here, column]
    d, b = unit.direction, unit.start // prepared.batch
    everything = tuple(slice(0, size) for size in sums.shape)
    arrays: dict[str, tuple[tuple[int | slice, ...], NDArray[Any]]] = {"sums": ((d, b, *everything), sums)}
    if is_boundary:
        arrays["own"] = ((d, slice(0, own.shape[0]), slice(0, 2), slice(unit.start, unit.start + here)), own)
    open_units(run).write(_name(unit), arrays)
    return here * len(prepared.sets) * len(signs) + (here if unit.direction == 0 else 0)


def _directions(unit: Unit, run: Run, prepared: Prepared) -> tuple[Boundaries, NDArray[np.float32]]:
    """Boundaries and null directions, read once per process and stamp."""
    kept = prepared.memory.get("directions")
    if kept is None or kept[0] != unit.stamp:
        kept = (unit.stamp, load_boundaries(Path(unit.path))[0], null.null_directions(run, prepared))
        prepared.memory["directions"] = kept
    return kept[1], kept[2]


def _baseline(prepared: Prepared, start: int) -> tuple[Pass, torch.Tensor, NDArray[np.float32]]:
    """The unedited pass of a batch, its codes (B, L, D) and its scores (B, C); the last one is kept."""
    kept = prepared.memory.get("baseline")
    if kept is None or kept[0] != start:
        latents, _, codes = draw(prepared, start, Stream.VERIFICATION)
        baseline = prepared.render(codes, latents.condition, latents.index, Stream.VERIFICATION, prepared.sets.values())
        kept = (start, baseline, codes, prepared.score(baseline.rendering))
        prepared.memory["baseline"] = kept
    return kept[1], kept[2], kept[3]


def _column(prepared: Prepared, concept: str) -> int:
    return next(j for j, c in enumerate(prepared.concepts) if c.name == concept)
