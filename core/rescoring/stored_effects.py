"""Read the effects of a run from its stored sums, and write them as CSV tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
from .adaptive import DECIDING
from .found import DIRECTIONS_FILE, directions_table, found_directions
from .interim import layer_looks, look_sizes
from .results import Effects
from .sums import LookSums, Sums
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
    looks: tuple[int, ...] = ()
    batch, changes = run.batch, units.read("own").astype(np.float64)  # (B, S, 2, K)
    sums: Floats | LookSums
    if config.adaptive:
        all_set = list(sets).index("all")
        batch, looks = look_sizes(config.samples, config.looks, run.batch)
        first = layer_looks(config.samples, batch)[0]
        numbers = len(boundaries), config.null_directions
        sums = _summed_to_looks(units, numbers, looks, first, batch, all_set)
        changes[:, all_set] = units.read(f"own_{DECIDING}")[:, 0]
    else:
        sums = _summed(units)  # (B + G R, S, 2, C, 5)
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


def _summed_to_looks(
    units: Shards, numbers: tuple[int, int], looks: Sequence[int], first: int, batch: int, all_set: int
) -> LookSums:
    """Return the sums of adaptive sampling up to its looks, read direction by direction.

    The arrays of the set `all` are stored apart from those of the other sets. They are put in their place on
    the axis of layer sets.

    Args:
        units: the arrays.
        numbers: of boundaries B, and of null directions R at each set of layers.
        looks: number of samples at each look at `all`.
        first: number of samples at the first look at the other sets.
        batch: samples in a batch.
        all_set: position of the set `all`.
    """

    def directions() -> Iterator[Floats]:
        for d in range(units.shape("sums")[0]):
            parts = units.read("sums", (d,)).copy()  # (N, S, 2, C, 5)
            parts[:, all_set] = units.read(f"sums_{DECIDING}", (d,))[:, 0]
            yield parts

    ends = [-(-look // batch) for look in (*looks, first)]
    return LookSums.of(directions(), *numbers, ends[:-1], ends[-1], all_set)


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
