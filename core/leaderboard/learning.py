"""Learn the boundaries of one learner, one for each concept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..boundaries.targets import correlations
from ..boundaries.tasks import LearningTask
from ..config.reading import option_faults
from ..errors import ConfigError, DataError, PluginBroken, PluginConflict
from ..plugins.boundary import STYLES, Boundaries, Boundary
from ..plugins.compatibility import refusal_of_space
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..plugins.registry import registry
from ..runs.loading import build
from .entries import Entry, parse_learners, require_known
from .request import BoardRequest
from .sampled import Sampled, distances_of

SHARE = 0.2
"""Share of the samples that are positives, and negatives, for every learner that has these options."""
CHOSEN_AMONG = "chosen_among"
"""Fact of a direction without labels: number of directions among which it is the best for its concept."""


@dataclass(frozen=True)
class Learned:
    """Hold a learner's boundaries, one for each of the B concepts in order, and what they cost.

    Attributes:
        boundaries: the boundaries.
        supervised: whether the learner used scores.
        milliseconds: time per direction that the learner found.
    """

    boundaries: Boundaries
    supervised: bool
    milliseconds: float


def options_of(entry: Entry) -> dict[str, Any]:
    """Return the options of a learner, with the common share of extremes if it has these fields.

    Raises:
        GanstrataError: there is no such learner.
    """
    fields = registry().boundary(entry.use).Config.model_fields
    common: dict[str, Any] = {name: SHARE for name in ("positives", "negatives") if name in fields}
    return {**common, **entry.options}


def checked_learners(request: BoardRequest) -> list[Entry]:
    """Return which learners are asked for, after checking their names and options.

    A plugin that does not load is let pass: it is named when it is built, and the others continue.

    Raises:
        UserError: the learners or the baseline cannot be read.
        PluginNotFound: there is no learner of such a name.
        ConfigError: a learner has no such option, or does not allow this value.
    """
    entries = parse_learners(request.learners)
    require_known(request.baseline, [entry.label for entry in entries])
    for entry in entries:
        with suppress(PluginBroken, PluginConflict):
            _check_options(entry)
    return entries


def _check_options(entry: Entry) -> None:
    info = registry().info("boundary", entry.use)
    faults = option_faults(
        info.load().Config, options_of(entry), (), f"'{entry.use}' (from {info.distribution})"
    )
    if faults:
        raise ConfigError(f"learner '{entry.label}'", faults)


def built(
    entry: Entry, generator: Generator, samples: int, *, mixed: bool, space: str = "w"
) -> BoundaryLearner:
    """Build a learner.

    Args:
        entry: name and options.
        generator: the generator in whose space it learns, on its device.
        samples: number of samples to learn from.
        mixed: whether the samples mix styles.
        space: the space of the comparison, `w` or `s`.

    Raises:
        GanstrataError: it cannot be had, or not for this generator or these samples.
    """
    learner = cast(
        "BoundaryLearner", build("boundary", entry.use, options_of(entry), device=str(generator.device))
    )
    if reason := refusal_of_space(learner, space):
        other = "w" if space == STYLES else "s"
        raise DataError(
            f"{reason}. Steps in the two spaces have no common length, so this is another comparison: "
            f"--set learning.space={other}"
        )
    learner.check(samples)
    learner.check_generator(generator)
    if learner.layerwise and not mixed:
        raise DataError(
            "learns a boundary per layer, which needs style-mixed codes: --set synthesis.mixing=0.5"
        )
    return learner


def learned(
    learner: BoundaryLearner, generator: Generator, sampled: Sampled, seed: int, precision: str = "fp32"
) -> Learned:
    """Learn, and represent each concept by a boundary.

    Args:
        learner: the learner.
        generator: generator of the samples.
        sampled: the samples.
        seed: seed of the learner.
        precision: fp32, bf16 or fp16, in which the generator runs for learners that train.

    Raises:
        GanstrataError: the learner refuses the samples, or breaks the contract.
    """
    latents = sampled.codes if learner.layerwise and sampled.codes is not None else sampled.w
    classes = sampled.classes if learner.within_classes else None
    task = LearningTask(
        learner, generator, latents, sampled.scores, sampled.concepts, classes, sampled.styles, precision
    )
    began = time.perf_counter()
    found = task.fit(seed)(latents, sampled.scores, sampled.concepts)
    seconds = time.perf_counter() - began
    if not found:
        raise DataError("it found no direction")
    ordered = (
        Boundaries(found.of(concept.name) for concept in sampled.concepts)
        if type(learner).supervised
        else best_for_concepts(found, sampled)  # whatever targets they have: several may have the same
    )
    return Learned(ordered, type(learner).supervised, 1000.0 * seconds / len(found))


def ways_of_choice(boundaries: Sequence[Boundary]) -> NDArray[np.int64]:
    """Return among how many directions and senses that of each concept was chosen, (B,).

    It is 2 J for the best of J directions without labels, and 1 for a boundary that was learnt from scores.
    """
    return np.array([max(2 * int(b.facts.get(CHOSEN_AMONG, 0)), 1) for b in boundaries], dtype=np.int64)


def best_for_concepts(found: Boundaries, sampled: Sampled) -> Boundaries:
    """Return, for each concept, the direction whose distances correlate best with its scores.

    Either sign is allowed. The boundary is placed so that half of the samples lie on either side.

    Raises:
        DataError: no direction varies together with a concept.
    """
    projected = [distances_of(boundary, sampled.w, sampled.codes) for boundary in found]
    agreement = correlations(np.stack(projected, axis=1), sampled.scores)  # (J, B)
    chosen = []
    for concept, column in zip(sampled.concepts, agreement.T, strict=True):
        best = int(np.abs(column).argmax())
        if column[best] == 0.0:
            raise DataError(f"no direction of it varies among the samples, so none stands for {concept.name}")
        sign = np.float32(1.0 if column[best] > 0.0 else -1.0)
        middle = np.float32(np.median(sign * projected[best]))
        chosen.append(
            replace(
                found[best],
                concept=concept.name,
                level=concept.level,
                normal=sign * found[best].normal,
                offset=sign * found[best].offset - middle,
                facts={
                    **found[best].facts,
                    "matched": found[best].name,
                    "correlation": float(column[best]),
                    CHOSEN_AMONG: len(found),
                },
            )
        )
    return Boundaries(chosen)
