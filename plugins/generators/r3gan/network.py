"""Build the layers of R3GAN.

Source: Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern Baseline GAN", section 4.

A linear map of z scales a learned basis of 4x4 feature maps. Every resolution has residual blocks of 1x1,
grouped 3x3 and 1x1 convolutions without normalisation. Feature maps are interpolated from one resolution
to the next. Weights are used as stored. Every layer computes in the precision of its input.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.depthwise import interpolate
from ..shared.modulated import fir_kernel

LEAK = 0.2


class Embedding(nn.Module):
    """Hold the class embedding (E, Y), a column of which is appended to z."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, classes))


class Linear(nn.Module):
    """Hold weights (C, Z + E) without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.normal(0.0, max(inputs, 1) ** -0.5, (outputs, inputs)))


class Basis(nn.Module):
    """Scale a learned 4x4 pattern of every channel, pattern (C, 4, 4), by a linear map of z."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pattern = nn.Parameter(torch.randn(outputs, 4, 4))
        self.linear = Linear(inputs, outputs)

    def forward(self, style: Tensor) -> Tensor:
        """Map scales (N, C) to feature maps (N, C, 4, 4)."""
        return (self.pattern * style[:, :, None, None]).contiguous(memory_format=torch.channels_last)


class Convolution(nn.Module):
    """Apply a convolution (O, I / groups, k, k) of stride 1 with zero padding."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.normal(
                0.0, max(inputs // groups * size**2, 1) ** -0.5, (outputs, inputs // groups, size, size)
            )
        )
        self.groups = groups

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Map (N, I, H, W) to (N, O, H, W). If given a bias (O,), add it and apply a leaky ReLU."""
        weight, padding = self.weight.to(x.dtype), self.weight.shape[2] // 2
        if bias is None:
            return F.conv2d(x, weight, padding=padding, groups=self.groups)
        return F.leaky_relu(
            F.conv2d(x, weight, bias.to(x.dtype), padding=padding, groups=self.groups), LEAK, inplace=True
        )


class Block(nn.Module):
    """Apply a residual block: a 1x1 convolution to `inside` channels, a grouped one, and a 1x1 back."""

    def __init__(self, width: int, inside: int, groups: int, size: int) -> None:
        super().__init__()
        self.conv1 = Convolution(width, inside)
        self.bias1 = nn.Parameter(torch.zeros(inside))
        self.conv2 = Convolution(inside, inside, size, groups)
        self.bias2 = nn.Parameter(torch.zeros(inside))
        self.conv3 = Convolution(inside, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        y = self.conv2(self.conv1(x, self.bias1), self.bias2)  # (N, inside, H, W)
        return x + cast("Tensor", self.conv3(y))


class Up(nn.Module):
    """Double the size of a feature map by inserting zeros and applying a low-pass filter.

    If the width changes, a 1x1 convolution comes first. The filter (k, k), with k even, has the sum 1.
    """

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, size: int = 4) -> None:
        super().__init__()
        if inputs != outputs:
            self.conv = Convolution(inputs, outputs)
        even = torch.full((size, size), 1.0 / max(size, 1) ** 2)
        self.register_buffer("kernel", fir_kernel() if size == 4 else even)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, h, w) to (N, O, 2h, 2w)."""
        x = self.conv(x) if hasattr(self, "conv") else x  # (N, O, h, w)
        return interpolate(x, 4.0 * self.kernel, 2, self.kernel.shape[0] // 2 - 1)


class Stage(nn.Module):
    """Hold the blocks of one resolution, and the upsampling `up` from the one below, if there is one.

    Args:
        below: width of the resolution below; None for the lowest.
        width: channels C.
        insides, groups: of each block, see Block.
        size: of the grouped convolutions.
        kernel: of the low-pass filter.
    """

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
    """Hold the modules whose state dict a checkpoint stores.

    Args:
        z_dim: width Z of z.
        classes, embedding: number Y of classes and width E of their embedding; 0 if unconditional.
        widths: channels of each stage, from 4 pixels up.
        insides: channels inside each block of each stage.
        groups: groups of the middle convolution of each block of each stage.
        size: kernel size of the middle convolutions.
        kernel: size of the low-pass filters.
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
