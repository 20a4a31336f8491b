"""Learn boundaries from arrays: all at once, without concepts that a learner refuses, or from a resample.

Every result is checked against the contract of learners.

Shapes: N samples, L layers, D code size, S style channels, C concepts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..config.schema import Condition
from ..conformance import random_state
from ..conformance.learned import check_learned, check_repeated
from ..errors import DataError, PluginBroken
from ..plugins.base import owner_of
from ..plugins.boundary import STYLES, Boundaries, Boundary
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..plugins.records import Concept
from ..plugins.scoring import digest
from ..storage.rows import Rows, with_columns, with_rows
from .conditional import conditional_directions
from .null_directions import Fit
from .targets import matched, with_targets

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LearningTask:
    """Hold a learner and the data that it learns from.

    Attributes:
        learner: the plugin.
        generator: generator of the samples.
        latents: w (N, D), codes (N, L, D) for learners of w+, or styles (N, S) to learn in s; arrays, or
            tables for learners that read blocks (see `given_to`).
        scores: (N, C).
        concepts: concepts of the C columns of `scores`.
        classes: classes of a conditional generator (N,), for learners that compare within classes.
        styles: whether the latents are styles, and the boundaries lie in s.
        precision: number format of the passes of learners that train.
        on_share: called with the share of their work that is done.
    """

    learner: BoundaryLearner
    generator: Generator
    latents: Rows
    scores: Rows
    concepts: Sequence[Concept]
    classes: NDArray[np.int64] | None
    styles: bool = False
    precision: str = "fp32"
    on_share: Callable[[float], None] = lambda _: None

    def without(self, names: Collection[str]) -> LearningTask:
        """Return the same task without the concepts of these names."""
        columns = [j for j, concept in enumerate(self.concepts) if concept.name not in names]
        return replace(
            self, scores=with_columns(self.scores, columns), concepts=[self.concepts[j] for j in columns]
        )

    def resampled(self, rows: NDArray[np.int64]) -> LearningTask:
        """Return the task with these rows of its samples, ascending; a row may be there several times."""
        classes = None if self.classes is None else self.classes[rows]
        latents, scores = (given_to(self.learner, with_rows(x, rows)) for x in (self.latents, self.scores))
        return replace(self, latents=latents, scores=scores, classes=classes)

    def fit(self, seed: int, *, measured: bool = True) -> Fit:
        """Return a function of latents, scores and concepts that calls the learner and checks its result.

        Args:
            seed: seed of the learner.
            measured: whether accuracies are wanted, of learners that can leave them out.
        """
        more: dict[str, Any] = {} if self.classes is None else {"classes": self.classes}
        if self.learner.in_blocks:
            more["measured"] = measured
        if self.learner.any_space:
            more["space"] = STYLES if self.styles else "w"
        if self.learner.trains:
            more |= {"precision": self.precision, "on_share": self.on_share}
        return partial(_checked, self.learner, self.generator, seed, styles=self.styles, **more)

    def learn(self, seed: int, *, measured: bool = True) -> tuple[Boundaries, dict[str, str]]:
        """Learn boundaries.

        Directions without labels get their targets (`with_targets`).

        Returns:
            The boundaries, and a dict concept -> reason for the concepts that could not be learnt.
        """
        if self.learner.supervised:
            return _learn(self.fit(seed, measured=measured), self.latents, self.scores, self.concepts)
        found = self.fit(seed)(self.latents, self.scores, self.concepts)
        return with_targets(found, self.latents, self.scores, self.concepts), {}

    def check_repeats(self, seed: int) -> None:
        """Learn one concept twice, the first that can be learnt, and compare.

        Learners of directions without labels may take long and have no single concept; the conformance kit
        alone asks them twice.

        Raises:
            PluginBroken: the learner draws random numbers that do not follow from the seed.
        """
        fit = self.fit(seed, measured=False)
        for j, concept in enumerate(self.concepts if self.learner.supervised else ()):
            with suppress(DataError):
                first, again = (
                    fit(self.latents, with_columns(self.scores, [j]), [concept]) for _ in range(2)
                )
                check_repeated(first, again, self.learner)
                return


def given_to(learner: BoundaryLearner, table: Rows) -> Rows:
    """Return a table as a learner is given it: as it is if the learner reads blocks, else as an array."""
    return table if learner.in_blocks or isinstance(table, np.ndarray) else table[:]


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
        rows: rows to learn from (N,), ascending, some of them several times.
        seed: seed of the learner.

    Returns:
        The boundaries, and a dict name -> reason for those that could not be learnt.
    """
    resampled = task.resampled(rows)
    if task.learner.supervised:
        unconditional, reasons = resampled.learn(seed, measured=False)
    else:
        try:
            found = resampled.fit(seed, measured=False)(
                resampled.latents, resampled.scores, resampled.concepts
            )
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
    latents: Rows,
    scores: Rows,
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
    # What is read from disk is read again, so that no change of it lasts.
    inputs = {
        name: values
        for name, values in {"latents": latents, "scores": scores, **more}.items()
        if isinstance(values, np.ndarray)
    }
    before = {name: digest(torch.from_numpy(values)) for name, values in inputs.items()}
    with random_state.seeded(seed):
        returned = learner.learn(  # tables only if it reads blocks, see `given_to`
            cast("Floats", latents), cast("Floats", scores), concepts, generator=generator, seed=seed, **more
        )
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
    fit: Fit, latents: Rows, scores: Rows, concepts: Sequence[Concept]
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
            fit(latents, with_columns(scores, [j]), [concept])
        except DataError as error:
            # Reasons stand beside the name wherever they are shown.
            refused[concept.name] = str(error).removeprefix(f"{concept.name}: ")
    columns = [j for j, concept in enumerate(concepts) if concept.name not in refused]
    if not columns:
        return Boundaries(), refused
    return fit(latents, with_columns(scores, columns), [concepts[j] for j in columns]), refused
