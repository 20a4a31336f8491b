"""Measure the effect of boundaries and of random directions at coarse steps, to find a range from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries.null_directions import random_directions
from ..errors import UserError
from ..plugins.records import Rendering
from ..randomness import Stream
from ..rescoring.results import concept_units
from ..runs.manifest import ConceptStats
from ..runs.prepare import Prepared
from ..runs.progress import Step
from ..statistics import sample_means
from ..strata.displacements import Displacement, displacement, edited
from .directions import EditPart
from .range_search import Coarse

Floats = NDArray[np.float64]

SAMPLES = 32  # least number of samples; whole batches are used
TRIED = 17  # steps, 0 among them
DIRECTIONS = 5  # random directions
SPARSE = 4  # random directions are measured at every fourth step, and interpolated between


def coarse_steps(start: float, end: float) -> Floats:
    """Return about TRIED steps from start to end, evenly spaced on both sides of 0, which is one of them.

    Raises:
        UserError: 0 does not lie between them.

    Example:
        >>> coarse_steps(-1.0, 3.0)[[0, 1, 4, 5, -1]].tolist()
        [-1.0, -0.75, 0.0, 0.25, 3.0]
    """
    if not start <= 0.0 <= end or start == end:
        raise UserError(
            "--search looks to both sides of the picture: "
            f"--start {start:g} must be 0 or below, --end {end:g} 0 or above, and one not 0"
        )
    below = min(
        max(round((TRIED - 1) * -start / (end - start)), 1 if start else 0), TRIED - 2 if end else TRIED - 1
    )
    return np.concatenate([np.linspace(start, 0.0, below + 1)[:-1], np.linspace(0.0, end, TRIED - below)])


def columns_per_batch(parts: Sequence[EditPart]) -> int:
    """Return how many columns of pictures `measure` renders for each batch."""
    return TRIED * len(parts) + len(_sparse(np.arange(TRIED))) * DIRECTIONS * len(
        {part.layers for part in parts}
    )


def batch_count(prepared: Prepared) -> int:
    """Return how many batches `measure` uses."""
    return -(-SAMPLES // prepared.batch)


@torch.inference_mode()
def measure(
    prepared: Prepared,
    parts: Sequence[EditPart],
    concepts: Sequence[ConceptStats],
    steps: Floats,
    unit: float,
    done: Step,
) -> list[Coarse]:
    """Measure each part on fresh samples, and random directions of the same length at the same layers.

    Args:
        prepared: generator and scorers.
        parts: boundaries to move along.
        concepts: statistics of each concept's scores, (C,).
        steps: signed distances (T,), 0 among them.
        unit: length of one step, in w or s.
        done: called with the number of pictures after each column.

    Returns:
        One table per part.

    Raises:
        UserError: nothing scores the concept of a boundary.
    """
    _check_scored(parts)
    few = _sparse(steps)
    styles, generator = parts[0].in_styles, prepared.generator
    random = random_directions(
        generator, DIRECTIONS, prepared.config.synthesis.seed, layerwise=False, styles=styles
    )
    sets = list(dict.fromkeys(part.layers for part in parts))
    null = [
        displacement(generator, normal, layers, prepared.edit_scale, styles=styles, length=unit)
        for layers in sets
        for normal in random
    ]
    walks = [*((part.displacement, steps) for part in parts), *((one, few) for one in null)]
    tables = _tables(prepared, walks, done)
    measured = []
    for part, table in zip(parts, tables, strict=False):  # those of random directions follow
        first = len(parts) + DIRECTIONS * sets.index(part.layers)
        measured.append(_coarse(part, table, tables[first : first + DIRECTIONS], concepts, steps, few))
    return measured


def _check_scored(parts: Sequence[EditPart]) -> None:
    """Refuse boundaries whose concept nothing scores.

    Raises:
        UserError: the message names the first of them.
    """
    for part in parts:
        if part.column is None:
            what = (
                f"no scorer of this run scores {part.boundary.concept}"
                if part.boundary.concept
                else f"'{part.boundary.name}' has no target whose score could be followed"
            )
            raise UserError(f"--search: {what}; give --start and --end instead")


class _Table(NamedTuple):
    """Hold what was measured of K samples at T steps along one direction.

    Attributes:
        scores: of C concepts, (K, T, C).
        clipped: share of values outside [0, 1], (K, T).
    """

    scores: Floats
    clipped: Floats


def _tables(prepared: Prepared, walks: Sequence[tuple[Displacement, Floats]], done: Step) -> list[_Table]:
    """Render fresh samples at the steps of each walk, batch by batch, and return a table per walk.

    Args:
        prepared: generator and scorers.
        walks: what one unit adds, and the signed distances to go (T,).
        done: called with the number of pictures after each column.
    """
    layers = {direction.layers for direction, _ in walks}
    batches: list[list[_Table]] = []
    for b in range(batch_count(prepared)):
        latents, _, codes = prepared.draw(b * prepared.batch, Stream.VERIFICATION)
        base = prepared.render(codes, latents.condition, latents.index, Stream.VERIFICATION, layers)
        tables = []
        for direction, steps in walks:
            columns = []
            for step in steps:
                columns.append(
                    _column(prepared, edited(base, codes, [direction], [float(step)], direction.layers))
                )
                done(prepared.batch)
            scores, clipped = zip(*columns, strict=True)
            tables.append(_Table(np.stack(scores, axis=1), np.stack(clipped, axis=1)))
        batches.append(tables)
    return [
        _Table(np.concatenate([t.scores for t in parts]), np.concatenate([t.clipped for t in parts]))
        for parts in zip(*batches, strict=True)
    ]


def _coarse(
    part: EditPart,
    table: _Table,
    null: Sequence[_Table],
    concepts: Sequence[ConceptStats],
    steps: Floats,
    few: Floats,
) -> Coarse:
    """Return what was measured of a part; random directions are interpolated between their few steps."""
    own = part.column
    assert own is not None
    zero, few_zero = (int(np.flatnonzero(distances == 0.0)[0]) for distances in (steps, few))
    others = [j for j, concept in enumerate(concepts) if j != own and concept.varies]
    units = concept_units([concepts[j] for j in others])
    drifts = [_drift(t.scores[:, :, others], few_zero, units) for t in null]
    changes = [_mean(t.scores[:, :, own] - t.scores[:, [few_zero], own]) for t in null]
    return Coarse(
        steps=steps,
        scores=table.scores[:, :, own],
        clipped=table.clipped,
        others=_drift(table.scores[:, :, others], zero, units),
        null=np.stack([np.interp(steps, few, drift) for drift in drifts]),
        null_scores=np.stack([np.interp(steps, few, change) for change in changes]),
    )


def _sparse(steps: NDArray[Any]) -> NDArray[Any]:
    """Return every SPARSE-th step on either side of 0, with 0 and the ends."""
    zero = int(np.flatnonzero(steps == 0.0)[0])
    chosen = [t for t in range(len(steps)) if (t - zero) % SPARSE == 0 or t in (0, len(steps) - 1)]
    return steps[chosen]


def _column(prepared: Prepared, rendering: Rendering) -> tuple[Floats, Floats]:
    """Return scores (N, C) and the share of values outside [0, 1] (N,) at one step."""
    outside = (rendering.images < 0.0) | (rendering.images > 1.0)
    return prepared.score(rendering).astype(np.float64), outside.flatten(1).double().mean(dim=1).cpu().numpy()


def _drift(scores: Floats, zero: int, unit: Floats) -> Floats:
    """Compute the mean over concepts of |mean change| / sd, (T,), from scores (K, T, C).

    Concepts without a score at a step are left out of its mean; it is NaN where none has one.
    """
    if not scores.shape[2]:
        return np.zeros(scores.shape[1])
    return sample_means(np.abs(_mean(scores - scores[:, [zero]])) / unit)


def _mean(changes: Floats) -> Floats:
    """Return the mean over samples (K, ...) without NaN; NaN where all are."""
    return sample_means(np.moveaxis(changes, 0, -1))
