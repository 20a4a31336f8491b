"""Move inverted pictures and samples along the verified boundaries of a run, and compare what it changes.

Shapes: N pictures, M samples, B boundaries, C concepts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...editing.directions import EditPart, find_boundaries, find_parts
from ...editing.render import Frames, Ruler, StripRenderer
from ...editing.request import EditRequest
from ...editing.sources import Source, gathered, source_of
from ...editing.steps import Strip
from ...errors import DataError, UserError
from ...randomness import Stream
from ...rescoring.results import concept_units
from ...rescoring.stored_effects import read_effects
from ...runs.inversions import StoredInversion
from ...runs.prepare import Prepared
from ...runs.progress import Progress, Step
from ...runs.run import Run
from ...runs.session import Finished
from .faithfulness import Compared, Faithfulness, faithfulness, mean_ratio

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EditTrust:
    """Hold how edits of inverted pictures compare with those of samples.

    Attributes:
        names: boundaries (B,).
        where: their layers in words, (B,).
        step: distance of the step, in `unit`.
        unit: what distances are counted in, in words.
        edits: the comparison of each boundary, (B,).
        ratio: mean ratio over the boundaries along which samples change for certain.
        samples: number M.
        changes: change of each picture's own score along each boundary, in sd, (B, N).
    """

    names: tuple[str, ...]
    where: tuple[str, ...]
    step: float
    unit: str
    edits: tuple[Faithfulness, ...]
    ratio: Compared
    samples: int
    changes: Floats


def verified(run: Run, along: Sequence[str]) -> tuple[str, ...]:
    """Return the boundaries to move along: those that are named, or the variation factors of the run.

    Raises:
        UserError: the run has no variation factor, and none is named.
    """
    if along:
        return tuple(along)
    run.require("rescore")
    names = tuple(read_effects(run).factor_names)
    if not names:
        raise UserError(
            f"no boundary of {run.path} was verified by re-scoring, so that edits of samples change nothing "
            "for certain either; name boundaries with --along to compare them anyway"
        )
    return names


def compare_edits(
    finished: Finished,
    stored: StoredInversion,
    along: Sequence[str] = (),
    *,
    step: float | None = None,
    samples: int = 128,
    progress: Progress,
) -> EditTrust:
    """Move inverted pictures and samples by the same step along the same boundaries.

    Args:
        finished: the run.
        stored: inverted pictures of its generator.
        along: NAME[@LAYERS] of boundaries; none for the run's variation factors.
        step: distance, in the unit of the run; None for that of its re-scoring.
        samples: number of samples, drawn from Stream.VERIFICATION.
        progress: where progress is shown.

    Raises:
        UserError: there are no such boundaries, or nothing scores their concepts.
        DataError: the pictures cannot be edited.
    """
    run, prepared = finished.run, finished.engine.prepared
    step = run.config.rescoring.distance if step is None else step
    parts = edit_parts(run, prepared, verified(run, along))
    strips = [Strip(part.name, "independent", (part,), np.array([[step]])) for part in parts]
    unit = run.step_unit_in(parts[0].boundary.space)
    codes, condition = gathered(prepared, tuple(range(samples)), Stream.VERIFICATION)
    inverted = source_of(stored)
    drawn = replace(
        inverted,
        codes=codes,
        condition=condition,
        index=inverted.index.new_tensor(range(samples)),
        stream=Stream.VERIFICATION,
        names=tuple(f"sample {i}" for i in range(samples)),
        noise={},
        weights=(),
        noise_seed=None,
    )
    total = sum(source.rendered(prepared.batch) for source in (inverted, drawn)) * len(strips)
    with progress.stage("edits", total=total) as done:
        pairs = [changes_of(finished, source, strips, unit, done) for source in (inverted, drawn)]
    seed = run.config.synthesis.seed
    found = tuple(faithfulness(pairs[0][b], pairs[1][b], seed) for b in range(len(parts)))
    certain = [b for b, one in enumerate(found) if not np.isnan(one.ratio.value)]
    return EditTrust(
        tuple(part.boundary.name for part in parts),
        tuple(part.where for part in parts),
        step,
        "sd" if run.config.rescoring.distance_unit == "sd" else "raw",
        found,
        mean_ratio(pairs[0][certain], pairs[1][certain], seed),
        samples,
        pairs[0],
    )


def edit_parts(run: Run, prepared: Prepared, along: Sequence[str]) -> tuple[EditPart, ...]:
    """Return boundaries with their layers.

    Raises:
        UserError: there is no such boundary, or no scorer scores its concept.
    """
    known, _ = find_boundaries(run, None)
    parts = find_parts(prepared, known, EditRequest(along=tuple(along)), run.step_unit_in)
    for part in parts:
        if part.column is None:
            raise UserError(
                f"--along {part.boundary.name}: no scorer of the run scores "
                f"{part.boundary.concept or 'it'}, so that nothing says what an edit changes"
            )
    return parts


def changes_of(
    finished: Finished, source: Source, strips: Sequence[Strip], unit: float, done: Step
) -> Floats:
    """Return how the own score of each strip's boundary changes at its one step, in sd, (B, N).

    Raises:
        DataError: the scores of a concept do not vary, so that no change can be given in sd.
    """
    prepared, units = finished.engine.prepared, concept_units(finished.run.concepts)
    columns = [strip.parts[0].column for strip in strips]
    for strip, column in zip(strips, columns, strict=True):
        if column is None or np.isnan(units[column]):
            concept = strip.parts[0].boundary.concept
            raise DataError(f"the scores of {concept} do not vary in this run, so that a change has no unit")
    pieces = []
    # Pictures of few batches are in memory at a time, since every one is kept at every strip.
    for start in range(0, len(source.codes), prepared.batch):
        part = source.rows(range(start, min(start + prepared.batch, len(source.codes))))
        before, after = StripRenderer(prepared, part, Ruler(unit), scored=True).draw(strips, done)
        rows = [
            (_scores(moved)[:, column] - _scores(plain)[:, column]) / units[column]
            for plain, moved, column in zip(before, after, columns, strict=True)
        ]
        pieces.append(np.stack(rows))
    return np.concatenate(pieces, axis=1)


def _scores(frames: Frames) -> Floats:
    """Return the scores (N, C) of the first step."""
    assert frames.scores is not None
    return frames.scores[:, 0].astype(np.float64)
