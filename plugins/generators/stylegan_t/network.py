"""Build the layers of StyleGAN-T, with parameters named and scaled as in the authors' release.

Source: Sauer et al. 2023, "StyleGAN-T: Unlocking the Power of GANs for Fast Large-Scale Text-to-Image
Synthesis", section 3.1, and the authors' code for constants that the paper does not give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.fourier import FourierInput
from ..shared.mapping import GAIN, LEAK, FullyConnected, normalise_second_moment
from ..shared.modulated import ModulatedConvolution, ModulatedOutput, fir_kernel

CLAMP = 256.0  # limit of the absolute output of convolutions before their gain
GROUPS = 32  # of a group normalisation
BANDWIDTH = 2.0  # of the Fourier features, in cycles per image width
BRANCH = math.sqrt(0.5)  # gain of the convolutions of residual blocks


class MultilayerPerceptron(nn.Module):
    """Apply fully connected layers with leaky ReLU, the last one without."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        for i in range(layers):
            self.add_module(f"fc{i}", FullyConnected(width, width, lr_multiplier=0.01))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, Z) to (N, Z)."""
        for i in range(self.layers):
            x = self.get_submodule(f"fc{i}")(x)
            if i < self.layers - 1:
                x = F.leaky_relu(x, LEAK) * GAIN
        return x


class MappingNetwork(nn.Module):
    """Map z (N, Z) to x (N, Z), which the text embedding c (N, T) joins to w = [x, c] (N, Z + T).

    The buffer x_avg (Z,) is a moving average of x over training.
    """

    x_avg: Tensor

    def __init__(self, z_dim: int, layers: int) -> None:
        super().__init__()
        self.mlp = MultilayerPerceptron(z_dim, layers)
        self.register_buffer("x_avg", torch.zeros(z_dim))

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, Z) to (N, Z)."""
        x: Tensor = self.mlp(normalise_second_moment(z))
        return x


class SecondOrderStyle(nn.Module):
    """Compute the style s = m1 m2 + m3, channel by channel, of three affine maps m1, m2, m3 of w.

    Source: section 3.1, "stronger text conditioning".
    """

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.proj = FullyConnected(w_dim, 3 * channels, bias=1.0)

    def forward(self, w: Tensor) -> Tensor:
        """Map (N, D) to (N, C)."""
        first, second, third = self.proj(w).chunk(3, dim=1)
        return torch.addcmul(third, first, second)


class Layer(ModulatedConvolution):
    """Apply a modulated 3x3 convolution, noise, bias and leaky ReLU, times `branch`."""

    def __init__(
        self, inputs: int, outputs: int, w_dim: int, size: int, *, up: bool = False, branch: float = BRANCH
    ) -> None:
        super().__init__(SecondOrderStyle(w_dim, inputs), inputs, outputs, (size, size), up=up)
        self.branch = branch

    def apply_to(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Map x (N, I, h, w) with style (N, I) and unscaled noise (N or 1, 1, H, W) to (N, O, H, W)."""
        y: Tensor = self(x, style, noise, CLAMP * self.branch, GAIN * self.branch)
        return y


class ResidualLayer(Layer):
    """Add a convolution, scaled by gamma (1, C, 1, 1), to its input after group normalisation.

    The authors' code adds it to the normalised input, not to the input, and multiplies the sum by sqrt(2).
    """

    def __init__(self, channels: int, w_dim: int, size: int) -> None:
        super().__init__(channels, channels, w_dim, size)
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.gamma = nn.Parameter(torch.full((1, channels, 1, 1), 1e-5))

    def apply_to(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Map x (N, C, H, W) with style (N, C) and unscaled noise (N or 1, 1, H, W) to the same shape."""
        x = self.norm(x.float()).to(x.dtype)
        y = super().apply_to(x, style, noise)
        return (x + (self.gamma * y).to(x.dtype)) * math.sqrt(2.0)


class ToRGB(ModulatedOutput):
    """Make the picture, or the part of a resolution in it."""

    def __init__(self, inputs: int, w_dim: int, colours: int) -> None:
        super().__init__(SecondOrderStyle(w_dim, inputs), inputs, colours)


class Block(nn.Module):
    """Hold the layers of one size: the Fourier features or conv0, pairs of convs1, and ToRGB if it has one.

    Args:
        inputs: channels of the block below; 0 for the first, which has the Fourier features.
        outputs: channels C.
        w_dim: width D of w.
        size: width and height in pixels.
        pairs: number of residual blocks; each has a layer without a shortcut and one with it.
        colours: channels of ToRGB; 0 without one.
    """

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: int, *, pairs: int, colours: int) -> None:
        super().__init__()
        if inputs:
            self.conv0 = Layer(inputs, outputs, w_dim, size, up=True, branch=1.0)
        else:
            self.input = FourierInput(w_dim, outputs, size, size, BANDWIDTH)
        self.convs1 = nn.ModuleList(
            layer
            for _ in range(pairs)
            for layer in (Layer(outputs, outputs, w_dim, size), ResidualLayer(outputs, w_dim, size))
        )
        if colours:
            self.torgb = ToRGB(outputs, w_dim, colours)
        self.register_buffer("resample_filter", fir_kernel())


class Network(nn.Module):
    """Hold mapping and synthesis networks, whose state dict a checkpoint stores.

    Args:
        z_dim: width Z of z and x.
        text: width T of a text embedding; 0 for an unconditional network.
        mapping_layers: number of layers of the mapping network.
        channels: maps the size of each block to its width.
        pairs: number of residual blocks in a block.
        skip: whether every block has a ToRGB, whose outputs are summed, or the last one alone.
        colours: channels of the image.
    """

    def __init__(
        self,
        z_dim: int,
        text: int,
        mapping_layers: int,
        channels: Mapping[int, int],
        *,
        pairs: int,
        skip: bool,
        colours: int,
    ) -> None:
        super().__init__()
        self.mapping = MappingNetwork(z_dim, mapping_layers)
        self.synthesis = nn.Module()
        self.sizes = tuple(sorted(channels))
        inputs = 0
        for size in self.sizes:
            block = Block(
                inputs,
                channels[size],
                z_dim + text,
                size,
                pairs=pairs,
                colours=colours if skip or size == self.sizes[-1] else 0,
            )
            self.synthesis.add_module(f"b{size}", block)
            inputs = channels[size]

    def block(self, size: int) -> Block:
        """Return the block of this size."""
        block = self.synthesis.get_submodule(f"b{size}")
        assert isinstance(block, Block)
        return block

    def precompute(self) -> None:
        """Cache what depends on the weights alone; the weights must not change afterwards."""
        for module in self.modules():
            if isinstance(module, Layer):
                module.precompute()
