"""Hold what a command of pictures is to do, and do it with a progress bar that shows the loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ..messages import quantity
from ..runs.progress import Progress, Step
from ..storage.json_values import JsonObject
from .given import Given
from .invert import Inverted, Method, invert_all

EVERY = 0.5  # seconds between two looks at the loss, for which an accelerator must be waited for


@dataclass(frozen=True)
class Task:
    """Hold a command: what is to be inverted, how, and what the user asked for.

    Attributes:
        method: generator, steps, distance, seed.
        given: the pictures.
        kind: `inversion`, or the restoration: `colourise` and so on.
        command: what the user asked for, as plain data: a folder is continued by the same alone.
        batch: pictures at once; None to find it.
        notes: sentences on the whole command, for the page.
    """

    method: Method
    given: tuple[Given, ...]
    kind: str = "inversion"
    command: JsonObject = field(default_factory=dict)
    batch: int | None = None
    notes: tuple[str, ...] = ()


def compute(
    task: Task, todo: Sequence[int], keep: Callable[[int, Inverted], None], progress: Progress
) -> None:
    """Invert some pictures of a task, with a progress bar that shows the loss.

    Args:
        task: the task.
        todo: numbers of the pictures.
        keep: called with a position in `todo`, and what was found.
        progress: where progress is shown.
    """
    if not todo:
        return
    each = task.method.total_steps or 1
    before = len(task.given) - len(todo)
    if before:
        progress.say(f"{before} of {quantity(len(task.given), 'picture')} were done before")
    name = "invert" if task.kind == "inversion" else "restore"
    with progress.stage(name, total=len(task.given) * each, done=before * each) as step:
        shown = _Shown(step, told=task.method.total_steps > 0)

        def on_found(position: int, found: Inverted) -> None:
            keep(position, found)
            if not task.method.total_steps:
                step(1)

        invert_all(
            task.method,
            [task.given[i] for i in todo],
            list(todo),
            on_found,
            batch=task.batch,
            on_loss=shown,
            on_halved=lambda size, told: shown.halved(size, told, progress),
        )


class _Shown:
    """Advance the progress bar, and show the mean loss of a batch from time to time."""

    def __init__(self, step: Step, *, told: bool) -> None:
        self._step, self._told, self._looked = step, told, 0.0

    def __call__(self, losses: Tensor) -> None:
        if self._told:
            self._step(len(losses))
        now = time.monotonic()
        if now - self._looked >= EVERY:
            self._looked = now
            self._step.note(f"loss {float(losses.mean()):.4f}")

    def halved(self, size: int, told: int, progress: Progress) -> None:
        """Take back what was counted in vain, and say so."""
        if self._told:
            self._step(-told)
        progress.say(f"Memory ran out: going on with {quantity(size, 'picture')} at once")
