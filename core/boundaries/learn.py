"""Learns a boundary for every concept from samples and their scores (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..config.schema import Condition
from ..conformance import random_state
from ..conformance.learned import check_learned
from ..errors import DataError, PluginBroken, UserError, nearest
from ..plugins.base import owner_of
from ..plugins.contracts import BoundaryLearner, Generator
from ..plugins.records import Boundaries, Boundary, Concept
from ..plugins.scoring import digest
from ..probing.samples import Samples
from ..strata.moves import conditioned
from ..text import listed
from .null_directions import Fit
from .relearning import learn_again
from .relearnt import Resampled

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lessons:
    """What there is to learn from.

    Attributes:
        latents: w (N, D), or codes (N, L, D) for learners of w+.
        scores: of the concepts, (N, C).
        classes: of a conditional generator (N,), for learners that compare within classes.
    """

    learner: BoundaryLearner
    generator: Generator
    latents: Floats
    scores: Floats
    concepts: Sequence[Concept]
    classes: NDArray[np.int64] | None

    def without(self, refused: Collection[str]) -> Lessons:
        """The same but for some concepts."""
        kept = [j for j, concept in enumerate(self.concepts) if concept.name not in refused]
        return replace(self, scores=self.scores[:, kept], concepts=[self.concepts[j] for j in kept])

    def resampled(self, rows: NDArray[np.int64]) -> Lessons:
        """These samples, some of them several times."""
        classes = None if self.classes is None else self.classes[rows]
        return replace(self, latents=self.latents[rows], scores=self.scores[rows], classes=classes)

    def fit(self, seed: int) -> Fit:
        """The run's learner, with all that it is given beside latents, scores and concepts."""
        extra: dict[str, Any] = {} if self.classes is None else {"classes": self.classes}
        return partial(_checked, self.learner, self.generator, seed, extra)

    def learn(self, seed: int) -> tuple[Boundaries, dict[str, str]]:
        """Boundaries, and why other concepts have none."""
        return _learn(self.fit(seed), self.latents, self.scores, self.concepts)


class Learnt(Boundaries):
    """Boundaries with what was found on the way.

    Attributes:
        skipped: why other concepts have no boundary, by name.
        relearnt: what resampled samples give in place of each; None where nothing was learnt again.
    """

    skipped: Mapping[str, str] = MappingProxyType({})
    relearnt: Resampled | None = None


def learn(
    samples: Samples,
    learner: BoundaryLearner,
    generator: Generator,
    *,
    concepts: Sequence[str] = ("*",),
    conditions: Sequence[Condition] = (),
    resamples: int = 12,
    seed: int = 0,
) -> Learnt:
    """Learn a unit normal n and an offset b for every concept that varies: n.w + b > 0 on its side of the hyperplane.

    Args:
        samples: what `ganstrata.probe` gives.
        learner: what `ganstrata.load_learner` gives.
        generator: of the samples; boundaries bear its fingerprint and fit no other.
        concepts: patterns of the names of concepts, such as `hue/*`.
        conditions: pairs of a concept to edit and concepts to keep, which get a direction beside their boundary.
        resamples: how often boundaries are learnt again from resampled samples, so that effects have intervals that hold over
            other learning samples too; 0 for none.
        seed: of everything random that the learner does.

    Raises:
        UserError: a pattern matches no concept.
        DataError: no concept could be learnt, or the samples have no codes for a learner of w+.
    """
    names = [concept.name for concept in samples.concepts]
    for pattern in concepts:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(
                f"concepts: '{pattern}' matches none.{nearest(pattern, names)} There are {listed(names)}"
            )
    if learner.layerwise and samples.codes is None:
        raise DataError(
            f"{owner_of(learner)} learns a boundary per layer, which needs codes of mixed styles: give probe() mixing above 0"
        )
    wanted = [j for j, name in enumerate(names) if any(fnmatchcase(name, pattern) for pattern in concepts)]
    columns = [j for j in wanted if samples.statistics[j].varies]
    skipped = {
        names[j]: why_invariant(samples.statistics[j].model_dump()) for j in wanted if j not in columns
    }
    latents = samples.codes if learner.layerwise and samples.codes is not None else samples.w
    classes = samples.classes if learner.within_classes else None
    lessons = Lessons(
        learner,
        generator,
        latents,
        samples.scores[:, columns],
        [samples.concepts[j] for j in columns],
        classes,
    )
    plain, refused = lessons.learn(seed)
    skipped |= refused
    if not plain:
        raise DataError(f"no boundary could be learnt:\n{reasons(skipped)}")
    learnt = Learnt([*plain, *conditional(plain, conditions)])
    learnt.skipped = MappingProxyType(skipped)
    if resamples:
        again = partial(learn_again_from, lessons.without(refused), conditions)
        learnt.relearnt = learn_again(
            again, learnt, samples.w, count=resamples, seed=seed, done=lambda: None
        ).resampled
    return learnt


def reasons(skipped: Mapping[str, str]) -> str:
    """Say why concepts have no boundary, a line each, the first eight."""
    return "\n".join(f"  {name}: {reason}" for name, reason in list(skipped.items())[:8])


def why_invariant(row: Mapping[str, Any]) -> str:
    """Say why a concept does not vary, from its statistics."""
    if row["samples"] == 0:
        return "undefined for every sample"
    return f"does not vary here: its spread is {row['sd']:.3g}, the least that counts is {row['least']:.3g}"


def learn_again_from(
    lessons: Lessons, conditions: Sequence[Condition], rows: NDArray[np.int64], seed: int
) -> tuple[Boundaries, dict[str, str]]:
    """Boundaries and conditional directions from resampled samples, and why others are missing."""
    plain, reasons = lessons.resampled(rows).learn(seed)
    made = list(plain)
    for condition in conditions:
        try:
            made += conditional(plain, [condition])
        except DataError as error:  # here what is to be kept may lie too near
            reasons[f"{condition.edit}|{','.join(condition.keep)}"] = str(error)
    return Boundaries(made), reasons


def _checked(
    learner: BoundaryLearner,
    generator: Generator,
    seed: int,
    extra: Mapping[str, Any],
    latents: Floats,
    scores: Floats,
    concepts: Sequence[Concept],
) -> Boundaries:
    """What the learner gives, held against the contract; where it draws from global random numbers, they are those of the seed."""
    given = {
        "latents": latents,
        "scores": scores,
        **{name: value for name, value in extra.items() if isinstance(value, np.ndarray)},
    }
    before = {name: digest(torch.from_numpy(values)) for name, values in given.items()}
    with random_state.seeded(seed):
        returned = learner.learn(latents, scores, concepts, generator=generator, seed=seed, **extra)
    for name, values in given.items():
        if digest(torch.from_numpy(values)) != before[name]:
            raise PluginBroken(
                f"{owner_of(learner)} writes into the {name} that it is given, from which it learns again; have it work on a copy"
            )
    return check_learned(returned, learner, concepts, generator)


def _learn(
    fit: Fit, latents: Floats, scores: Floats, concepts: Sequence[Concept]
) -> tuple[Boundaries, dict[str, str]]:
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


def conditional(boundaries: Boundaries, conditions: Sequence[Condition]) -> list[Boundary]:
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
            raise DataError(
                f"conditions: '{condition.edit}' has a boundary per layer; conditional directions need one for all layers"
            )
        normal = conditioned(
            primal.normal,
            [boundaries.of(name).normal for name in condition.keep],
            name=condition.edit,
            names=condition.keep,
        )
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
