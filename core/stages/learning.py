"""Stage 2: a boundary for every concept that varies (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boundaryfile import FILES, save_boundaries
from ..config import Condition
from ..editing import conditioned
from ..engine import Engine
from ..errors import DataError
from ..progress import Progress
from ..records import Boundaries, Boundary, Concept
from ..resampled import FILE as RESAMPLED_FILE
from ..run import Run
from .null import FILE as NULL_FILE
from .null import Fit, permuted_directions, save_directions
from .relearning import learn_again
from .synthesis import read_classes, read_latents, read_scores

Floats = NDArray[np.float32]


def learn(run: Run, engine: Engine, progress: Progress) -> None:
    """Write boundaries.safetensors and boundaries.json, and what resampled samples give."""
    prepared = engine.prepared
    resamples, conditions = prepared.config.rescoring.learning_resamples, prepared.config.conditions
    varies = {row["id"]: row for row in run.manifest["concepts"]}
    wanted = [prepared.concepts[j] for j in prepared.chosen]
    skipped = {c.name: _invariant(varies[c.name]) for c in wanted if not varies[c.name]["varies"]}
    columns = [j for j in prepared.chosen if prepared.concepts[j].name not in skipped]
    with progress.stage("learn", total=len(columns) * (1 + resamples)) as step:
        w, codes = read_latents(run, prepared)
        latents = codes if prepared.learner.layerwise and codes is not None else w
        scores = read_scores(run, prepared)[:, columns]
        concepts = [prepared.concepts[j] for j in columns]
        seed = prepared.config.synthesis.seed
        classes = read_classes(run, prepared) if prepared.learner.within_classes else None

        def fit_of(seed: int, rows: NDArray[np.int64] | slice = slice(None)) -> Fit:
            extra: dict[str, Any] = {} if classes is None else {"classes": classes[rows]}
            return partial(prepared.learner.learn, generator=prepared.generator, seed=seed, **extra)

        fit = fit_of(seed)
        boundaries, refused = _learn(fit, latents, scores, concepts)
        skipped |= refused
        if not boundaries:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in list(skipped.items())[:8])
            raise DataError(f"no boundary could be learnt:\n{reasons}")
        kept = [j for j, concept in enumerate(concepts) if concept.name not in refused]
        learnable, scores = [concepts[j] for j in kept], scores[:, kept]
        files: tuple[str, ...] = FILES
        facts: dict[str, Any] = {}
        if prepared.config.rescoring.null == "permuted":
            count = prepared.config.rescoring.null_directions
            save_directions(run, permuted_directions(fit, latents, scores, learnable, count=count, seed=seed, classes=classes))
            files = (*files, NULL_FILE)
        boundaries = Boundaries([*boundaries, *_conditional(boundaries, conditions)])
        step(len(columns))
        if resamples:

            def learn_from(rows: NDArray[np.int64], seed: int) -> tuple[Boundaries, dict[str, str]]:
                found, reasons = _learn(fit_of(seed, rows), latents[rows], scores[rows], learnable)
                made = list(found)
                for condition in conditions:
                    try:
                        made += _conditional(found, [condition])
                    except DataError as error:  # of directions that all samples tell apart
                        reasons[f"{condition.edit}|{','.join(condition.keep)}"] = str(error)
                return Boundaries(made), reasons

            relearnt = learn_again(learn_from, boundaries, w, count=resamples, seed=seed, done=lambda: step(len(columns)))
            relearnt.resampled.save(run.path)
            files, facts = (*files, RESAMPLED_FILE), {"not_relearnt": relearnt.facts}
    save_boundaries(boundaries, run.path, skipped)
    run.finish("learn", seconds=step.seconds, files=files, boundaries=len(boundaries), skipped=len(skipped), **facts)


def _learn(fit: Fit, latents: Floats, scores: Floats, concepts: Sequence[Concept]) -> tuple[Boundaries, dict[str, str]]:
    """All concepts at once; if that is refused, those that can be learnt, and why the others cannot."""
    if not concepts:
        return Boundaries(), {}
    try:
        return fit(latents, scores, concepts), {}
    except DataError as error:
        if len(concepts) == 1:
            return Boundaries(), {concepts[0].name: str(error)}
    refused: dict[str, str] = {}
    for j, concept in enumerate(concepts):
        try:
            fit(latents, scores[:, [j]], [concept])
        except DataError as error:
            refused[concept.name] = str(error)
    left = [j for j, concept in enumerate(concepts) if concept.name not in refused]
    if not left:
        return Boundaries(), refused
    return fit(latents, scores[:, left], [concepts[j] for j in left]), refused


def _conditional(boundaries: Boundaries, conditions: Sequence[Condition]) -> list[Boundary]:
    """The configured conditional directions, as far as the concepts they name have boundaries.

    Their offset keeps the hyperplane's distance from the origin's projection: it is that of the
    original boundary, seen along the new normal.
    """
    made = []
    for condition in conditions:
        if not {condition.edit, *condition.keep} <= set(boundaries.names):
            continue
        primal = boundaries.of(condition.edit)
        if primal.normal.ndim != 1:
            raise DataError(f"conditions: '{condition.edit}' has a boundary per layer; conditional directions need one for all layers")
        normal = conditioned(primal.normal, [boundaries.of(name).normal for name in condition.keep], name=condition.edit, names=condition.keep)
        cosine = float(normal @ primal.normal.astype(np.float64))
        made.append(
            replace(
                primal,
                normal=normal.astype(np.float32),
                offset=np.asarray(float(primal.offset) / cosine, dtype=np.float32),
                given=tuple(condition.keep),
                facts={"cosine_with_unconditional": cosine},
            )
        )
    return made


def _invariant(row: dict[str, Any]) -> str:
    if row["samples"] == 0:
        return "undefined for every sample"
    return f"does not vary here: its spread is {row['sd']:.3g}, the least that counts is {row['least']:.3g}"
