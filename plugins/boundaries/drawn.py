"""Draw samples of a generator for learners that want more than a run has, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ...core.errors import UserError, nearest
from ...core.messages import listed
from ...core.plugins.contracts import Generator
from ...core.plugins.records import Inputs, Latents
from ...core.randomness import Stream, noise_seed
from ...core.strata.composition import advance, begun

BLOCK = 1024  # samples that are mapped at once


def draw(
    generator: Generator, samples: range, seed: int, block: int = BLOCK
) -> Iterator[tuple[Latents, Tensor]]:
    """Yield latents and their codes w (n, D), block by block.

    A sample depends on seed and index alone. The stream is that of learners: no sample is one of those that
    boundaries are probed or verified on.

    Args:
        generator: generator to draw from.
        samples: indices.
        seed: seed of the learner.
        block: number of samples n in a block; the last one may be smaller.
    """
    for start in range(samples.start, samples.stop, block):
        count = min(block, samples.stop - start)
        with torch.inference_mode():
            latents = generator.sample(count, seed, start, Stream.LEARNING)
            w = generator.map(latents.z, latents.condition)
        yield latents, w


@torch.inference_mode()
def activations(generator: Generator, stratum: int, latents: Latents, w: Tensor, seed: int) -> Tensor:
    """Return the flattened output (n, F) of a stratum, in fp32.

    Args:
        generator: generator of the samples.
        stratum: number of the stratum; later ones are not computed.
        latents: the samples.
        w: their codes, (n, D).
        seed: seed of fresh noise.
    """
    codes = generator.broadcast(w, latents.condition)
    inputs = Inputs(len(w), latents.condition, latents.index, noise_seed(seed, Stream.LEARNING))
    maps: dict[int, Tensor] = {}
    advance(generator, begun(generator, inputs), codes, 0, stratum + 1, maps, {stratum})
    return maps[stratum].float().flatten(1)


def stratum_number(generator: Generator, text: str) -> int:
    """Return the number of the stratum with this name or number whose output is a feature map.

    Raises:
        UserError: there is none.
    """
    names = {stratum.name: s for s, stratum in enumerate(generator.strata) if stratum.is_feature}
    numbers = {str(s): s for s in names.values()}
    found = names.get(text, numbers.get(text))
    if found is None:
        raise UserError(
            f"stratum: '{text}' is no feature map of this generator.{nearest(text, names)} "
            f"There are {listed(list(names))}, or their numbers"
        )
    return found
