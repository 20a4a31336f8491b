"""Check that the plugins of a worker process make what those of the first process make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d

from ..errors import PluginBroken
from ..plugins.base import owner_of
from ..plugins.records import Concept, Rendering
from ..randomness import Stream
from ..strata.scored_generator import ScoredGenerator
from . import random_state, scores
from .passes import BATCH_TOLERANCE, SAMPLES

Floats = NDArray[np.float32]
FEW = 16  # pixels of the side of a reduced picture
ADVICE = (
    "What a plugin makes must not depend on the process: look for random numbers without a seed, for hash() "
    "of text, and for what it keeps in global variables"
)


@dataclass(frozen=True)
class Made:
    """Hold what plugins make of a few samples; plain data, so that it can go to a worker.

    Attributes:
        size: height and width of the pictures.
        pictures: reduced (N, channels, h, w).
        concepts: of each scorer, by alias.
        scores: of each scorer (N, C), by alias.
    """

    size: tuple[int, int]
    pictures: Floats
    concepts: Mapping[str, tuple[Concept, ...]]
    scores: Mapping[str, Floats]


@torch.inference_mode()
def rendering_to_check(plugins: ScoredGenerator) -> Rendering:
    """Render the few samples with which plugins are checked.

    Raises:
        GanstrataError: the generator fails, or a picture is not finite.
    """
    generator = plugins.generator
    latents = generator.sample(SAMPLES, plugins.seed, 0, Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    rendering = plugins.render(codes, latents.condition, latents.index, Stream.PROBING).rendering
    rendering.index = latents.index
    return rendering


@torch.inference_mode()
def make(plugins: ScoredGenerator) -> Made:
    """Return what these plugins make of a few samples; the global random states stay as they are.

    Raises:
        GanstrataError: a plugin fails.
    """
    with random_state.preserved():
        rendering = rendering_to_check(plugins)
        images = rendering.pictures.float()
        height, width = images.shape[2:]
        small = adaptive_avg_pool2d(images, (min(FEW, height), min(FEW, width)))
        return Made(
            (height, width),
            small.cpu().numpy(),
            {alias: tuple(scorer.concepts) for alias, scorer in plugins.scorers.items()},
            {
                alias: scores.scores_of(scorer, rendering, slice(None))
                for alias, scorer in plugins.scorers.items()
            },
        )


def check_same_as(expected: Made, plugins: ScoredGenerator) -> None:
    """Refuse plugins of this process that make something else than those of the first process.

    Raises:
        GanstrataError: a plugin fails.
        PluginBroken: its pictures, concepts or scores are others.
    """
    for alias, scorer in plugins.scorers.items():
        if tuple(scorer.concepts) != expected.concepts[alias]:
            raise PluginBroken(
                f"{owner_of(scorer)} has other concepts in a worker process, so its scores would be stored "
                f"under wrong names. {ADVICE}"
            )
    made = make(plugins)
    width = max(1.0, float(np.ptp(expected.pictures)))
    if made.size != expected.size or not np.allclose(
        made.pictures, expected.pictures, rtol=0.0, atol=BATCH_TOLERANCE * width, equal_nan=True
    ):
        raise PluginBroken(
            f"{owner_of(plugins.generator)} makes other pictures of the same samples in a worker process. "
            f"{ADVICE}"
        )
    for alias, scorer in plugins.scorers.items():
        ours, theirs = made.scores[alias], expected.scores[alias]
        same = np.isclose(
            ours, theirs, rtol=scores.BATCH_TOLERANCE, atol=scores.BATCH_TOLERANCE, equal_nan=True
        )
        if not same.all():
            row, j = np.argwhere(~same)[0]
            raise PluginBroken(
                f"{owner_of(scorer)} gives the same picture another score in a worker process: "
                f"'{scorer.concepts[j].name}' is {theirs[row, j]:.4g} in the first process and "
                f"{ours[row, j]:.4g} in a worker. {ADVICE}"
            )
