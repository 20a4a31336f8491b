"""Run stage 2, `learn`: a boundary for each concept that varies (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..config.schema import Condition
from ..errors import DataError, nearest
from ..messages import listed, visible
from ..plugins.boundary import Boundaries
from ..probing.concept_stats import spread_of
from ..probing.stage import read_classes, read_finite, read_latents, read_scores, read_styles
from ..runs.engines.run_engine import RunEngine
from ..runs.manifest import StageFacts
from ..runs.prepare import Prepared
from ..runs.progress import Progress, Step
from ..runs.run import Run
from .conditional import conditional_directions
from .files import FILES, save_boundaries
from .learn import reason_invariant, reasons
from .null_directions import NULL_FILE, permuted_directions, save_directions
from .relearning import learn_again
from .resampled import RESAMPLED_FILE
from .tasks import LearningTask, learn_from_resample

Floats = NDArray[np.float32]
PERCENT = 100  # progress of a learner that trains


def learn(run: Run, engine: RunEngine, progress: Progress) -> None:
    """Learn the boundaries of a run, and write them with their resampled normals and null directions.

    Raises:
        DataError: no boundary could be learnt.
    """
    prepared = engine.prepared
    config, conditions, seed = (
        prepared.config.rescoring,
        prepared.config.conditions,
        prepared.config.synthesis.seed,
    )
    statistics = {concept.id: concept for concept in run.concepts}
    chosen = [prepared.concepts[j] for j in prepared.chosen]
    skipped = {c.name: reason_invariant(statistics[c.name]) for c in chosen if not statistics[c.name].varies}
    columns = [j for j in prepared.chosen if prepared.concepts[j].name not in skipped]
    trains = prepared.learner.trains
    total = PERCENT if trains else len(columns)  # of the work on all samples
    with progress.stage("learn", total=total * (1 + prepared.learning_resamples)) as step:
        w, codes = read_latents(run, prepared)
        finite = read_finite(run, prepared)
        task = _read(run, prepared, columns, w, codes)
        spanned = task.latents if task.styles else w[finite]  # the latents whose spread is the unit of steps
        if trains:
            task = replace(task, on_share=partial(_step_to, step))
        unconditional, refused = task.learn(seed)
        skipped |= refused
        if not unconditional:
            raise DataError(f"no boundary could be learnt:\n{reasons(skipped)}")
        task = replace(task.without(refused), on_share=_ignore)
        if prepared.config.checks:
            task.check_repeats(seed)
        files: tuple[str, ...] = FILES
        facts: StageFacts = {}
        if config.null == "permuted":
            directions = permuted_directions(
                task.fit(seed),
                task.latents,
                task.scores,
                task.concepts,
                count=config.null_directions,
                seed=seed,
                classes=task.classes,
            )
            save_directions(run, directions)
            files = (*files, NULL_FILE)
        _check_conditions(conditions, unconditional, skipped)
        boundaries = Boundaries([*unconditional, *conditional_directions(unconditional, conditions)])
        step(max(total - step.done, 0))
        if prepared.learning_resamples:
            relearnt = learn_again(
                partial(learn_from_resample, task, conditions, boundaries),
                boundaries,
                spanned,
                count=prepared.learning_resamples,
                seed=seed,
                done=lambda: step(total),
            )
            relearnt.resampled.save(run.path)
            files, facts = (*files, RESAMPLED_FILE), {"not_relearnt": relearnt.missing}
    save_boundaries(boundaries, run.path, skipped)
    facts |= {"boundaries": len(boundaries), "skipped": len(skipped)}
    if task.styles:
        facts["style_spread"] = spread_of(spanned)
    run.finish("learn", seconds=step.seconds, files=files, **facts)


def _step_to(step: Step, share: float) -> None:
    """Show the share of a training that is done; a bar never goes back."""
    step(max(min(int(PERCENT * share), PERCENT) - step.done, 0))


def _ignore(share: float) -> None:
    """Show nothing: how far learning again is, its stage counts itself."""


def _read(
    run: Run, prepared: Prepared, columns: Sequence[int], w: Floats, codes: Floats | None
) -> LearningTask:
    """Read the samples of a run whose picture is finite, with the scores of these columns."""
    if prepared.in_styles:
        latents = read_styles(run, prepared)
    else:
        latents = codes if prepared.learner.layerwise and codes is not None else w
    finite = read_finite(run, prepared)
    classes = read_classes(run, prepared) if prepared.learner.within_classes else None
    scores, concepts = read_scores(run, prepared)[:, columns], [prepared.concepts[j] for j in columns]
    classes = None if classes is None else classes[finite]
    return LearningTask(
        prepared.learner,
        prepared.generator,
        latents[finite],
        scores[finite],
        concepts,
        classes,
        prepared.in_styles,
        prepared.precision,
    )


def _check_conditions(
    conditions: Sequence[Condition], boundaries: Boundaries, skipped: Mapping[str, str]
) -> None:
    """Check that conditions name boundaries, which for directions without labels no config can know.

    Raises:
        DataError: one names neither a boundary nor a concept that has none.
    """
    for condition in conditions:
        for name in (condition.edit, *condition.keep):
            if name not in boundaries.names and name not in skipped:
                raise DataError(
                    f"conditions: no direction is called '{visible(name)}'.{nearest(name, boundaries.names)} "
                    f"There are {listed(boundaries.names)}"
                )
