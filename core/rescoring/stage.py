"""Stage 3: move fresh samples along every boundary, score again, and hold it against chance (method B).

The work is cut into units of one batch of samples and one direction. A worker keeps the batch's
baseline, with the states at which each layer set begins, so an edited image costs only the strata
behind the edit. With rescoring.adaptive the units come in rounds (core.rescoring.adaptive), each of which
depends on what the one before has found. What resampled learning samples give in place of a boundary
(core.boundaries.relearning) is moved at `all` alone, all of it in one unit per batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries import null_directions as null
from ..boundaries.files import FILES, load_boundaries
from ..boundaries.learning_variance import replicate_samples
from ..boundaries.relearnt import FILE as RESAMPLED_FILE
from ..boundaries.relearnt import Resampled
from ..counts import floor_share
from ..errors import PictureError
from ..plugins.compatibility import check_fits
from ..plugins.records import Boundaries
from ..randomness import Stream
from ..runs.engine import Engine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..storage.disk import file_hash
from ..storage.shards import Shards
from .adaptive import DECIDING, RESAMPLED, Design, rounds
from .effects import FIELDS
from .interim import look_sizes
from .measure import Baseline, baseline_of, changes_along, scores_along
from .results import Effects
from .stored import read_effects, write_table


@dataclass(frozen=True)
class Unit:
    """One batch of verification samples moved along one direction at some layer sets; plain data.

    Attributes:
        path: of the run.
        stamp: what the directions are.
        start: first sample of the batch.
        direction: boundaries come first; with the part `resampled`, the boundary in whose place others are moved.
        sets: positions of the layer sets.
        batch: samples in it.
        part: `resampled`, or with adaptive sampling whether it is of the decisions at `all` or of the other sets.
        moves: how often its samples are moved.
        first: whether the baseline of the batch counts as this unit's work.
    """

    path: str
    stamp: str
    start: int
    direction: int
    sets: tuple[int, ...]
    batch: int
    part: str
    moves: int
    first: bool


def baselines(prepared: Prepared) -> int:
    """How often a sample's baseline is made: with adaptive sampling once for each part."""
    config = prepared.config.rescoring
    return 1 + (config.learning_resamples > 0) + (len(prepared.sets) > 1) if config.adaptive else 1


def images_needed(prepared: Prepared, boundaries: int) -> int:
    """K (1 + (2 B + R) |S|) + K' M B: what re-scoring will synthesise and score; the most it can be where it stops early."""
    rescoring = prepared.config.rescoring
    everywhere = (2 * boundaries + rescoring.null_directions) * len(prepared.sets)
    again = replicate_samples(rescoring.samples, prepared.batch) * rescoring.learning_resamples * boundaries
    return rescoring.samples * (baselines(prepared) + everywhere) + again


def step_length(prepared: Prepared, spread: float) -> float:
    """Lambda in units of w: times the spread of w where the config says so."""
    rescoring = prepared.config.rescoring
    return rescoring.distance * rescoring.unit(spread)


def open_units(run: Run) -> Shards:
    """The arrays of this stage."""
    return Shards(run.path / "rescoring.zarr")


def is_complete(run: Run, prepared: Prepared) -> bool:
    """Whether every unit is there, as it was written."""
    if not run.is_done("rescore"):
        return False
    units = open_units(run)
    return all(
        units.is_whole(_name(unit))
        for needed in _plan(run, prepared, load_boundaries(run.path)[0])
        for unit in needed
    )


def rescore(run: Run, engine: Engine, progress: Progress) -> None:
    """Write rescoring.zarr and rescoring.csv."""
    run.require("learn")
    prepared = engine.prepared
    boundaries, _ = load_boundaries(run.path)
    for boundary in boundaries:
        check_fits(boundary, prepared.generator)
    units = open_units(run)
    units.create(_layout(prepared, len(boundaries)), _stamp(run))
    total, images = images_needed(prepared, len(boundaries)), 0
    plan = _plan(run, prepared, boundaries)
    needed = next(plan)
    missing = _missing(units, needed)
    done = sum(_images(prepared, unit) for unit in set(needed) - set(missing))
    with progress.stage("rescore", total=total, done=done) as step:
        while True:
            for count in engine.map(_unit, missing):
                step(count)
            images += sum(_images(prepared, unit) for unit in needed)
            needed = next(plan, [])
            if not needed:
                break
            missing = _missing(units, needed)
            step(sum(_images(prepared, unit) for unit in set(needed) - set(missing)))
        step(total - step.done)  # what need not be done
        rescored = read_effects(run)
        nonfinite = _check_share(prepared, rescored)
        write_table(rescored, run.path / "rescoring.csv")
    run.finish(
        "rescore",
        seconds=step.seconds,
        files=("rescoring.csv", "rescoring.zarr"),
        images=images,
        nonfinite=nonfinite,
        factors=rescored.found,
    )


