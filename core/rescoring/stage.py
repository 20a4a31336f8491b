"""Run stage 3, `rescore`: move fresh samples along every boundary and score them again (method B).

This file stores and schedules the work; `measure` does it. A unit of work is one batch of samples and a block
of directions. A worker keeps the batch's baseline, with the states at which each layer set begins, so an
edited image costs only the strata after the edit. With rescoring.adaptive the units come in rounds
(core.rescoring.adaptive), each of which depends on the results of the one before. Boundaries learnt again
from resampled samples (core.boundaries.relearning) are moved at `all` alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries.files import load_boundaries
from ..boundaries.null_directions import Layers, at_layers, null_directions, null_layers
from ..boundaries.resampled import Resampled
from ..errors import MismatchError, PictureError
from ..plugins.boundary import STYLES, Boundaries
from ..plugins.compatibility import check_fits
from ..randomness import Stream
from ..rounding import floor_share
from ..runs.engines.run_engine import RunEngine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..storage.chunks import Region
from ..storage.shards import Shards
from ..strata.moves import moved_of, own_layers, step_unit
from .adaptive import DECIDING, RESAMPLED
from .measure import Baseline, Movement, OwnStep, baseline_of, changes_along, own_changes
from .results import Effects
from .stored_effects import as_stored, is_current, read_effects, write_tables
from .sums import FIELDS
from .work_units import (
    Unit,
    column_of,
    directions_key,
    images_needed,
    images_of,
    layout_of,
    name_of,
    open_units,
    planned_units,
)

Null = tuple[NDArray[np.float32], Layers]  # a null direction, and the layers at which it is moved


def step_length(prepared: Prepared, spread: float) -> float:
    """Return lambda in units of w or s: the configured distance, times `spread` if distance_unit is `sd`.

    Args:
        prepared: the run's plugins and settings.
        spread: s_w = sqrt(trace Cov(w) / D) over the probing samples, or s_s of their styles.
    """
    rescoring = prepared.config.rescoring
    return rescoring.distance * step_unit(rescoring.distance_unit, spread)


def is_complete(run: Run, prepared: Prepared) -> bool:
    """Check whether every unit is stored and undamaged."""
    if not run.is_done("rescore") or not is_current(run):
        return False
    units = open_units(run)
    return not any(
        _missing(units, needed) for needed in planned_units(run, prepared, load_boundaries(run.path)[0])
    )


def rescore(run: Run, engine: RunEngine, progress: Progress) -> None:
    """Write rescoring.zarr, rescoring.csv, and directions.csv if some were found without labels."""
    run.require("learn")
    prepared = engine.prepared
    boundaries, _ = load_boundaries(run.path)
    for boundary in boundaries:
        check_fits(boundary, prepared.generator)
    _check_space(run, boundaries)
    units = open_units(run)
    null, _ = null_layers(boundaries)
    units.create(layout_of(prepared, len(boundaries), len(null), run.grid), directions_key(run, prepared))
    total, images = images_needed(prepared, [boundary.layers for boundary in boundaries], null), 0
    plan = planned_units(run, prepared, boundaries)
    needed = next(plan)
    missing = _missing(units, needed)
    units.discard(map(name_of, missing))
    done = sum(images_of(prepared, unit) for unit in set(needed) - set(missing))
    adaptive = prepared.config.rescoring.adaptive
    with progress.stage("rescore", total=total, done=done, may_stop_early=adaptive) as step:
        while True:
            for count in engine.map(_unit, missing):
                step(count)
            images += sum(images_of(prepared, unit) for unit in needed)
            needed = next(plan, [])
            if not needed:
                break
            missing = _missing(units, needed)
            units.discard(map(name_of, missing))
            step(sum(images_of(prepared, unit) for unit in set(needed) - set(missing)))
        step(total - step.done)  # images that early stopping saved
        effects = read_effects(run)
        nonfinite = _check_share(prepared, effects)
        tables = write_tables(effects, run.path)
    run.finish(
        "rescore",
        seconds=step.seconds,
        files=(*tables, "rescoring.zarr"),
        images=images,
        nonfinite=nonfinite,
        factors=effects.factor_names,
        null_layers=as_stored(null),
    )


def _check_space(run: Run, boundaries: Boundaries) -> None:
    """Refuse boundaries of another space than the run learns in, in which its steps have their length.

    Raises:
        MismatchError: names one of them.
    """
    for boundary in boundaries:
        if (boundary.space == STYLES) != (run.config.learning.space == STYLES):
            raise MismatchError(
                f"{run.path}: boundary '{boundary.name}' lies in space {boundary.space}, but the run learns "
                f"in {run.config.learning.space}; run `ganstrata learn {run.path}` again"
            )


def _check_share(prepared: Prepared, effects: Effects) -> int:
    """Count the pairs of images of which one is not finite.

    Raises:
        PictureError: there are more than the config allows.
    """
    allowed = prepared.config.synthesis.allow_nonfinite
    if allowed == 0.0:
        return 0
    # A pair counts if no concept is defined for it. Finite images without any score are counted as well.
    lost = effects.undefined.min(axis=3)  # (B, S, 2)
    count, total = int(lost.sum()), int(effects.pairs.sum())
    if count > (most := floor_share(allowed, total)):
        b, s, _ = np.unravel_index(int(lost.argmax()), lost.shape)
        boundary, layers = effects.boundaries[b].name, list(effects.sets)[s]
        raise PictureError(
            f"{count} of {total} pairs of pictures are not finite, "
            f"most of them when '{boundary}' is moved at the layers '{layers}'; "
            f"synthesis.allow_nonfinite: {allowed:g} allows {most}. "
            "A smaller rescoring.distance moves less far"
        )
    return count


def _missing(units: Shards, needed: list[Unit]) -> list[Unit]:
    """Return the units that are not stored, or damaged."""
    whole = units.whole(map(name_of, needed))
    return [unit for unit in needed if name_of(unit) not in whole]


@torch.inference_mode()
def _unit(prepared: Prepared, unit: Unit) -> int:
    """Move and score the batch of a unit, write the changes, and return the number of images."""
    run = Run.open(unit.path)
    prepared = replace(prepared, batch=unit.batch)  # both share one cache
    (_move_resampled if unit.part == RESAMPLED else _move)(prepared, unit, run)
    return images_of(prepared, unit)


def _move_resampled(prepared: Prepared, unit: Unit, run: Run) -> None:
    """Move a batch along all boundaries learnt again for a block of boundaries, and write the own changes."""
    boundaries, _, resampled = _directions(unit, run, prepared)
    assert resampled is not None
    baseline, (low, high) = _baseline(prepared, unit.start), unit.block
    here = min(prepared.batch, prepared.config.rescoring.samples - unit.start)
    changes = np.full((len(resampled.spreads), high - low, here), np.nan, dtype=np.float32)
    steps = (
        (
            (m, move.direction - low),
            OwnStep(
                resampled.normals[m, move.direction],
                step_length(prepared, float(resampled.spreads[m])),
                own_layers(boundaries[move.direction], prepared.sets["all"]),
                column_of(prepared, boundaries[move.direction].concept),
            ),
        )
        for move in unit.moves
        for m in np.flatnonzero(resampled.learnt[:, move.direction])
    )
    for place, change in own_changes(prepared, baseline, steps, styles=prepared.in_styles):
        changes[place] = change[:here]
    region = (slice(0, len(changes)), slice(low, high), slice(unit.start, unit.start + here))
    open_units(run).write(name_of(unit), {RESAMPLED: (region, changes)})


def _move(prepared: Prepared, unit: Unit, run: Run) -> None:
    """Move a batch along a block of directions at layer sets, and write sums and own changes."""
    boundaries, null, _ = _directions(unit, run, prepared)
    sets, (low, high) = list(prepared.sets.values()), unit.block
    here = min(prepared.batch, prepared.config.rescoring.samples - unit.start)
    baseline = _baseline(prepared, unit.start)
    # The arrays of adaptive decisions have one layer set, `all`. Elsewhere sets that were not moved stay NaN.
    rows = 1 if unit.part == DECIDING else len(sets)
    concepts = len(prepared.concepts)
    sums = np.full((high - low, 1, rows, 2, concepts, len(FIELDS)), np.nan)
    own = np.full((max(0, min(high, len(boundaries)) - low), rows, 2, here), np.nan, dtype=np.float32)
    movements = []
    for d, at, backward, _ in unit.moves:
        boundary = boundaries[d] if d < len(boundaries) else None
        normal, own_at = null[d - len(boundaries)] if boundary is None else (boundary.normal, boundary.layers)
        movements.append(
            Movement(
                normal,
                step_length(prepared, run.spread),
                [moved_of(own_at, sets[s]) for s in at],
                backward,
                None if boundary is None else column_of(prepared, boundary.concept),
            )
        )
    changes = changes_along(prepared, baseline, movements, count=here, styles=prepared.in_styles)
    for move, (moved, own_moved) in zip(unit.moves, changes, strict=True):
        places = [0] if unit.part == DECIDING else list(move.sets)
        sums[move.direction - low, 0, places] = moved
        if move.direction < len(boundaries):
            own[move.direction - low, places] = own_moved
    b, ending = unit.start // prepared.batch, f"_{DECIDING}" if unit.part == DECIDING else ""
    arrays: dict[str, tuple[Region, NDArray[Any]]] = {
        f"sums{ending}": (
            (slice(low, high), slice(b, b + 1), *(slice(0, size) for size in sums.shape[2:])),
            sums,
        )
    }
    if low < len(boundaries):
        samples = slice(unit.start, unit.start + here)
        arrays[f"own{ending}"] = ((slice(low, low + len(own)), slice(0, rows), slice(0, 2), samples), own)
    open_units(run).write(name_of(unit), arrays)


def _directions(unit: Unit, run: Run, prepared: Prepared) -> tuple[Boundaries, list[Null], Resampled | None]:
    """Read boundaries, null directions with their layers, and boundaries learnt again, once per key."""
    cached = prepared.memory.get("directions")
    if cached is None or cached[0] != unit.key:
        path = Path(unit.path)
        boundaries, _ = load_boundaries(path)
        resampled = Resampled.load(path, boundaries) if prepared.learning_resamples else None
        normals, styles = null_directions(run, prepared), prepared.in_styles
        null = [
            (normal, layers)
            for layers in null_layers(boundaries)[0]
            for normal in at_layers(prepared.generator, normals, layers, styles=styles)
        ]
        cached = (unit.key, boundaries, null, resampled)
        prepared.memory["directions"] = cached
    return cached[1], cached[2], cached[3]


def _baseline(prepared: Prepared, start: int) -> Baseline:
    """Return the unedited samples of a batch, from the cache if it was the last one."""
    cached = prepared.memory.get("baseline")
    if cached is None or cached[0] != start:
        cached = (start, baseline_of(prepared, start, Stream.VERIFICATION, list(prepared.sets.values())))
        prepared.memory["baseline"] = cached
    baseline: Baseline = cached[1]
    return baseline
