"""Learn the head of an extractor, by gradient descent or in closed form, and note how it went."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ...config.schema import Use
from ...config.segment_schema import TrainingSection
from ...messages import listed
from ...runs.progress import Progress
from ...storage.json_values import JsonValue
from ...storage.training_state import TrainingState
from ..extractor import Architecture
from ..heads import Head
from ..samples import LabelledSamples
from ..teacher import Teacher
from .closed_form import Candidate, ClosedForm, ClosedFormSettings, solve_closed_form
from .log import COLUMNS, Log
from .training import Trainer, TrainingSettings
from .whitened import WhitenedSettings, solve_whitened


@dataclass(frozen=True)
class Learnt:
    """Hold a head that was learnt.

    Attributes:
        head: the network.
        rows: numbers of COLUMNS, from first to last; NaN for what the method does not measure.
        facts: what the header of an extractor says of its quality and its solution.
    """

    head: Head
    rows: list[list[Any]]
    facts: dict[str, Any] = field(default_factory=dict)


def facts_of(
    learnt: Learnt, teacher: Teacher, taught_by: Use, training: TrainingSection
) -> dict[str, JsonValue]:
    """Return what the header of an extractor says of its teacher, its training and its quality.

    Args:
        learnt: the head.
        teacher: what it learnt from.
        taught_by: name and config of the teacher's plugin.
        training: method and numbers.
    """
    return {
        "teacher": {
            "plugin": taught_by.use,
            "options": dict(taught_by.options),
            "weights": teacher.segmenter.checkpoint,
            "classes": list(teacher.classes),
        },
        "training": training.model_dump(mode="json"),
        **learnt.facts,
    }


def learnt_head(
    samples: LabelledSamples,
    architecture: Architecture,
    training: TrainingSection,
    progress: Progress,
    *,
    stored: TrainingState | None = None,
    keep: Callable[[Trainer, Log], None] = lambda trainer, log: None,
) -> Learnt:
    """Learn a head.

    Args:
        samples: generator and teacher.
        architecture: of the head.
        training: method and numbers.
        progress: where progress is shown.
        stored: state to continue from; a closed form is too quick to be continued half-way.
        keep: called after every step of gradient descent, to store its state.

    Raises:
        DataError: the loss or a feature map is not finite, or fewer than two classes occur.
    """
    if training.method == "gradient":
        return _descended(samples, architecture, training, progress, stored, keep)
    return _solved(samples, training, progress)


def _descended(
    samples: LabelledSamples,
    architecture: Architecture,
    training: TrainingSection,
    progress: Progress,
    stored: TrainingState | None,
    keep: Callable[[Trainer, Log], None],
) -> Learnt:
    settings = TrainingSettings(
        training.pictures, training.learning_rate, training.layerwise_loss, training.seed
    )
    trainer = Trainer(samples, architecture, settings)
    log = Log(len(samples.teacher.classes), samples.teacher.background, settings.images, stored)
    if stored is not None:
        trainer.restore(stored.tensors, stored.position)
    with progress.stage("train", total=settings.images, done=trainer.position) as bar:
        for taken in trainer.steps():
            log.add(taken, bar)
            keep(trainer, log)
    quality = {
        name: value
        for name, value in zip(COLUMNS, log.rows[-1], strict=True)
        if name not in ("mIoU of held-out pixels", "seconds")
    }
    return Learnt(trainer.head, log.rows, {"quality": quality})


def _solved(samples: LabelledSamples, training: TrainingSection, progress: Progress) -> Learnt:
    if training.method == "whitened":
        return _refined(samples, training, progress)
    assert training.method != "gradient"
    settings = ClosedFormSettings(training.method, training.pictures)
    with progress.stage("solve", total=settings.images + settings.held_out) as bar:
        found = solve_closed_form(samples, settings, bar)
        seconds = round(bar.seconds, 1)
    rows: list[list[Any]] = [[settings.images, math.nan, math.nan, math.nan, found.best.miou, seconds]]
    return _of_solution(samples, progress, found, found.best, settings, rows)


def _refined(samples: LabelledSamples, training: TrainingSection, progress: Progress) -> Learnt:
    settings = WhitenedSettings(training.pictures)
    with progress.stage("solve", total=settings.images + settings.held_out) as bar:
        found = solve_whitened(samples, settings, bar)
        seconds = round(bar.seconds, 1)
    if not found.improved:
        progress.warn(
            "the pass after LDA made held-out pictures no better, so the extractor is that of LDA; "
            "raise training.images, or train by gradient"
        )
    first = [settings.closed_form.images, math.nan, math.nan, math.nan, found.start.best.miou, math.nan]
    rows = [first, *([s.images, s.loss, math.nan, math.nan, s.miou, math.nan] for s in found.sections)]
    rows[-1][-1] = seconds
    learnt = _of_solution(samples, progress, found.start, found.best, settings.closed_form, rows)
    solution = {
        **learnt.facts["solution"],
        "pictures of LDA": settings.closed_form.images,
        "rates": [section.rate for section in found.sections],
        "sections kept": sum(section.kept for section in found.sections),
        "result": "whitened" if found.improved else "lda",
    }
    return replace(learnt, facts={**learnt.facts, "solution": solution})


def _of_solution(
    samples: LabelledSamples,
    progress: Progress,
    found: ClosedForm,
    best: Candidate,
    settings: ClosedFormSettings,
    rows: list[list[Any]],
) -> Learnt:
    """Return the head of a solution, and warn of classes that it never gives."""
    if found.absent:
        progress.warn(
            f"no sampled pixel is of class {listed(found.absent)}, so the extractor never gives it; "
            "leave it out of extractor.classes, or raise training.images"
        )
    head = best.planes.head([described.channels for described in samples.maps])
    solution = {
        "strength": best.strength,
        "prior": best.prior,
        "pixels per image": settings.pixels,
        "absent classes": list(found.absent),
    }
    quality = {"images": settings.held_out, "mIoU of held-out pixels": best.miou}
    return Learnt(head, rows, {"quality": quality, "solution": solution})
