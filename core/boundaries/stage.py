"""Stage 2: a boundary for every concept that varies (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..plugins.base import owner_of
from ..plugins.records import Boundaries
from ..probing.stage import read_classes, read_finite, read_latents, read_scores
from ..runs.engine import Engine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..text import listed, visible
from .files import FILES, save_boundaries
from .learn import Lessons, conditional, learn_again_from, reasons, why_invariant
from .null_directions import FILE as NULL_FILE
from .null_directions import permuted_directions, save_directions
from .relearning import learn_again
from .relearnt import FILE as RESAMPLED_FILE

Floats = NDArray[np.float32]


def learn(run: Run, engine: Engine, progress: Progress) -> None:
    """Write boundaries.safetensors and boundaries.json, and what resampled samples give."""
    prepared = engine.prepared
    config, conditions, seed = (
        prepared.config.rescoring,
        prepared.config.conditions,
        prepared.config.synthesis.seed,
    )
    varies = {row["id"]: row for row in run.concepts}
    wanted = [prepared.concepts[j] for j in prepared.chosen]
    skipped = {c.name: why_invariant(varies[c.name]) for c in wanted if not varies[c.name]["varies"]}
    columns = [j for j in prepared.chosen if prepared.concepts[j].name not in skipped]
    with progress.stage("learn", total=len(columns) * (1 + config.learning_resamples)) as step:
        w, codes = read_latents(run, prepared)
        lessons = _read(run, prepared, columns, w, codes)
        plain, refused = lessons.learn(seed)
        skipped |= refused
        if not plain:
            raise DataError(f"no boundary could be learnt:\n{reasons(skipped)}")
        _check_named(plain, prepared)
        lessons = lessons.without(refused)
        files: tuple[str, ...] = FILES
        facts: dict[str, Any] = {}
        if config.null == "permuted":
            given = (lessons.fit(seed), lessons.latents, lessons.scores, lessons.concepts)
            save_directions(
                run,
                permuted_directions(*given, count=config.null_directions, seed=seed, classes=lessons.classes),
            )
            files = (*files, NULL_FILE)
        boundaries = Boundaries([*plain, *conditional(plain, conditions)])
        step(len(columns))
        if config.learning_resamples:
            again = partial(learn_again_from, lessons, conditions)
            relearnt = learn_again(
                again,
                boundaries,
                w[read_finite(run, prepared)],
                count=config.learning_resamples,
                seed=seed,
                done=lambda: step(len(columns)),
            )
            relearnt.resampled.save(run.path)
            files, facts = (*files, RESAMPLED_FILE), {"not_relearnt": relearnt.facts}
    save_boundaries(boundaries, run.path, skipped)
    run.finish(
        "learn", seconds=step.seconds, files=files, boundaries=len(boundaries), skipped=len(skipped), **facts
    )


def _read(run: Run, prepared: Prepared, columns: Sequence[int], w: Floats, codes: Floats | None) -> Lessons:
    """What there is to learn from: the samples of a run that have a finite picture, with the concepts of these columns."""
    latents = codes if prepared.learner.layerwise and codes is not None else w
    finite = read_finite(run, prepared)
    classes = read_classes(run, prepared) if prepared.learner.within_classes else None
    scores, concepts = read_scores(run, prepared)[:, columns], [prepared.concepts[j] for j in columns]
    classes = None if classes is None else classes[finite]
    return Lessons(prepared.learner, prepared.generator, latents[finite], scores[finite], concepts, classes)


def _check_named(boundaries: Boundaries, prepared: Prepared) -> None:
    """Refuse directions that have no concept: a run judges each by the scores of its own.

    Raises:
        DataError: an unsupervised learner named some as no concept is.
    """
    known = {concept.name for concept in prepared.concepts}
    strange = [visible(boundary.concept) for boundary in boundaries if boundary.concept not in known]
    if strange:
        raise DataError(
            f"{owner_of(prepared.learner)} gave directions that are called {listed(strange)}, which no scorer scores; a run judges a direction by "
            "the scores of its own concept, so it has to have the name of one. From Python, load_learner(...).learn(...) gives such directions too"
        )
