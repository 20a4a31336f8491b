"""Learn a boundary for each concept from samples and their scores (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
from ..conformance.learned import check_learned, check_repeated
from ..device import resolve_precision
from ..errors import DataError, PluginBroken, UserError, nearest
from ..figures.notebook import html_table
from ..messages import listed
from ..plugins.arguments import require, several
from ..plugins.base import owner_of
from ..plugins.boundary import STYLES, Boundaries, Boundary
from ..plugins.compatibility import refusal_of_space
from ..plugins.contracts import BoundaryLearner, Generator
from ..plugins.records import Concept
from ..plugins.scoring import digest
from ..probing.samples import Samples
from ..probing.styles import styles_of_samples
from ..runs.manifest import ConceptStats
from ..strata.moves import conditioned
from .null_directions import Fit
from .relearning import learn_again
from .resampled import Resampled
from .targets import matched, with_targets

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LearningTask:
    """Hold a learner and the data that it learns from.

    Attributes:
        learner: the plugin.
        generator: generator of the samples.
        latents: w (N, D), codes (N, L, D) for learners of w+, or styles (N, S) to learn in s.
        scores: (N, C).
        concepts: concepts of the C columns of `scores`.
        classes: classes of a conditional generator (N,), for learners that compare within classes.
        styles: whether the latents are styles, and the boundaries lie in s.
        precision: number format of the passes of learners that train.
        on_share: called with the share of their work that is done.
    """

    learner: BoundaryLearner
    generator: Generator
    latents: Floats
    scores: Floats
    concepts: Sequence[Concept]
    classes: NDArray[np.int64] | None
    styles: bool = False
    precision: str = "fp32"
    on_share: Callable[[float], None] = lambda _: None

    def without(self, names: Collection[str]) -> LearningTask:
        """Return the same task without the concepts of these names."""
        columns = [j for j, concept in enumerate(self.concepts) if concept.name not in names]
        return replace(self, scores=self.scores[:, columns], concepts=[self.concepts[j] for j in columns])

    def resampled(self, rows: NDArray[np.int64]) -> LearningTask:
        """Return the task with these rows of its samples; a row may be there several times."""
        classes = None if self.classes is None else self.classes[rows]
        return replace(self, latents=self.latents[rows], scores=self.scores[rows], classes=classes)

    def fit(self, seed: int) -> Fit:
        """Return a function of latents, scores and concepts that calls the learner and checks its result."""
        more: dict[str, Any] = {} if self.classes is None else {"classes": self.classes}
        if self.learner.trains:
            more |= {"precision": self.precision, "on_share": self.on_share}
        return partial(_checked, self.learner, self.generator, seed, styles=self.styles, **more)

    def learn(self, seed: int) -> tuple[Boundaries, dict[str, str]]:
        """Learn boundaries.

        Directions without labels get their targets (`with_targets`).

        Returns:
            The boundaries, and a dict concept -> reason for the concepts that could not be learnt.
        """
        if self.learner.supervised:
            return _learn(self.fit(seed), self.latents, self.scores, self.concepts)
        found = self.fit(seed)(self.latents, self.scores, self.concepts)
        return with_targets(found, self.latents, self.scores, self.concepts), {}

    def check_repeats(self, seed: int) -> None:
        """Learn one concept twice, the first that can be learnt, and compare.

        Learners of directions without labels may take long and have no single concept; the conformance kit
        alone asks them twice.

        Raises:
            PluginBroken: the learner draws random numbers that do not follow from the seed.
        """
        fit = self.fit(seed)
        for j, concept in enumerate(self.concepts if self.learner.supervised else ()):
            with suppress(DataError):
                first, again = (fit(self.latents, self.scores[:, [j]], [concept]) for _ in range(2))
                check_repeated(first, again, self.learner)
                return


class Learnt(Boundaries):
    """Hold boundaries and how they were learnt.

    Attributes:
        skipped: concept without a boundary -> reason.
        relearnt: the same boundaries learnt again from resampled samples; None without resampling.
    """

    skipped: Mapping[str, str] = MappingProxyType({})
    relearnt: Resampled | None = None

    def _repr_html_(self) -> str:
        """Return the table of boundaries and of skipped concepts that a notebook shows."""
        rows = [(boundary.name, boundary.level, "") for boundary in self]
        rows += [(concept, "", reason) for concept, reason in self.skipped.items()]
        return html_table(("boundary", "level", "no boundary, because"), rows)


def learn(
    generator: Generator,
    samples: Samples,
    learner: BoundaryLearner,
    *,
    space: str = "w",
    concepts: str | Sequence[str] = ("*",),
    conditions: Sequence[Condition] = (),
    resamples: int = 12,
    seed: int = 0,
    precision: str = "fp32",
) -> Learnt:
    """Learn a boundary for each concept that varies: a unit normal n and an offset b.

    n.w + b is the signed distance of w from the hyperplane; it is positive on the side of high scores. In
    space s, n.s + b is that of the styles s with which a picture is made.

    Args:
        generator: generator of the samples. Boundaries store its fingerprint and fit no other generator.
        samples: from `ganstrata.probe`.
        learner: from `ganstrata.load_learner`.
        space: `w` for the space of the codes (z without a mapping network, w+ for learners of w+), or `s` for
            the style channels of all strata.
        concepts: one pattern or several patterns of concept names, such as `hue/*`.
        conditions: a concept to edit and the concepts to keep. Each condition adds a conditional direction.
        resamples: how often the boundaries are learnt again from resampled samples (bootstrap). The intervals
            of effects then include the variance due to learning. 0 for none.
        seed: seed of the learner's random choices and of the resampling.
        precision: fp32, bf16, or on CUDA fp16, in which the generator runs for learners that train.

    Raises:
        UserError: an argument has the wrong type, a pattern matches no concept, or the learner does not fit
            the generator or the space.
        DataError: no concept could be learnt, or a learner of w+ needs codes and the samples have none.
    """
    require("learn()", "generator", generator, Generator, "ganstrata.load_generator")
    require("learn()", "samples", samples, Samples, "ganstrata.probe")
    require("learn()", "learner", learner, BoundaryLearner, "ganstrata.load_learner")
    learner.check_generator(generator)
    _check_space(space, learner)
    concepts, names = several(concepts), [concept.name for concept in samples.concepts]
    for pattern in concepts:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(
                f"concepts: '{pattern}' matches none.{nearest(pattern, names)} There are {listed(names)}"
            )
    if learner.layerwise and samples.codes is None:
        raise DataError(
            f"{owner_of(learner)} learns one boundary per layer and needs samples with mixed styles; "
            "call probe() with mixing above 0"
        )
    matching = [j for j, name in enumerate(names) if any(fnmatchcase(name, pattern) for pattern in concepts)]
    columns = [j for j in matching if samples.statistics[j].varies]
    skipped = {names[j]: reason_invariant(samples.statistics[j]) for j in matching if j not in columns}
    styles = space == STYLES
    if styles:
        latents = styles_of_samples(generator, samples.w, samples.codes, samples.condition)
    else:
        latents = samples.codes if learner.layerwise and samples.codes is not None else samples.w
    classes = samples.classes if learner.within_classes else None
    task = LearningTask(
        learner,
        generator,
        latents,
        samples.scores[:, columns],
        [samples.concepts[j] for j in columns],
        classes,
        styles,
        resolve_precision(precision, generator.device),
    )
    unconditional, refused = task.learn(seed)
    skipped |= refused
    if not unconditional:
        raise DataError(f"no boundary could be learnt:\n{reasons(skipped)}")
    learnt = Learnt([*unconditional, *conditional_directions(unconditional, conditions)])
    learnt.skipped = MappingProxyType(skipped)
    if resamples and learner.from_samples:
        learn_rows = partial(learn_from_resample, task.without(refused), conditions, learnt)
        learnt.relearnt = learn_again(
            learn_rows,
            learnt,
            latents if styles else samples.w,
            count=resamples,
            seed=seed,
            done=lambda: None,
        ).resampled
    return learnt


def _check_space(space: str, learner: BoundaryLearner) -> None:
    """Refuse a space in which no learner, or not this one, can learn.

    Raises:
        UserError: there is no such space, or the learner cannot learn in it.
    """
    if space not in ("w", STYLES):
        raise UserError(
            f"space={space!r}: boundaries are learnt in 'w', the space of the codes, or in 's', that of "
            "style channels"
        )
    if reason := refusal_of_space(learner, space):
        raise UserError(f"space='{space}': the {owner_of(learner)} {reason}")


def reasons(skipped: Mapping[str, str]) -> str:
    """Return a line `concept: reason` for each of the first eight concepts, and how many follow."""
    lines = [f"  {name}: {reason}" for name, reason in list(skipped.items())[:8]]
    return "\n".join([*lines, *([f"  and {len(skipped) - 8} more"] if len(skipped) > 8 else [])])


def reason_invariant(concept: ConceptStats) -> str:
    """Return why a concept does not vary, from the statistics of its scores."""
    if concept.samples == 0:
        return "undefined for every sample"
    return (
        f"does not vary here: its standard deviation is {concept.sd:.3g}, the minimum is {concept.least:.3g}"
    )


def learn_from_resample(
    task: LearningTask,
    conditions: Sequence[Condition],
    before: Boundaries,
    rows: NDArray[np.int64],
    seed: int,
) -> tuple[Boundaries, dict[str, str]]:
    """Learn boundaries and conditional directions from these rows of the samples.

    Args:
        task: with all samples.
        conditions: conditions from which conditional directions are computed.
        before: the boundaries learnt from all samples, whose names directions without labels get.
        rows: rows to learn from (N,), some of them several times.
        seed: seed of the learner.

    Returns:
        The boundaries, and a dict name -> reason for those that could not be learnt.
    """
    resampled = task.resampled(rows)
    if task.learner.supervised:
        unconditional, reasons = resampled.learn(seed)
    else:
        try:
            found = resampled.fit(seed)(resampled.latents, resampled.scores, resampled.concepts)
        except DataError as error:
            return Boundaries(), {boundary.name: str(error) for boundary in before}
        unconditional, reasons = matched(found, before), {}
    boundaries = list(unconditional)
    for condition in conditions:
        try:
            boundaries += conditional_directions(unconditional, [condition])
        except DataError as error:  # in this resample the direction may lie in the span of its conditions
            reasons[f"{condition.edit}|{','.join(condition.keep)}"] = str(error)
    return Boundaries(boundaries), reasons


def _checked(
    learner: BoundaryLearner,
    generator: Generator,
    seed: int,
    latents: Floats,
    scores: Floats,
    concepts: Sequence[Concept],
    *,
    styles: bool,
    **more: Any,
) -> Boundaries:
    """Call the learner and check its result against the contract.

    The global random generators are seeded, in case the learner draws from them. A learner need not know of
    s: it learns from styles as from codes, and its boundaries are marked as those of s. `more` are
    arguments of those learners that take them.

    Raises:
        PluginBroken: the learner changed its input, or its result breaks the contract.
    """
    inputs = {"latents": latents, "scores": scores}
    inputs |= {name: values for name, values in more.items() if isinstance(values, np.ndarray)}
    before = {name: digest(torch.from_numpy(values)) for name, values in inputs.items()}
    with random_state.seeded(seed):
        returned = learner.learn(latents, scores, concepts, generator=generator, seed=seed, **more)
    for name, values in inputs.items():
        if digest(torch.from_numpy(values)) != before[name]:
            raise PluginBroken(
                f"{owner_of(learner)} changed the {name} that it was given, which are used again; "
                "make it change a copy instead"
            )
    if styles and isinstance(returned, Boundaries):
        returned = Boundaries(
            replace(boundary, space=STYLES) if isinstance(boundary, Boundary) else boundary
            for boundary in returned
        )
    return check_learned(returned, learner, concepts, generator, styles=styles)


def _learn(
    fit: Fit, latents: Floats, scores: Floats, concepts: Sequence[Concept]
) -> tuple[Boundaries, dict[str, str]]:
    """Learn all concepts at once; if the learner refuses that, learn those that it can learn one by one.

    Returns:
        The boundaries, and a dict concept -> reason for the concepts that could not be learnt.
    """
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
    columns = [j for j, concept in enumerate(concepts) if concept.name not in refused]
    if not columns:
        return Boundaries(), refused
    return fit(latents, scores[:, columns], [concepts[j] for j in columns]), refused


def conditional_directions(boundaries: Boundaries, conditions: Sequence[Condition]) -> list[Boundary]:
    """Compute the conditional directions of those conditions whose concepts all have boundaries.

    The normal n' is that of `conditioned`. The offset is b' = b / (n.n'), so both hyperplanes meet the line
    through the origin along n' at one point.

    Args:
        boundaries: one for all layers per concept.
        conditions: a concept to edit and the concepts to keep.

    Raises:
        DataError: a boundary has a normal per layer, or lies in the span of its conditions.
    """
    directions = []
    for condition in conditions:
        if not {condition.edit, *condition.keep} <= set(boundaries.names):
            continue
        primal = boundaries.of(condition.edit)
        if primal.normal.ndim != 1:
            raise DataError(
                f"conditions: '{condition.edit}' has one boundary per layer; a conditional direction "
                "needs one for all layers"
            )
        normal = conditioned(
            primal.normal,
            [boundaries.of(name).to_keep for name in condition.keep],
            name=condition.edit,
            names=condition.keep,
        )
        cosine = float(normal @ primal.normal.astype(np.float64))
        directions.append(
            replace(
                primal,
                normal=normal.astype(np.float32),
                offset=np.asarray(float(primal.offset) / cosine, dtype=np.float32),
                given=tuple(condition.keep),
                facts={"cosine_with_unconditional": cosine},
            )
        )
    return directions
