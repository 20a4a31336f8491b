"""Learn a boundary for each concept from samples and their scores (method A.2 to A.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType

from ..config.schema import Condition
from ..decimals import significant
from ..device import resolve_precision
from ..errors import DataError, UserError, nearest
from ..figures.notebook import html_table
from ..messages import listed
from ..plugins.arguments import require, several
from ..plugins.base import owner_of
from ..plugins.boundary import STYLES, Boundaries
from ..plugins.compatibility import refusal_of_space
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..probing.samples import Samples
from ..probing.styles import StyleRows
from ..runs.manifest import ConceptStats
from ..storage.rows import Rows
from .conditional import conditional_directions
from .relearning import learn_again
from .resampled import Resampled
from .tasks import LearningTask, given_to, learn_from_resample


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
        latents: Rows = StyleRows(generator, samples.w, samples.codes, samples.condition)
    else:
        latents = samples.codes if learner.layerwise and samples.codes is not None else samples.w
    classes = samples.classes if learner.within_classes else None
    task = LearningTask(
        learner,
        generator,
        given_to(learner, latents),
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
            task.latents if styles else samples.w,
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
        f"does not vary here: its standard deviation is {significant(concept.sd, 3)}, the minimum is "
        f"{significant(concept.least, 3)}"
    )
