"""Hold what a command of pictures is to do, and do it with a progress bar that shows the loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ..messages import quantity
from ..runs.progress import Progress, Step
from ..storage.json_values import JsonObject
from .invert import Inverted, Method, invert_all
from .target import Target

EVERY = 0.5  # seconds between two looks at the loss, for which an accelerator must be waited for


@dataclass(frozen=True)
class InversionJob:
    """Hold a command: what is to be inverted, how, and what the user asked for.

    Attributes:
        method: generator, steps, distance, seed.
        targets: the pictures.
        kind: `inversion`, or the restoration: `colourise` and so on.
        command: what the user asked for, as plain data: a folder is continued by the same alone.
        batch: pictures at once; None to find it.
        notes: sentences on the whole command, for the page.
    """

    method: Method
    targets: tuple[Target, ...]
    kind: str = "inversion"
    command: JsonObject = field(default_factory=dict)
    batch: int | None = None
    notes: tuple[str, ...] = ()


def run_job(
    job: InversionJob, todo: Sequence[int], keep: Callable[[int, Inverted], None], progress: Progress
) -> None:
    """Invert some pictures of a job, with a progress bar that shows the loss.

    Args:
        job: the job.
        todo: numbers of the pictures.
        keep: called with a position in `todo`, and what was found.
        progress: where progress is shown.
    """
    if not todo:
        return
    each = job.method.total_steps or 1
    before = len(job.targets) - len(todo)
    if before:
        progress.say(f"{before} of {quantity(len(job.targets), 'picture')} were done before")
    name = "invert" if job.kind == "inversion" else "restore"
    with progress.stage(name, total=len(job.targets) * each, done=before * each) as step:
        shown = _Shown(step, reported=job.method.total_steps > 0)

        def on_found(position: int, found: Inverted) -> None:
            keep(position, found)
            if not job.method.total_steps:
                step(1)

        invert_all(
            job.method,
            [job.targets[i] for i in todo],
            list(todo),
            on_found,
            batch=job.batch,
            on_loss=shown,
            on_halved=lambda size, reported: shown.halved(size, reported, progress),
        )


class _Shown:
    """Advance the progress bar, and show the mean loss of a batch from time to time."""

    def __init__(self, step: Step, *, reported: bool) -> None:
        self._step, self._reported, self._looked = step, reported, 0.0

    def __call__(self, losses: Tensor) -> None:
        if self._reported:
            self._step(len(losses))
        now = time.monotonic()
        if now - self._looked >= EVERY:
            self._looked = now
            self._step.note(f"loss {float(losses.mean()):.4f}")

    def halved(self, size: int, reported: int, progress: Progress) -> None:
        """Take back what was counted in vain, and say so."""
        if self._reported:
            self._step(-reported)
        progress.say(f"Memory ran out: going on with {quantity(size, 'picture')} at once")
