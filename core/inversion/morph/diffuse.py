"""Diffuse a part of one picture into others: what is pasted stays, and the generator makes the rest fit.

    x_p = context with the box of the target pasted over it
    c0 = code of x_p by the first step          c = argmin distance( G(c), x_p ) in the box alone

Only the box is compared, and no term keeps the code near what an encoder makes of the picture: so the rest of
the picture follows from what the generator takes for natural around the box, beginning at the context.

Source: Zhu, Shen, Zhao and Zhou, "In-Domain GAN Inversion for Real Image Editing", ECCV 2020, section 4.4.

Shapes: N contexts, H x W the generator's size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UserError
from ...messages import visible
from ...plugins.generator import Generator
from ...plugins.inverter import Inversion, InversionTask, Inverter
from ...randomness import Stream, noise_seed
from ..distance import DistanceRule
from ..rendering import Renderer
from ..similarity import psnr


@dataclass(frozen=True)
class Box:
    """Hold a box in pixels of the generator's pictures: its left upper corner, width and height."""

    left: int
    top: int
    width: int
    height: int

    @staticmethod
    def parse(text: str, height: int, width: int) -> Box:
        """Read `LEFT,TOP,WIDTH,HEIGHT`.

        Raises:
            UserError: it is not one, or lies beyond pictures of this height and width, or covers them.

        Example:
            >>> Box.parse("8,16,24,32", 64, 64)
            Box(left=8, top=16, width=24, height=32)
        """
        left, top, wide, high = box_numbers(text)
        if not wide or not high or left + wide > width or top + high > height:
            raise UserError(
                f"--box {text}: pictures of this generator are {width} x {height} pixels (width x height), "
                "and the box must lie within them"
            )
        if (wide, high) == (width, height):
            raise UserError(f"--box {text} is the whole picture, so that nothing is left of the context")
        return Box(left, top, wide, high)

    def mask(self, height: int, width: int) -> Tensor:
        """Return 1 inside and 0 outside, (1, 1, height, width)."""
        mask = torch.zeros(1, 1, height, width)
        mask[..., self.top : self.top + self.height, self.left : self.left + self.width] = 1.0
        return mask


def box_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of `LEFT,TOP,WIDTH,HEIGHT`.

    Raises:
        UserError: the text is no such thing.
    """
    if not re.fullmatch(r"\s*\d{1,6}\s*(,\s*\d{1,6}\s*){3}", text, re.ASCII):
        raise UserError(f"--box {visible(text)}: write LEFT,TOP,WIDTH,HEIGHT in pixels, such as 16,16,32,32")
    return tuple(int(part) for part in text.split(","))


@dataclass(frozen=True)
class Diffused:
    """Hold what became of N contexts.

    Attributes:
        pasted: contexts with the box of the target, (N, 3, H, W).
        first: pictures of the codes that the search began with, (N, 3, H, W).
        pictures: pictures of the codes that it found, (N, 3, H, W).
        inversion: everything of which they are made.
        inside: PSNR in the box to the target, (N,), in dB.
        outside: PSNR outside the box to the context, (N,), in dB.
    """

    pasted: Tensor
    first: Tensor
    pictures: Tensor
    inversion: Inversion
    inside: Tensor
    outside: Tensor


def diffuse(
    generator: Generator,
    target: Tensor,
    contexts: Tensor,
    box: Box,
    embed: Inverter,
    refine: Sequence[Inverter],
    rule: DistanceRule,
    *,
    seed: int = 0,
    first: int = 0,
    on_step: Callable[[Tensor], None] = lambda losses: None,
) -> Diffused:
    """Diffuse the box of a target into contexts.

    Args:
        generator: the generator.
        target: (3, H, W) in [0, 1].
        contexts: (N, 3, H, W) in [0, 1].
        box: what is pasted, at its own place.
        embed: begins from the pasted picture as a whole.
        refine: search under the box; at least one.
        rule: what is compared.
        seed: seed of fresh noise and of what the steps draw.
        first: number of the first context among all, which decide what is drawn for each.
        on_step: called with the losses (N,) after each step.

    Raises:
        UserError: no step refines, or a step does not fit.
        DataError: a loss is not finite.
    """
    if not refine:
        raise UserError(
            "diffusion needs a step that searches, such as --refine w+; the first step alone pastes"
        )
    n, index = len(contexts), torch.arange(first, first + len(contexts))
    mask = box.mask(*contexts.shape[-2:]).to(contexts)
    pasted = contexts * (1.0 - mask) + target * mask
    render = Renderer(generator, index, noise_seed(seed, Stream.EDITING), late=True)
    whole = InversionTask(generator, pasted, index, render, rule.to(pasted), seed=seed, on_step=on_step)
    start = embed.invert(whole, None)
    known = mask.expand(n, -1, -1, -1)
    part = InversionTask(
        generator, pasted, index, render, rule.to(pasted, known), known=known, seed=seed, on_step=on_step
    )
    found = start
    for step in refine:
        found = step.invert(part, found)
    with torch.no_grad():
        renderings = render(start), render(found)
        for rendering in renderings:
            rendering.settle()
        begun, made = (rendering.images.detach() for rendering in renderings)
    return Diffused(
        pasted,
        begun,
        made,
        found,
        psnr(made, pasted, known),
        psnr(made, contexts, 1.0 - known),
    )
