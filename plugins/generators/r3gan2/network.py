"""Build the network of R3GAN2.

Source: the repository IFeelBloated/R3GAN2 since commit 0ba9ab8 (February 2026), which develops R3GAN (Huang
et al. 2024) further. There is no mapping network: z enters the head alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Attention, FeedForward, Head, Up, unit


@dataclass(frozen=True)
class BlockSizes:
    """Hold the sizes of a residual block.

    Attributes:
        inside: channels inside.
        parts: groups of the middle convolution, or heads of attention.
        size: kernel size of the middle convolution; 0 for attention.
    """

    inside: int
    parts: int
    size: int

    def build(self, width: int) -> FeedForward | Attention:
        """Build the block for feature maps of `width` channels."""
        if self.size:
            return FeedForward(width, self.inside, self.parts, self.size)
        return Attention(width, self.inside, self.parts)


class Stage(nn.Module):
    """Hold the blocks of one resolution, and the upsampling `up` from the one below, if there is one."""

    def __init__(self, below: int | None, width: int, blocks: Sequence[BlockSizes], kernel: int) -> None:
        super().__init__()
        if below is not None:
            self.up = Up(below, width, kernel)
        self.blocks = nn.ModuleList(sizes.build(width) for sizes in blocks)

    def fold(self) -> Tensor:
        """Fold the blocks, and return the gain (C,) of what follows.

        A block adds alpha times a map of magnitude 1. So the variance before block j is 1 plus the sum of the
        squares of the alphas before it, and the gain is one over its root.
        """
        variance = torch.ones(1)
        for block in self.blocks:
            assert isinstance(block, FeedForward | Attention)
            variance = variance.to(block.alpha.device)
            block.fold(variance.rsqrt().expand_as(block.alpha))
            variance = variance + torch.tanh(block.alpha).square()
        return variance.rsqrt()


class Network(nn.Module):
    """Hold the modules whose state dict a checkpoint stores; it computes after fold().

    Args:
        classes, embedding: number Y of classes and width E of their embedding; 0 if unconditional.
        head: arguments of layers.Head.
        widths: channels of each stage, from the lowest resolution up.
        blocks: of each stage.
        kernels: sizes of the low-pass filters between the stages.
        outputs: channels of the picture, or of latents.
    """

    def __init__(
        self,
        classes: int,
        embedding: int,
        head: Sequence[int],
        widths: Sequence[int],
        blocks: Sequence[Sequence[BlockSizes]],
        kernels: Sequence[int],
        outputs: int,
    ) -> None:
        super().__init__()
        if classes:
            self.embed = nn.Parameter(torch.randn(classes, embedding))
        self.head = Head(*head)
        below = [None, *widths[:-1]]
        self.stages = nn.ModuleList(
            Stage(b, width, sizes, kernel)
            for b, width, sizes, kernel in zip(below, widths, blocks, (0, *kernels), strict=True)
        )
        self.output = nn.Parameter(torch.randn(outputs, widths[-1], 1, 1))
        self.gain = nn.Parameter(torch.ones([]))

    def fold(self) -> None:
        """Replace the stored weights by those that compute."""
        if hasattr(self, "embed"):
            self.embed.data = unit(self.embed.data - self.embed.data.mean(dim=1, keepdim=True))
        self.head.fold()
        gain = torch.ones(1)
        for stage in self.stages:
            assert isinstance(stage, Stage)
            if hasattr(stage, "up"):
                stage.up.fold(gain)
            gain = stage.fold()
        scaled = unit(self.output.data) / math.sqrt(self.output.shape[1]) * self.gain
        self.output.data = scaled * gain[:, None, None]

    def picture(self, x: Tensor) -> Tensor:
        """Map the last feature map (N, C, H, W) to pictures in [-1, 1] or latents, (N, outputs, H, W)."""
        return F.conv2d(x, self.output.to(x.dtype))