def _check_share(prepared: Prepared, rescored: Effects) -> int:
    """How many pairs of pictures were left out of everything because one of the two was not finite.

    Raises:
        PictureError: more than the config allows.
    """
    allowed = prepared.config.synthesis.allow_nonfinite
    if allowed == 0.0:
        return 0
    # Pairs that no concept has a change for: where all concepts may be undefined, some of them may be finite.
    lost = rescored.undefined.min(axis=3)  # (B, S, 2)
    count, total = int(lost.sum()), int(2 * rescored.used.sum())
    if count > (most := floor_share(allowed, total)):
        b, s, _ = np.unravel_index(int(lost.argmax()), lost.shape)
        where = f"most of them when '{rescored.boundaries[b].name}' is moved at the layers '{list(rescored.sets)[s]}'"
        raise PictureError(
            f"{count} of {total} pairs of pictures are not finite, {where}; synthesis.allow_nonfinite: {allowed:g} allows {most}. "
            "A smaller rescoring.distance moves less far"
        )
    return count


def _stamp(run: Run) -> str:
    """What the units are computed from: the key of this stage, and byte for byte all directions that files hold."""
    config = run.config.rescoring
    names = (
        *FILES,
        *[null.FILE] * (config.null == "permuted"),
        *[RESAMPLED_FILE] * (config.learning_resamples > 0),
    )
    return hashlib.sha256(
        " ".join([run.keys.stages["rescore"], *(file_hash(run.path / name) for name in names)]).encode()
    ).hexdigest()


def _plan(run: Run, prepared: Prepared, boundaries: Boundaries) -> Iterator[list[Unit]]:
    """All units; with adaptive sampling round after round, each of which must be done before the next is asked for."""
    config, path, stamp, sets = (
        prepared.config.rescoring,
        str(run.path),
        _stamp(run),
        tuple(range(len(prepared.sets))),
    )
    count = len(boundaries)
    resampled = Resampled.load(run.path, boundaries) if config.learning_resamples else None
    again = np.zeros(count, dtype=int) if resampled is None else resampled.learnt.sum(axis=0)  # (B,)
    if not config.adaptive:
        every: list[Unit] = []
        for start in range(0, config.samples, prepared.batch):
            for direction in range(count + config.null_directions):
                moves = len(sets) * (2 if direction < count else 1)
                every.append(
                    Unit(path, stamp, start, direction, sets, prepared.batch, "", moves, first=direction == 0)
                )
            every += [
                Unit(
                    path,
                    stamp,
                    start,
                    int(i),
                    (list(prepared.sets).index("all"),),
                    prepared.batch,
                    RESAMPLED,
                    int(again[i]),
                    first=False,
                )
                for i in np.flatnonzero(again)
                if start < replicate_samples(config.samples, prepared.batch)
            ]
        yield every
        return
    own = np.array([_column(prepared, boundary.concept) for boundary in boundaries])
    varies = np.array([row["varies"] for row in run.concepts])
    dilutions = None if resampled is None else resampled.dilutions(boundaries)
    question = Design.of(config, prepared.batch, own, varies, list(prepared.sets), dilutions)
    for wanted in rounds(question, open_units(run)):
        seen: set[int] = set()
        units = []
        for move_ in wanted:
            is_boundary, start = move_.direction < count, move_.start
            count_of = (
                int(again[move_.direction])
                if move_.part == RESAMPLED
                else len(move_.sets) * (2 if is_boundary else 1)
            )
            units.append(
                Unit(
                    path,
                    stamp,
                    start,
                    move_.direction,
                    move_.sets,
                    question.step,
                    move_.part,
                    count_of,
                    first=start not in seen,
                )
            )
            seen.add(move_.start)
        yield units


def _missing(units: Shards, needed: list[Unit]) -> list[Unit]:
    return [unit for unit in needed if not units.is_whole(_name(unit))]


def _images(prepared: Prepared, unit: Unit) -> int:
    """Images that a unit will show, the baseline included once per batch."""
    return min(unit.batch, prepared.config.rescoring.samples - unit.start) * (unit.moves + unit.first)


def _name(unit: Unit) -> str:
    return f"{unit.start:07d}-{unit.direction:05d}" + (f"-{unit.part}" if unit.part else "")


