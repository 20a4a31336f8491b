"""Plan the optimiser's steps of a training: the paper's schedule, scaled to any number of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PAPER = 51_200  # images: 50 epochs of 1,024 fresh samples
EPOCHS = 50
# Images per step, factor of the learning rate, and the epoch before which both hold.
PHASES = ((1, 1.0, 2), (4, 1.0, 18), (64, 1.0, 20), (64, 0.1, EPOCHS))


@dataclass(frozen=True)
class Step:
    """One step of the optimiser.

    Attributes:
        start: index of its first image.
        stop: one past the index of its last image.
        rate: factor of the learning rate.
    """

    start: int
    stop: int
    rate: float


def planned_steps(images: int, start: int = 0) -> Iterator[Step]:
    """Yield the steps of a training on fresh images 0 .. images - 1.

    A step takes 1 image during the first 4 % of the images, 4 up to 36 %, then 64; the learning rate is a
    tenth after 40 %. These are the proportions of the paper: 51,200 images make 6,656 steps. Steps end where
    one of these changes, so that few images follow the schedule too.

    Args:
        images: number of images.
        start: first image of a step at which to begin, to continue a training.

    Source: Xu & Zheng 2021, appendix D, with the epochs of the authors' code.

    >>> sum(1 for _ in planned_steps(PAPER))
    6656
    >>> list(planned_steps(100))[-1]
    Step(start=40, stop=100, rate=0.1)
    """
    ends = [images * epoch // EPOCHS for _, _, epoch in PHASES]
    position = 0
    for end, (batch, rate, _) in zip(ends, PHASES, strict=True):
        while position < end:
            stop = min(position + batch, end)
            if position >= start:
                yield Step(position, stop, rate)
            position = stop
