"""Stage 2: a boundary for every concept that varies (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..config.schema import Condition
from ..conformance import chance
from ..conformance.learned import check_learned
from ..errors import DataError, PluginBroken
from ..plugins.base import owner_of
from ..plugins.contracts import BoundaryLearner, Generator
from ..plugins.records import Boundaries, Boundary, Concept
from ..plugins.scoring import digest
from ..probing.stage import read_classes, read_finite, read_latents, read_scores
from ..runs.engine import Engine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..strata.moves import conditioned
from ..text import listed, visible
from .files import FILES, save_boundaries
from .null_directions import FILE as NULL_FILE
from .null_directions import Fit, permuted_directions, save_directions
from .relearning import learn_again
from .relearnt import FILE as RESAMPLED_FILE

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Lessons:
    """What there is to learn from.

    Attributes:
        latents: w (N, D), or codes (N, L, D) for learners of w+.
        scores: of the concepts, (N, C).
        classes: of a conditional generator (N,), for learners that compare within classes.
    """

    prepared: Prepared
    latents: Floats
    scores: Floats
    concepts: Sequence[Concept]
    classes: NDArray[np.int64] | None

    @classmethod
    def read(cls, run: Run, prepared: Prepared, columns: Sequence[int], w: Floats, codes: Floats | None) -> _Lessons:
        """Of the samples of a run that have a finite picture, with the concepts of these columns."""
        latents = codes if prepared.learner.layerwise and codes is not None else w
        finite = read_finite(run, prepared)
        classes = read_classes(run, prepared) if prepared.learner.within_classes else None
        scores, concepts = read_scores(run, prepared)[:, columns], [prepared.concepts[j] for j in columns]
        return cls(prepared, latents[finite], scores[finite], concepts, None if classes is None else classes[finite])

    def without(self, refused: Collection[str]) -> _Lessons:
        """The same but for some concepts."""
        kept = [j for j, concept in enumerate(self.concepts) if concept.name not in refused]
        return replace(self, scores=self.scores[:, kept], concepts=[self.concepts[j] for j in kept])

    def resampled(self, rows: NDArray[np.int64]) -> _Lessons:
        """These samples, some of them several times."""
        classes = None if self.classes is None else self.classes[rows]
        return replace(self, latents=self.latents[rows], scores=self.scores[rows], classes=classes)

    def fit(self, seed: int) -> Fit:
        """The run's learner, with all that it is given beside latents, scores and concepts."""
        extra: dict[str, Any] = {} if self.classes is None else {"classes": self.classes}
        return partial(_checked, self.prepared.learner, self.prepared.generator, seed, extra)

    def learn(self, seed: int) -> tuple[Boundaries, dict[str, str]]:
        """Boundaries, and why other concepts have none."""
        return _learn(self.fit(seed), self.latents, self.scores, self.concepts)


def learn(run: Run, engine: Engine, progress: Progress) -> None:
    """Write boundaries.safetensors and boundaries.json, and what resampled samples give."""
    prepared = engine.prepared
    config, conditions, seed = prepared.config.rescoring, prepared.config.conditions, prepared.config.synthesis.seed
    varies = {row["id"]: row for row in run.concepts}
    wanted = [prepared.concepts[j] for j in prepared.chosen]
    skipped = {c.name: _invariant(varies[c.name]) for c in wanted if not varies[c.name]["varies"]}
    columns = [j for j in prepared.chosen if prepared.concepts[j].name not in skipped]
    with progress.stage("learn", total=len(columns) * (1 + config.learning_resamples)) as step:
        w, codes = read_latents(run, prepared)
        lessons = _Lessons.read(run, prepared, columns, w, codes)
        plain, refused = lessons.learn(seed)
        skipped |= refused
        if not plain:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in list(skipped.items())[:8])
            raise DataError(f"no boundary could be learnt:\n{reasons}")
        _check_named(plain, prepared)
        lessons = lessons.without(refused)
        files: tuple[str, ...] = FILES
        facts: dict[str, Any] = {}
        if config.null == "permuted":
            given = (lessons.fit(seed), lessons.latents, lessons.scores, lessons.concepts)
            save_directions(run, permuted_directions(*given, count=config.null_directions, seed=seed, classes=lessons.classes))
            files = (*files, NULL_FILE)
        boundaries = Boundaries([*plain, *_conditional(plain, conditions)])
        step(len(columns))
        if config.learning_resamples:
            again = partial(_learn_again, lessons, conditions)
            relearnt = learn_again(
                again, boundaries, w[read_finite(run, prepared)], count=config.learning_resamples, seed=seed, done=lambda: step(len(columns))
            )
            relearnt.resampled.save(run.path)
            files, facts = (*files, RESAMPLED_FILE), {"not_relearnt": relearnt.facts}
    save_boundaries(boundaries, run.path, skipped)
    run.finish("learn", seconds=step.seconds, files=files, boundaries=len(boundaries), skipped=len(skipped), **facts)


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


def _learn_again(lessons: _Lessons, conditions: Sequence[Condition], rows: NDArray[np.int64], seed: int) -> tuple[Boundaries, dict[str, str]]:
    """Boundaries and conditional directions from resampled samples, and why others are missing."""
    plain, reasons = lessons.resampled(rows).learn(seed)
    made = list(plain)
    for condition in conditions:
        try:
            made += _conditional(plain, [condition])
        except DataError as error:  # here what is to be kept may lie too near
            reasons[f"{condition.edit}|{','.join(condition.keep)}"] = str(error)
    return Boundaries(made), reasons


def _checked(
    learner: BoundaryLearner, generator: Generator, seed: int, extra: Mapping[str, Any], latents: Floats, scores: Floats, concepts: Sequence[Concept]
) -> Boundaries:
    """What the learner gives, held against the contract; where it draws from global random numbers, they are those of the seed."""
    given = {"latents": latents, "scores": scores, **{name: value for name, value in extra.items() if isinstance(value, np.ndarray)}}
    before = {name: digest(torch.from_numpy(values)) for name, values in given.items()}
    with chance.seeded(seed):
        returned = learner.learn(latents, scores, concepts, generator=generator, seed=seed, **extra)
    for name, values in given.items():
        if digest(torch.from_numpy(values)) != before[name]:
            raise PluginBroken(f"{owner_of(learner)} writes into the {name} that it is given, from which it learns again; have it work on a copy")
    return check_learned(returned, learner, concepts, generator)


def _learn(fit: Fit, latents: Floats, scores: Floats, concepts: Sequence[Concept]) -> tuple[Boundaries, dict[str, str]]:
    """All concepts at once; if that is refused, those that can be learnt, and why the others cannot."""
    if not concepts:
        return Boundaries(), {}
    with suppress(DataError):
        return fit(latents, scores, concepts), {}
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
