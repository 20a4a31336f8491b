"""Build the layers of MobileStyleGAN's student, the network that makes the pictures.

Source: Belousov 2021, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image
Synthesis", section 3, and the author's program, which demodulates by a fixed style. Every layer computes in
the precision of its feature map; styles are always float32.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.mapping import EPSILON, LEAK, Mapping

KERNEL = 3  # width of all convolutions but the last
SUBBANDS = 4  # of a wavelet transform: the mean, and the vertical, horizontal and diagonal differences


def inverse_haar(x: Tensor) -> Tensor:
    """Apply the inverse of one level of the Haar wavelet transform, which doubles the size.

    With a, v, h and d a pixel of the mean and of the vertical, horizontal and diagonal differences, the pixel
    (i, j) of its square of 2x2 pixels is (a + (-1)^i v + (-1)^j h + (-1)^(i + j) d) / 2.

    Args:
        x: (N, 4 C, h, w): C channels of means, then for each channel its three differences.

    Returns:
        (N, C, 2h, 2w).
    """
    channels = x.shape[1] // SUBBANDS
    mean, differences = x[:, :channels], x[:, channels:]
    v, h, d = (differences[:, k::3] for k in range(3))  # (N, C, h, w) each
    top, bottom, above, below = mean + v, mean - v, h + d, h - d
    pixels = torch.stack([top + above, top - above, bottom + below, bottom - below], dim=2)
    return F.pixel_shuffle(pixels.flatten(1, 2) * 0.5, 2)


class Up(nn.Module):
    """Scale the channels by a style, and apply the inverse wavelet transform to them."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, inputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map x (N, I, h, w) with style (N, I) to (N, I / 4, 2h, 2w)."""
        return inverse_haar(x * style[:, :, None, None].to(x.dtype))


class Convolution(nn.Module):
    """Apply a modulated 3x3 convolution, noise, bias and leaky ReLU.

    With style s (I,), weights w (O, I, 3, 3) and a fixed style f (I,), both times c = 1 / sqrt(9 I), it uses
    the weights

        c s_i w_oik / sqrt(sum over i, k of (c f_i w_oik)^2 + epsilon)

    StyleGAN2 has s in place of f. The weights of a separable convolution are w_oik = p_oi d_ik, with p (O, I)
    and d (I, 3, 3).
    """

    fixed_style: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, *, separable: bool) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, inputs)
        if separable:
            self.depthwise = nn.Parameter(torch.randn(inputs, 1, KERNEL, KERNEL))
            self.pointwise = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        else:
            self.weight = nn.Parameter(torch.randn(outputs, inputs, KERNEL, KERNEL))
        self.register_buffer("fixed_style", torch.ones(inputs))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = 1.0 / math.sqrt(max(inputs, 1) * KERNEL**2)

    def demodulation(self) -> Tensor:
        """Return the factors (O,) of the outputs, which are the same for all styles."""
        if hasattr(self, "weight"):
            squared = self.weight.square().sum(dim=(2, 3))  # (O, I)
        else:
            squared = self.pointwise.square()[:, :, 0, 0] * self.depthwise.square().sum(dim=(1, 2, 3))
        return torch.rsqrt(squared @ (self.scale * self.fixed_style).square() + EPSILON)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Map x (N, I, H, W) with style (N, I) and unscaled noise (N or 1, 1, H, W) to (N, O, H, W)."""
        x = x * (self.scale * style)[:, :, None, None].to(x.dtype)
        factors = self.demodulation()[:, None, None, None]  # (O, 1, 1, 1)
        if hasattr(self, "weight"):
            x = F.conv2d(x, (self.weight * factors).to(x.dtype), padding=1)
        else:
            x = F.conv2d(x, self.depthwise.to(x.dtype), padding=1, groups=x.shape[1])
            x = F.conv2d(x, (self.pointwise * factors).to(x.dtype))
        shift = self.bias[:, None, None]  # (O, 1, 1)
        if noise is not None:
            shift = shift + self.noise_strength * noise  # (N or 1, O, H, W)
        return F.leaky_relu(x + shift.to(x.dtype), LEAK)


class Output(nn.Module):
    """Apply a modulated 1x1 convolution without demodulation, and the inverse wavelet transform."""

    def __init__(self, inputs: int, w_dim: int, colours: int = 3) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, inputs)
        self.weight = nn.Parameter(torch.randn(SUBBANDS * colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(SUBBANDS * colours))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map x (N, I, H, W) with style (N, I) to float32 pictures (N, colours, 2H, 2W)."""
        scale = 1.0 / math.sqrt(self.weight.shape[1])
        x = x * (scale * style)[:, :, None, None].to(x.dtype)
        return inverse_haar(F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype)).float())


class Block(nn.Module):
    """Hold the layers that double the size and follow it: `up`, conv1 and conv2."""

    def __init__(self, inputs: int, outputs: int, w_dim: int) -> None:
        super().__init__()
        self.up = Up(inputs, w_dim)
        self.conv1 = Convolution(inputs // SUBBANDS, outputs, w_dim, separable=True)
        self.conv2 = Convolution(outputs, outputs, w_dim, separable=True)


class Network(nn.Module):
    """Hold the modules whose state dict a checkpoint stores.

    Args:
        widths: channels of each level, from 4 pixels up; all but the last are divisible by 4.
        z_dim, w_dim: widths Z of z and D of w.
        mapping_layers: number of layers of the mapping network.
        lr_multiplier: factor of the mapping network's stored weights.
        means: number of stored mean w: 1 or 0.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        z_dim: int,
        w_dim: int,
        mapping_layers: int,
        *,
        lr_multiplier: float,
        means: int,
    ) -> None:
        super().__init__()
        self.mapping = Mapping(z_dim, w_dim, mapping_layers, lr_multiplier=lr_multiplier, means=means)
        self.const = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.first = Convolution(widths[0], widths[0], w_dim, separable=False)
        self.blocks = nn.ModuleList(Block(inputs, outputs, w_dim) for inputs, outputs in pairwise(widths))
        # By the number of its block, as in files, which have outputs of the other blocks too.
        self.outputs = nn.ModuleDict({str(len(self.blocks) - 1): Output(widths[-1], w_dim)})
