"""Train the extractor of a segmentation folder, or continue where an earlier call stopped."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..config.segment_schema import SegmentConfig
from ..device import for_inference
from ..messages import listed
from ..runs.lock import locked
from ..runs.progress import Progress, Step
from .closed_form import ClosedFormSettings, Method, solve_closed_form
from .extractor import Extractor
from .folder import (
    INDEX,
    WHAT,
    check_same,
    finish,
    read_record,
    read_state,
    save_state,
    write_record,
)
from .subject import Subject, build_subject
from .teacher import UNKNOWN
from .training import Taken, Trainer, TrainingSettings

KEEP = 30.0  # seconds of training that a killed process loses at most
MEASURED = 256  # images between two measurements of accuracy and IoU, at most
ROWS = 50  # rows of the log


def train(
    config: SegmentConfig, out: Path, *, source: str = "config", progress: Progress | None = None
) -> Path:
    """Train the extractor of a config into a folder. The same call continues a training that was killed.

    Args:
        config: generator, teacher, extractor and training.
        out: the folder.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Returns:
        The folder, with segmentation.json, extractor.safetensors and training.csv.

    Raises:
        RunError: the folder holds something else, or was begun with another config or other plugins.
        GanstrataError: a plugin or a file does not fit.
    """
    progress = progress or Progress(quiet=True)
    with locked(out, INDEX, WHAT):
        record = read_record(out)
        batch = None if record is None else record.provenance.environment.batch
        subject = build_subject(config, source, batch)
        if record is not None:
            check_same(out, record, subject)
            if record.finished:
                progress.say(f"{out} is trained already")
                return out
        else:
            write_record(out, subject, finished=False)
        if config.training.method == "gradient":
            _train(subject, out, progress)
        else:
            _solve(subject, config.training.method, out, progress)
    return out


def _train(subject: Subject, out: Path, progress: Progress) -> None:
    """Train by gradient descent, with a state on disk twice a minute."""
    section = subject.config.training
    settings = TrainingSettings(section.pictures, section.learning_rate, section.layerwise_loss, section.seed)
    trainer = Trainer(subject.samples, subject.architecture, settings)
    log = Log(len(subject.teacher.classes), subject.teacher.background, settings.images)
    stored = read_state(out)
    if stored is not None:
        tensors, position, log.rows = stored
        trainer.restore(tensors, position)
    saved = time.monotonic()
    with progress.stage("train", total=settings.images, done=trainer.position) as bar:
        for taken in trainer.steps():
            log.add(taken, bar)
            if time.monotonic() - saved > KEEP:
                save_state(out, trainer.state(), trainer.position, log.rows)
                saved = time.monotonic()
    head = for_inference(trainer.head, subject.device)
    extractor = Extractor(subject.architecture, (head,), subject.made_for, facts(subject, log.rows))
    finish(out, subject, extractor, log.rows)


def _solve(subject: Subject, method: Method, out: Path, progress: Progress) -> None:
    """Solve in closed form, which is too quick to be continued half-way."""
    settings = ClosedFormSettings(method, subject.config.training.pictures)
    with progress.stage("solve", total=settings.images + settings.held_out) as bar:
        found = solve_closed_form(subject.samples, settings, bar)
        seconds = round(bar.seconds, 1)
    if found.absent:
        progress.warn(
            f"no sampled pixel is of class {listed(found.absent)}, so the extractor never gives it; "
            "leave it out of extractor.classes, or raise training.images"
        )
    head = found.best.planes.head([described.channels for described in subject.samples.maps])
    rows: list[list[Any]] = [[settings.images, math.nan, math.nan, found.best.miou, seconds]]
    written = facts(subject, []) | {
        "quality": {"images": settings.held_out, "mIoU of held-out pixels": found.best.miou},
        "solution": {
            "strength": found.best.strength,
            "prior": found.best.prior,
            "pixels per image": settings.pixels,
            "absent classes": list(found.absent),
        },
    }
    extractor = Extractor(
        subject.architecture, (for_inference(head, subject.device),), subject.made_for, written
    )
    finish(out, subject, extractor, rows)


def facts(subject: Subject, rows: list[list[Any]]) -> dict[str, Any]:
    """Return what the header of the extractor says of its teacher, its training and its quality."""
    used, section = subject.config.teacher, subject.config.training
    return {
        "teacher": {
            "plugin": used.use,
            "options": dict(used.options),
            "weights": subject.teacher.segmenter.checkpoint,
            "classes": list(subject.teacher.classes),
        },
        "training": section.model_dump(mode="json"),
        "quality": dict(zip(("images", "loss", "accuracy", "mIoU"), rows[-1], strict=False)) if rows else {},
    }


class Log:
    """Collect a row of loss, accuracy and mIoU about fifty times in a training.

    mIoU is the pooled one of the images that were measured since the last row.
    """

    def __init__(self, classes: int, background: bool, images: int) -> None:
        self.rows: list[list[Any]] = []
        self._classes, self._first = classes, int(background)
        self._every = max(images // ROWS, 1)
        self._images, self._began = images, time.monotonic()
        self._losses: list[float] = []
        self._confusion = np.zeros((classes, classes), np.int64)
        self._measured = -MEASURED

    def add(self, taken: Taken, bar: Step) -> None:
        """Add a step, advance the bar, and write a row if one is due."""
        step = taken.step
        self._losses.append(taken.loss)
        due = step.start // self._every != step.stop // self._every or step.stop == self._images
        if due or step.stop - self._measured >= MEASURED:
            self._confusion += confusion(taken.predicted, taken.labels, self._classes)
            self._measured = step.stop
        bar(step.stop - step.start)
        if not due:
            return
        loss = float(np.mean(self._losses))
        right, known = self._confusion.trace(), self._confusion.sum()
        union = self._confusion.sum(0) + self._confusion.sum(1) - self._confusion.diagonal()
        with np.errstate(invalid="ignore"):
            ious = (self._confusion.diagonal() / union)[self._first :]
        accuracy = float(right / known) if known else float("nan")
        miou = float(np.nanmean(ious)) if np.isfinite(ious).any() else float("nan")
        bar.note(f"loss {loss:.3f}, mIoU {miou:.3f}")
        self.rows.append([step.stop, loss, accuracy, miou, round(time.monotonic() - self._began, 1)])
        self._losses, self._confusion[:] = [], 0


def confusion(predicted: torch.Tensor, labels: torch.Tensor, classes: int) -> NDArray[np.int64]:
    """Count pixels (M, M) by their known label (rows) and by what was predicted (columns)."""
    known = labels != UNKNOWN
    pairs = labels[known] * classes + predicted[known]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes).cpu().numpy()
