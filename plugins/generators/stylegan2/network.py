"""Build the layers of StyleGAN2, with parameters named and scaled as in NVIDIA's PyTorch release.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", sections 2 to 4.
Every layer computes in the precision of its feature map; styles are always float32.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.mapping import FullyConnected, Mapping
from ..shared.modulated import (
    ModulatedConvolution,
    ModulatedOutput,
    Size,
    fir_kernel,
    taps_of,
    upsample_rgb,
)

Kind = Literal["skip", "resnet", "orig"]
RESIDUAL_GAIN = math.sqrt(0.5)  # the sum of two branches keeps the variance of one


class SynthesisLayer(ModulatedConvolution):
    """Apply a modulated convolution whose style is an affine map of the code."""

    affine: FullyConnected

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: Size, *, up: bool, taps: int = 4) -> None:
        super().__init__(FullyConnected(w_dim, inputs, bias=1.0), inputs, outputs, size, up=up, taps=taps)


class ToRGB(ModulatedOutput):
    """Make RGB, RGB with alpha or grey, with a style that is an affine map of the code."""

    affine: FullyConnected

    def __init__(self, inputs: int, w_dim: int, colours: int = 3) -> None:
        super().__init__(FullyConnected(w_dim, inputs, bias=1.0), inputs, colours)


class Residual(nn.Module):
    """Apply the skip branch of a residual block: a 1x1 convolution and upsampling."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, taps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.register_buffer("resample_filter", fir_kernel(taps_of(taps)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, h, w) to (N, O, 2h, 2w), already scaled by RESIDUAL_GAIN."""
        gain = RESIDUAL_GAIN / math.sqrt(self.weight.shape[1])
        return upsample_rgb(F.conv2d(x, (self.weight * gain).to(x.dtype)), self.resample_filter)


class Block(nn.Module):
    """Hold the layers of one size (height, width): conv0, conv1 and ToRGB.

    The smallest, with `inputs` 0, has the learned constant (C, height, width) in place of conv0. Below the
    last resolution only networks with skip connections have a ToRGB.
    """

    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        size: Size,
        *,
        rgb: bool = True,
        residual: bool = False,
        colours: int = 3,
        taps: int = 4,
    ) -> None:
        super().__init__()
        self.has_rgb, self.has_residual = rgb, residual and inputs > 0
        if inputs == 0:
            self.const = nn.Parameter(torch.randn(outputs, *size))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, size, up=True, taps=taps)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, size, up=False)
        if self.has_rgb:
            self.torgb = ToRGB(outputs, w_dim, colours)
        if self.has_residual:
            self.skip = Residual(inputs, outputs, taps)
        self.register_buffer("resample_filter", fir_kernel(taps_of(taps)))


class Synthesis(nn.Module):
    """Hold the blocks b4, b8, ... of a generator, in the order of `channels`: see Network."""

    def __init__(
        self,
        channels: dict[int, int],
        w_dim: int,
        *,
        kind: Kind = "skip",
        colours: int = 3,
        taps: int = 4,
        start: Size = (4, 4),
    ) -> None:
        super().__init__()
        inputs = 0
        for doublings, (name, outputs) in enumerate(sorted(channels.items())):
            rgb = kind == "skip" or name == max(channels)
            self.add_module(
                f"b{name}",
                Block(
                    inputs,
                    outputs,
                    w_dim,
                    (start[0] << doublings, start[1] << doublings),
                    rgb=rgb,
                    residual=kind == "resnet",
                    colours=colours,
                    taps=taps,
                ),
            )
            inputs = outputs


class Network(nn.Module):
    """Hold mapping and synthesis networks, whose state dict a checkpoint stores.

    Args:
        channels: maps each block to its width. The names of blocks are 4, 8, 16 ..., the side of their
            pictures if the constant has 4 x 4 pixels.
        z_dim, w_dim: widths Z of z and D of w.
        mapping_layers: number of layers of the mapping network.
        classes: number of classes Y; 0 if unconditional.
        mapping_width: width of the mapping network's hidden layers; None is w_dim.
        embedding: width of the class embedding; None is w_dim. With 0 a class vector (Z,) is joined to z
            before both are normalised.
        lr_multiplier: factor of the mapping network's stored weights.
        kind: `skip` sums the RGB of all blocks; `resnet` (residual blocks) and `orig` (plain ones) take that
            of the last block.
        colours: channels of the image: 1, 3 or 4.
        taps: width of the low-pass filter.
        means: number of stored mean w: 1, L for one per layer, or 0.
        start: height and width of the learned constant; each further block doubles both.
    """

    def __init__(
        self,
        channels: dict[int, int],
        z_dim: int,
        w_dim: int,
        mapping_layers: int = 8,
        *,
        classes: int = 0,
        mapping_width: int | None = None,
        embedding: int | None = None,
        lr_multiplier: float = 0.01,
        kind: Kind = "skip",
        colours: int = 3,
        taps: int = 4,
        means: int = 1,
        start: Size = (4, 4),
    ) -> None:
        super().__init__()
        self.mapping = Mapping(
            z_dim,
            w_dim,
            mapping_layers,
            classes=classes,
            width=mapping_width,
            embedding=embedding,
            lr_multiplier=lr_multiplier,
            means=means,
        )
        self.synthesis = Synthesis(channels, w_dim, kind=kind, colours=colours, taps=taps, start=start)
        self.sizes = tuple(sorted(channels))

    def block(self, name: int) -> Block:
        """Return the block of this name: 4, 8, 16 ..."""
        block = self.synthesis.get_submodule(f"b{name}")
        assert isinstance(block, Block)
        return block

    def precompute(self) -> None:
        """Cache what depends on the weights alone; the weights must not change afterwards."""
        for module in self.modules():
            if isinstance(module, SynthesisLayer):
                module.precompute()
