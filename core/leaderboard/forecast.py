"""Forecast the images and the time of a comparison of learners."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..config.schema import RunConfig
from ..messages import quantity
from ..randomness import Stream
from ..runs.speed import at_this_speed, seconds_of
from ..strata.scored_generator import ScoredGenerator
from .moving import embedding
from .request import BoardRequest

LINES = 9  # images of a line between two samples: eight ends of steps, and a sample
LESS = "where edits begin late in the generator"


@dataclass(frozen=True)
class Ahead:
    """Hold what of a comparison is still to be computed.

    Attributes:
        concepts: number of concepts with a direction each, at most.
        learners: number of learners that are moved.
        random: number of sets of random directions that are moved, one for each set of layers.
        samples: whether samples are drawn.
        space: whether the path lengths of the space are measured.
    """

    concepts: int
    learners: int
    random: int
    samples: bool
    space: bool


def images_of(ahead: Ahead, config: RunConfig, request: BoardRequest) -> dict[str, int]:
    """Return the number of images of each part of a comparison.

    Args:
        ahead: what is to be computed.
        config: gives the numbers of samples and of random directions.
        request: gives steps and fresh samples.
    """
    verified, steps = config.rescoring.samples, len(request.path) - 1
    moved = ahead.learners * ahead.concepts + ahead.random * config.rescoring.null_directions
    baselines = ahead.learners + ahead.random
    return {
        "samples": (config.synthesis.samples + request.fresh) * ahead.samples,
        "directions": verified * (moved * steps + baselines),
        "path lengths": LINES * verified * ahead.space,
    }


def forecast(ahead: Ahead, config: RunConfig, request: BoardRequest, scored: ScoredGenerator) -> str:
    """Return a text with the number of images of a comparison, and their time at the present speed.

    What learners compute to find their directions is not counted: it is not known before.

    Args:
        ahead: what is to be computed.
        config: as in `images_of`.
        request: as in `images_of`.
        scored: the generator with its scorers; two batches are made to measure their speed.
    """
    parts = images_of(ahead, config, request)
    total = sum(parts.values())
    if not total:
        return "Nothing is left to synthesise: all was computed in an earlier call."
    counted = ", ".join(f"{count} for {name}" for name, count in parts.items() if count)
    moved = (
        f" = {config.rescoring.samples} x {quantity(len(request.path) - 1, 'step')} x "
        f"({quantity(ahead.learners, 'learner')} x {quantity(ahead.concepts, 'concept')} + "
        f"{config.rescoring.null_directions} random) and the unmoved ones"
        if ahead.random == 1
        else ""
    )
    return (
        f"At most {total} images to synthesise and score: {counted}{moved}. Random directions count once for "
        "each set of layers that learners move, and learners that make pictures of their own add to this.\n"
        + at_this_speed(total, _seconds_per_image(scored), less=LESS)
    )


@torch.inference_mode()
def _seconds_per_image(scored: ScoredGenerator) -> float:
    """Return the seconds that one image takes to be made, scored and compared."""
    latents, _, codes = scored.draw(0, Stream.PROBING)

    def make() -> None:
        passed = scored.render(codes, latents.condition, latents.index, Stream.PROBING)
        scored.score(passed.rendering)
        embedding(scored, passed.rendering)

    return seconds_of(make) / scored.batch
