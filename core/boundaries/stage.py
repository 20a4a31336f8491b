"""Run stage 2, `learn`: a boundary for each concept that varies (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..config.schema import Condition
from ..errors import DataError, nearest
from ..messages import listed, visible
from ..plugins.boundary import Boundaries
from ..probing.concept_stats import spread_of
from ..probing.stage import read_classes, stored_latents, stored_scores, stored_styles
from ..runs.engines.run_engine import RunEngine
from ..runs.manifest import StageFacts
from ..runs.prepare import Prepared
from ..runs.progress import Progress, Step
from ..runs.run import Run
from ..storage.rows import Rows, with_columns
from .conditional import conditional_directions
from .files import FILES, save_boundaries
from .learn import reason_invariant, reasons
from .null_directions import NULL_FILE, permuted_directions, save_directions
from .relearning import learn_again
from .resampled import RESAMPLED_FILE
from .tasks import LearningTask, given_to, learn_from_resample

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
        w, codes = stored_latents(run, prepared)
        task = _task(run, prepared, columns, w, codes)
        spanned = task.latents if task.styles else w  # the latents whose spread is the unit of steps
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
                task.fit(seed, measured=False),
                task.latents,
                task.scores,
                task.concepts,
                count=config.null_directions,
                seed=seed,
                classes=task.classes,
                jointly=task.learner.jointly,
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


def _task(run: Run, prepared: Prepared, columns: Sequence[int], w: Rows, codes: Rows | None) -> LearningTask:
    """Return the task of a run: its samples with a finite picture, and the scores of these columns."""
    learner = prepared.learner
    if prepared.in_styles:
        latents = stored_styles(run, prepared)
    else:
        latents = codes if learner.layerwise and codes is not None else w
    return LearningTask(
        learner,
        prepared.generator,
        given_to(learner, latents),
        given_to(learner, with_columns(stored_scores(run, prepared), columns)),
        [prepared.concepts[j] for j in columns],
        read_classes(run, prepared) if learner.within_classes else None,
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