def _layout(prepared: Prepared, boundaries: int) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], str]]:
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
    if m := config.learning_resamples:
        layout[RESAMPLED] = ((m, boundaries, config.samples), (m, 1, min(step, config.samples)), "float32")
    return layout


@torch.inference_mode()
def _unit(prepared: Prepared, unit: Unit) -> int:
    """Move one batch along one direction at its layer sets, or along what stands in its place, and write what changed."""
    run = Run.open(unit.path)
    prepared = replace(prepared, batch=unit.batch)  # they share one memory
    (_move_resampled if unit.part == RESAMPLED else _move)(prepared, unit, run)
    return _images(prepared, unit)


def _move_resampled(prepared: Prepared, unit: Unit, run: Run) -> None:
    boundaries, _, resampled = _directions(unit, run, prepared)
    assert resampled is not None
    baseline = _baseline(prepared, unit.start)
    here, i = min(prepared.batch, prepared.config.rescoring.samples - unit.start), unit.direction
    column, layers = _column(prepared, boundaries[i].concept), prepared.sets["all"]
    changes = np.full((len(resampled.spreads), here), np.nan, dtype=np.float32)
    for m in np.flatnonzero(resampled.learnt[:, i]):
        edited = scores_along(
            prepared,
            baseline,
            resampled.normals[m, i],
            step_length(prepared, float(resampled.spreads[m])),
            layers,
        )
        changes[m] = edited[:here, column] - baseline.scores[:here, column]
    open_units(run).write(
        _name(unit), {RESAMPLED: ((slice(0, len(changes)), i, slice(unit.start, unit.start + here)), changes)}
    )


def _move(prepared: Prepared, unit: Unit, run: Run) -> None:
    boundaries, chance, _ = _directions(unit, run, prepared)
    d, is_boundary = unit.direction, unit.direction < len(boundaries)
    here = min(prepared.batch, prepared.config.rescoring.samples - unit.start)
    every = list(prepared.sets.values())
    sums, own = changes_along(
        prepared,
        _baseline(prepared, unit.start),
        boundaries[d].normal if is_boundary else chance[d - len(boundaries)],
        step_length(prepared, run.spread),
        [every[s] for s in unit.sets],
        column=_column(prepared, boundaries[d].concept) if is_boundary else None,
        count=here,
    )
    # Of adaptive sampling the decisions have arrays of one layer set; elsewhere sets that were not moved stay NaN.
    places, at = (1, (0,)) if unit.part == DECIDING else (len(every), unit.sets)
    sums, own = _placed(sums, places, at), _placed(own, places, at)
    b, ending = unit.start // prepared.batch, f"_{DECIDING}" if unit.part == DECIDING else ""
    everything = tuple(slice(0, size) for size in sums.shape)
    arrays: dict[str, tuple[tuple[int | slice, ...], NDArray[Any]]] = {
        f"sums{ending}": ((d, b, *everything), sums)
    }
    if is_boundary:
        arrays[f"own{ending}"] = (
            (d, slice(0, own.shape[0]), slice(0, 2), slice(unit.start, unit.start + here)),
            own,
        )
    open_units(run).write(_name(unit), arrays)


def _placed(rows: NDArray[Any], places: int, at: tuple[int, ...]) -> NDArray[Any]:
    """Put rows at their places among others that are NaN."""
    placed = np.full((places, *rows.shape[1:]), np.nan, dtype=rows.dtype)
    placed[list(at)] = rows
    return placed


def _directions(
    unit: Unit, run: Run, prepared: Prepared
) -> tuple[Boundaries, NDArray[np.float32], Resampled | None]:
    """Boundaries, null directions and what resampled samples give, read once per process and stamp."""
    kept = prepared.memory.get("directions")
    if kept is None or kept[0] != unit.stamp:
        path = Path(unit.path)
        boundaries, _ = load_boundaries(path)
        resampled = Resampled.load(path, boundaries) if prepared.config.rescoring.learning_resamples else None
        kept = (unit.stamp, boundaries, null.null_directions(run, prepared), resampled)
        prepared.memory["directions"] = kept
    return kept[1], kept[2], kept[3]


def _baseline(prepared: Prepared, start: int) -> Baseline:
    """The unedited samples of a batch; the last one is kept."""
    kept = prepared.memory.get("baseline")
    if kept is None or kept[0] != start:
        kept = (start, baseline_of(prepared, start, Stream.VERIFICATION, list(prepared.sets.values())))
        prepared.memory["baseline"] = kept
    baseline: Baseline = kept[1]
    return baseline


def _column(prepared: Prepared, concept: str) -> int:
    return next(j for j, c in enumerate(prepared.concepts) if c.name == concept)
