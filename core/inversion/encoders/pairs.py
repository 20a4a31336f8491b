"""Draw pairs of codes and pictures from a generator, on the fly: what an encoder learns from.

Shapes: N pairs, R rows of codes, V numbers in a row, L layers, D code size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...device import sent
from ...plugins.finiteness import Doubts
from ...plugins.generator import Generator
from ...randomness import Stream, Use, noise_seed, uniforms
from ...strata.code_spaces import CodeSpace
from ...strata.composition import Pass
from ...strata.scored_generator import BEYOND


@dataclass(frozen=True)
class Pairs:
    """Hold codes of a generator, and their pictures.

    Attributes:
        space: space of the variables, with the condition of these samples.
        variables: in standard units (N, R, V).
        index: (N,), which decide the fresh noise.
        noise: seed of fresh noise.
        pictures: (N, 3, H, W), RGB.
    """

    space: CodeSpace
    variables: Tensor
    index: Tensor
    noise: int
    pictures: Tensor


@dataclass(frozen=True)
class PairSource:
    """Draw pairs by their indices: pair i is a function of seed, stream and i alone.

    Attributes:
        space: space of the codes, without a condition.
        mixing: share of the pairs with a second style from a random row on; 0 if the space has one row.
        seed: of latents and noise.
        precision: fp32, bf16 or fp16.
    """

    space: CodeSpace
    mixing: float
    seed: int
    precision: str = "fp32"

    @property
    def generator(self) -> Generator:
        """Generator of the pairs."""
        return self.space.generator

    @torch.no_grad()
    def draw(
        self,
        start: int,
        stop: int,
        stream: Stream = Stream.TRAINING,
        *,
        late: Doubts | None = None,
    ) -> Pairs:
        """Return pairs start .. stop - 1 of a stream; `late` is that of `rendered`."""
        generator, n = self.generator, stop - start
        latents = generator.sample(n, self.seed, start, stream)
        space = self.space.conditioned(latents.condition)
        variables = space.start(latents)  # (N, R, V)
        if self.mixing > 0.0 and space.rows > 1:
            other = space.start(generator.sample(n, self.seed, start + BEYOND, stream))
            draws = np.array([uniforms(self.seed, stream, Use.MIXING, i, 2) for i in range(start, stop)])
            cut = np.where(
                draws[:, 0] < self.mixing, 1 + (draws[:, 1] * (space.rows - 1)).astype(int), space.rows
            )
            second = torch.arange(space.rows)[None] >= torch.from_numpy(cut)[:, None]  # (N, R)
            variables = torch.where(sent(second[:, :, None], variables.device), other, variables)
        noise = noise_seed(self.seed, stream)
        pictures = rendered(space, variables, latents.index, noise, self.precision, late=late)
        return Pairs(space, variables, latents.index, noise, pictures)


def rendered(
    space: CodeSpace,
    variables: Tensor,
    index: Tensor,
    noise: int,
    precision: str,
    *,
    late: Doubts | None = None,
) -> Tensor:
    """Return pictures (N, 3, H, W) of variables (N, R, V), with gradients if they are switched on.

    Args:
        space: space of the variables, with the condition of the samples.
        variables: in standard units.
        index: (N,), which decide the fresh noise.
        noise: seed of fresh noise.
        precision: fp32, bf16 or fp16.
        late: takes the rendering, to refuse pictures that are not finite later, so that an accelerator is
            not waited for; None refuses them at once.

    Raises:
        PictureError: a picture is not finite.
    """
    rendering = Pass(
        space.generator,
        space.codes(variables),
        condition=space.condition,
        index=index,
        noise=noise,
        precision=precision,
        late=late is not None,
    ).rendering
    if late is not None:
        late.add(rendering)
    return rendering.images
