"""Measure how fast pictures are made, and say how long so many of them take at that speed."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..decimals import significant
from ..messages import quantity
from .progress import duration


def seconds_of(make: Callable[[], object], *, warm: bool = False) -> float:
    """Return the seconds that a call takes, after a first one to warm up.

    Args:
        make: makes a batch of pictures.
        warm: whether it was called just before, so that the first call counts.
    """
    best = float("inf")
    for _ in range(1 if warm else 2):
        began = time.monotonic()
        make()
        best = min(best, time.monotonic() - began)
    return best


def at_this_speed(images: int, per_image: float, workers: int = 1, *, less: str = "") -> str:
    """Say how long images take at the speed just measured, and that another load of the machine changes it.

    Args:
        images: number of images.
        per_image: seconds for one.
        workers: processes that make images at once.
        less: where it takes less than that.

    >>> at_this_speed(2000, 0.0145, 2, less="where edits begin late")
    'At the speed just measured, 14.5 ms each with 2 workers: 14 s, less where edits begin late, more if other programs slow this machine down.'
    """  # noqa: E501 - what is shown is one line
    shared = f" with {quantity(workers, 'worker')}" if workers > 1 else ""
    return (
        f"At the speed just measured, {significant(1000.0 * per_image, 3)} ms each{shared}: "
        f"{duration(images * per_image / workers)}{f', less {less}' if less else ''}, "
        "more if other programs slow this machine down."
    )
