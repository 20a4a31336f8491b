"""Invert one picture under the eyes of somebody who may stop, and then keeps what was found so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import GanstrataError, UserError
from ..plugins.inverter import Inversion, InversionTask
from ..plugins.records import Rendering
from ..runs.inversion_rows import rows_of
from .invert import Inverted, Method, finished, task_for
from .target import Target


@dataclass(frozen=True)
class Snapshot:
    """Hold how far an inversion is.

    Attributes:
        step: steps that were done, of all steps together.
        total: how many there are.
        loss: distance of the picture in the last step.
        picture: the nearest picture so far (3, H, W), not clamped; None before the first.
    """

    step: int
    total: int
    loss: float
    picture: Tensor | None


@dataclass(frozen=True)
class StoppableResult:
    """Hold what an inversion found, whole or until it was stopped.

    Attributes:
        found: codes, picture and measures; curves are of the steps that were done.
        stopped: whether it was stopped before its end.
    """

    found: Inverted
    stopped: bool


class _StoppedByUser(GanstrataError):
    """Raised within a step once the user has stopped it: errors of ours pass through plugins as they are."""


def invert_until_stopped(
    method: Method, target: Target, number: int, goes_on: Callable[[Snapshot], bool]
) -> StoppableResult:
    """Invert one picture, which gives the same as `invert_batch` unless it is stopped.

    Args:
        method: steps, distance and seed.
        target: the picture.
        number: its number, which decides fresh noise and what steps draw.
        goes_on: called after each step of a search; returns whether to go on.

    Raises:
        UserError: a step does not fit the generator, or it was stopped before any picture was made.
        DataError: a loss is not finite.
        MemoryExhausted: memory ran out.
    """
    began = time.monotonic()
    with torch.inference_mode(mode=False), torch.enable_grad():
        plain = task_for(method, [target], [number], lambda losses: None)
        recorder = _Recorder(plain, method.total_steps, goes_on)
        task = replace(plain, render=recorder.render, distance=recorder.distance, on_step=recorder.on_step)
        found: Inversion | None = None
        curves: list[tuple[str, Tensor]] = []
        stopped = False
        for step in method.steps:
            recorder.losses = []
            try:
                found = step.inverter.invert(task, found)
            except _StoppedByUser:
                found, stopped = recorder.nearest or found, True
                if recorder.losses:
                    curves.append((step.name, torch.stack(recorder.losses).cpu()))
                break
            if found.losses is not None:
                curves.append((step.name, found.losses.detach().cpu()))
        if found is None:
            raise UserError("it was stopped before there was a picture")
        (one,) = finished(method, plain, [target], found, curves, began)
        return StoppableResult(one, stopped)


class _Recorder:
    """Stand between a step and its task, and remember the nearest picture that was judged.

    What was found so far is the rendering with the least distance: of a search usually the last one, of
    samples that are tried the best.
    """

    def __init__(self, task: InversionTask, total: int, goes_on: Callable[[Snapshot], bool]) -> None:
        self.nearest: Inversion | None = None
        self.losses: list[Tensor] = []  # (1,) each, of the step that is under way
        self._task, self._total, self._goes_on = task, total, goes_on
        self._made: tuple[Rendering, Inversion] | None = None
        self._least, self._picture, self._step = float("inf"), torch.empty(0), 0

    def render(self, inversion: Inversion, rows: Sequence[int] | None = None) -> Rendering:
        """Return the rendering, and remember of what it was made."""
        rendering = self._task.render(inversion, rows)
        self._made = rendering, inversion
        return rendering

    def distance(self, rendering: Rendering, rows: Sequence[int] | None = None) -> Tensor:
        """Return the distance, and remember what is nearest."""
        distances = self._task.distance(rendering, rows)
        if self._made is not None and self._made[0] is rendering:
            self._judge(distances.detach(), *self._made)
        return distances

    @torch.no_grad()
    def _judge(self, distances: Tensor, rendering: Rendering, inversion: Inversion) -> None:
        least = torch.where(distances.isfinite(), distances, torch.inf)
        row = int(least.argmin())
        if not float(least[row]) < self._least:
            return
        self._least, self._picture = float(least[row]), rendering.images[row].detach()
        self.nearest = rows_of(replace(inversion, losses=None), [row])

    def on_step(self, losses: Tensor) -> None:
        """Count a step, and stop if nobody wants to go on."""
        self._step += 1
        self.losses.append(losses.detach().clone())
        picture = None if self.nearest is None else self._picture
        if not self._goes_on(Snapshot(self._step, self._total, float(losses[0]), picture)):
            raise _StoppedByUser("the user stopped it")
