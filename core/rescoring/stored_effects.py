"""Read the effects of a run from its stored sums, and write them as CSV tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..boundaries.files import load_boundaries
from ..boundaries.null_directions import Layers, null_layers
from ..boundaries.resampled import RESAMPLED_FILE, Resampled
from ..errors import RunError
from ..runs.run import Run
from ..storage.csv_tables import csv_parts
from ..storage.disk import write_parts, write_text
from ..storage.shards import Shards
from .found import DIRECTIONS_FILE, directions_table, found_directions
from .interim import look_sizes
from .results import Effects, Sums
from .tables import EffectRow, rows_of

Floats = NDArray[np.float64]

PART_BYTES = 2**24  # of stored sums that are read at once


def read_effects(run: Run) -> Effects:
    """Compute the effects of a run from the sums in its rescoring.zarr.

    Raises:
        GanstrataError: a file of the run is missing or damaged.
    """
    config, units = run.config.rescoring, run.arrays("rescoring.zarr")
    boundaries, _ = load_boundaries(run.path)
    if "rescore" in run.record.stages and not is_current(run):
        raise RunError(
            f"{run.path}: some of its directions move layers of their own, and an early version compared them"
            f" with null directions moved at other layers; run `ganstrata rescore {run.path}` again"
        )
    sets = {name: tuple(layers) for name, layers in run.record.layer_sets.items()}
    looks, batch = None, run.batch
    if config.adaptive:
        batch, looks = look_sizes(config.samples, config.looks, run.batch)
        sums, changes = _merged(units, list(sets).index("all"))  # (B + G R, N, S, 2, C, 5), (B, S, 2, K)
    else:
        sums = _summed(units)  # (B + G R, S, 2, C, 5)
        changes = units.read("own").astype(np.float64)
    relearnt, dilutions = None, None
    if "learn" in run.record.stages and RESAMPLED_FILE in run.record.stages["learn"].files:
        relearnt = units.read("resampled").astype(np.float64)
        dilutions = Resampled.load(run.path, boundaries).dilutions(boundaries)
    return Effects.of(
        Sums(sums, changes, relearnt, dilutions, looks, batch),
        boundaries=boundaries,
        concepts=run.concepts,
        sets=sets,
        groups={name: tuple(layers) for name, layers in run.record.groups.items()},
        samples=config.samples,
        step=config.distance * run.step_unit,
        rate=config.false_discovery_rate,
        seed=run.config.synthesis.seed,
        bootstrap=config.bootstrap,
    )


def is_current(run: Run) -> bool:
    """Return whether null directions were moved at the layers of the boundaries that they belong to.

    Early versions moved them at all layers.
    """
    return run.record.stages["rescore"].null_layers == as_stored(null_layers(load_boundaries(run.path)[0])[0])


def as_stored(layers: Sequence[Layers]) -> list[list[int] | None]:
    """Return sets of layers as run.json holds them."""
    return [None if each is None else list(each) for each in layers]


def _summed(units: Shards) -> Floats:
    """Return the sums over all batches, (B + G R, S, 2, C, 5), of which only some batches are in memory."""
    directions, batches, *shape = units.shape("sums")
    total = np.zeros((directions, *shape))
    some = max(1, PART_BYTES // (8 * math.prod(shape)))
    for d, start in product(range(directions), range(0, batches, some)):
        total[d] += units.read("sums", (d, slice(start, start + some))).sum(axis=0)
    return total


def _merged(units: Shards, all_set: int) -> tuple[Floats, Floats]:
    """Return the sums by batch and the own changes of adaptive sampling.

    The arrays of the set `all` are stored apart from those of the other sets. They are put in their place on
    the axis of layer sets, at position `all_set`.
    """
    sums, own = units.read("sums"), units.read("own").astype(np.float64)
    sums[:, :, all_set] = units.read("sums_all")[:, :, 0]
    own[:, all_set] = units.read("own_all")[:, 0]
    return sums, own


def write_tables(effects: Effects, path: Path) -> tuple[str, ...]:
    """Write rescoring.csv, and directions.csv if some were found without labels, and return their names.

    Args:
        effects: of the run.
        path: the run directory.
    """
    rows = chain([EffectRow._fields], rows_of(effects))
    write_parts(path / "rescoring.csv", (part.encode() for part in csv_parts(rows)))
    found = found_directions(effects)
    if not found:
        return ("rescoring.csv",)
    write_text(path / DIRECTIONS_FILE, directions_table(found).csv)
    return "rescoring.csv", DIRECTIONS_FILE
