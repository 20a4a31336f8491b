"""The layers of R3GAN.

Source: Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern Baseline GAN", section 4:
a learned 4x4 pattern scaled by a linear map of z, then per resolution residual blocks of 1x1, grouped
3x3 and 1x1 convolutions without normalisation, and interpolative upsampling between resolutions.
Weights are used as they are stored. Every layer computes in the precision of its input.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.depthwise import interpolate

LEAK = 0.2
TAPS = (1.0, 3.0, 3.0, 1.0)


class Embedding(nn.Module):
    """What the class adds to the inputs: weights (E, Y)."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, classes))


class Linear(nn.Module):
    """Weights (C, Z + E) without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5)


class Basis(nn.Module):
    """A learned picture of 4x4 pixels per channel, each times a number that comes from z."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pattern = nn.Parameter(torch.randn(outputs, 4, 4))
        self.linear = Linear(inputs, outputs)

    def forward(self, style: Tensor) -> Tensor:
        """How much of each picture (N, C): to (N, C, 4, 4)."""
        return (self.pattern * style[:, :, None, None]).contiguous(memory_format=torch.channels_last)


class Convolution(nn.Module):
    """Weights (O, I / groups, k, k) without bias; the size stays."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(outputs, inputs // groups, size, size) / (inputs // groups * size**2) ** 0.5
        )
        self.groups = groups

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """(N, I, H, W) to (N, O, H, W); with a bias (O,), to its leaky ReLU after that."""
        weight, padding = self.weight.to(x.dtype), self.weight.shape[2] // 2
        if bias is None:
            return F.conv2d(x, weight, padding=padding, groups=self.groups)
        return F.leaky_relu(
            F.conv2d(x, weight, bias.to(x.dtype), padding=padding, groups=self.groups), LEAK, inplace=True
        )


class Block(nn.Module):
    """Residual block: 1x1 to the wider inside, grouped convolution there, 1x1 back."""

    def __init__(self, width: int, inside: int, groups: int, size: int) -> None:
        super().__init__()
        self.conv1 = Convolution(width, inside)
        self.bias1 = nn.Parameter(torch.zeros(inside))
        self.conv2 = Convolution(inside, inside, size, groups)
        self.bias2 = nn.Parameter(torch.zeros(inside))
        self.conv3 = Convolution(inside, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        inside = self.conv2(self.conv1(x, self.bias1), self.bias2)
        return x + cast("Tensor", self.conv3(inside))


class Up(nn.Module):
    """1x1 convolution where the width changes, then twice the size: zeros between the pixels and a low-pass filter.

    The filter (k, k), k even, sums to one as it is stored.
    """

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, size: int = 4) -> None:
        super().__init__()
        if inputs != outputs:
            self.conv = Convolution(inputs, outputs)
        row = torch.tensor(TAPS) if size == 4 else torch.ones(size)
        self.register_buffer("kernel", torch.outer(row, row) / row.sum() ** 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, h, w) to (N, O, 2h, 2w)."""
        x = self.conv(x) if hasattr(self, "conv") else x
        return interpolate(x, 4.0 * self.kernel, 2, self.kernel.shape[0] // 2 - 1)


class Stage(nn.Module):
    """All of one resolution: `up`, but for the first, and its blocks."""

    def __init__(
        self,
        below: int | None,
        width: int,
        insides: tuple[int, ...],
        groups: tuple[int, ...],
        size: int,
        kernel: int,
    ) -> None:
        super().__init__()
        if below is not None:
            self.up = Up(below, width, kernel)
        self.blocks = nn.ModuleList(
            Block(width, inside, group, size) for inside, group in zip(insides, groups, strict=True)
        )


class Network(nn.Module):
    """The module whose state dict a checkpoint holds.

    Args:
        z_dim: width of z.
        classes, embedding: how many classes, and the width of what they are turned into; 0 if there are none.
        widths: of each stage, from 4 pixels up.
        insides: width inside each block of each stage.
        groups: of the middle convolution of each block of each stage.
        size: of the middle convolutions.
        kernel: of the low-pass filters.
    """

    def __init__(
        self,
        z_dim: int,
        classes: int,
        embedding: int,
        widths: tuple[int, ...],
        insides: tuple[tuple[int, ...], ...],
        groups: tuple[tuple[int, ...], ...],
        size: int = 3,
        kernel: int = 4,
    ) -> None:
        super().__init__()
        if classes:
            self.embed = Embedding(classes, embedding)
        self.basis = Basis(z_dim + embedding, widths[0])
        below = [None, *widths[:-1]]
        self.stages = nn.ModuleList(
            Stage(b, w, i, g, size, kernel) for b, w, i, g in zip(below, widths, insides, groups, strict=True)
        )
        self.rgb = Convolution(widths[-1], 3)
