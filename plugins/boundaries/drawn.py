"""Draw samples of a generator for learners that want more than a run has, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.device import auto_batch
from ...core.plugins.generator import Generator
from ...core.plugins.records import Inputs, Latents
from ...core.randomness import Stream, noise_seed
from ...core.strata.composition import Pass
from ...core.strata.stepping import advance, begun
from .asked import OnShare

BLOCK = 1024  # samples that are mapped at once


@dataclass(frozen=True)
class Drawing:
    """Draw and render pictures with states from which edits of styles begin.

    Attributes:
        generator: generator of the pictures.
        pictures: how many.
        seed: seed of samples and of fresh noise.
        precision: fp32, bf16 or fp16.
        on_share: called with the share of the work that is done.
    """

    generator: Generator
    pictures: int
    seed: int
    precision: str = "fp32"
    on_share: OnShare = lambda _: None

    def batches(
        self, most: int, features: Sequence[int] = (), restarts: Sequence[int] = (0,)
    ) -> Iterator[tuple[Pass, Tensor]]:
        """Yield rendered pictures with their codes (n, L, D).

        Args:
            most: pictures in a batch, or fewer.
            features: strata whose feature maps are collected.
            restarts: strata from which edits may begin.
        """
        generator = self.generator
        batch = min(auto_batch(generator.card.height, generator.device, generator.card.width), most)
        for latents, w in draw(generator, range(self.pictures), self.seed, batch):
            # Inference tensors cannot be used with gradients, so they are copied.
            condition = None if latents.condition is None else latents.condition.clone()
            with torch.inference_mode(False), torch.no_grad():
                codes = generator.broadcast(w.clone(), condition)
                rendered = Pass(
                    generator,
                    codes,
                    condition=condition,
                    index=latents.index.clone(),
                    noise=noise_seed(self.seed, Stream.LEARNING),
                    precision=self.precision,
                    features=features,
                    restarts=restarts,
                )
            yield rendered, codes


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
