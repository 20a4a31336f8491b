"""Log a training: loss, accuracy and mIoU about fifty times."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...plugins.pending import Pending
from ...runs.progress import Step
from ...storage.training_state import TrainingState
from ..agreement import Overlaps, begin_overlaps
from .training import Taken

MEASURED = 256  # images between two measurements of accuracy and IoU, at most
ROWS = 50  # rows of the log
COLUMNS = (  # of the log, training.csv
    "images",
    "loss",
    "training accuracy",
    "training mIoU",
    "mIoU of held-out pixels",
    "seconds",
)


class Log:
    """Collect a row of loss, accuracy and mIoU about fifty times in a training.

    mIoU is the pooled one of the training images that were measured since the last row.
    """

    def __init__(
        self, classes: int, background: bool, images: int, stored: TrainingState | None = None
    ) -> None:
        self.rows: list[list[Any]] = [] if stored is None else [list(row) for row in stored.rows]
        self._classes, self._first = classes, int(background)
        self._every = max(images // ROWS, 1)
        self._images = images
        self._began = time.monotonic() - (0.0 if stored is None else stored.seconds)
        self._losses: list[Pending[NDArray[np.float32]]] = []
        self._found: list[Pending[Overlaps]] = []
        self._measured = -MEASURED

    @property
    def seconds(self) -> float:
        """Seconds of training, with those of earlier calls."""
        return time.monotonic() - self._began

    def add(self, taken: Taken, bar: Step) -> None:
        """Add a step, advance the bar, and write a row if one is due: that waits for an accelerator."""
        step = taken.step
        self._losses.append(taken.losses)
        due = step.start // self._every != step.stop // self._every or step.stop == self._images
        if due or step.stop - self._measured >= MEASURED:
            self._found.append(begin_overlaps(taken.predicted, taken.labels, self._classes))
            self._measured = step.stop
        bar(step.stop - step.start)
        if not due:
            return
        loss = float(np.mean([sum(losses.result().tolist()) for losses in self._losses]))
        accuracy, miou = self._quality()
        bar.note(f"loss {loss:.3f}, mIoU {miou:.3f}")
        self.rows.append([step.stop, loss, accuracy, miou, math.nan, round(self.seconds, 1)])
        self._losses, self._found = [], []

    def _quality(self) -> tuple[float, float]:
        """Return pixel accuracy and pooled mIoU of the overlaps since the last row; NaN without any."""
        measured = [found.result() for found in self._found]
        both, either = (
            sum(getattr(found, name).sum(axis=0, dtype=np.int64) for found in measured)[self._first :]
            for name in ("intersections", "unions")
        )
        correct, known = (
            sum(int(getattr(found, name).sum()) for found in measured) for name in ("correct", "known")
        )
        there = either > 0
        return (
            correct / known if known else math.nan,
            float((both[there] / either[there]).mean()) if there.any() else math.nan,
        )
