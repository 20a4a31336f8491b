"""Build the layers of StyleGAN3, with parameters named and scaled as in NVIDIA's PyTorch release.

Source: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", section 3 and appendices C to F.
Every layer computes in the precision of its feature map; styles are always float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.fourier import FourierInput
from ..shared.mapping import EPSILON, GAIN, FullyConnected, Mapping
from ..shared.squares import Squares
from .filters import Resampling, filtered_lrelu

CLAMP = 256.0  # of layers, in the published code
SCALE = 0.25  # of the output, in the published code
LR_MLP = 0.01  # of the mapping network, in the published code


@dataclass(frozen=True)
class LayerSizes:
    """Hold the sizes of one layer L0, L1, ... of the synthesis network.

    Attributes:
        inputs, outputs: channels of its input and output.
        before, after: widths of its input and output, margins included.
        kernel: kernel size of its convolution.
        up, down: resampling factors before and after the nonlinearity.
        up_taps, down_taps: lengths of the filters; 0 where there is none.
        radial: whether the downsampling filter is two-dimensional.
    """

    inputs: int
    outputs: int
    before: int
    after: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool

    @property
    def name(self) -> str:
        """Name of the layer as in the checkpoint, without its number."""
        return f"{self.after}_{self.outputs}"


class SynthesisLayer(nn.Module):
    """Apply a modulated convolution, bias, and filtered leaky ReLU.

    The buffer magnitude_ema is a moving average over training of the mean square of the layer's input.
    """

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, sizes: LayerSizes, w_dim: int) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, sizes.inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(sizes.outputs, sizes.inputs, sizes.kernel, sizes.kernel))
        self.bias = nn.Parameter(torch.zeros(sizes.outputs))
        self.register_buffer("magnitude_ema", torch.ones([]))
        self.register_buffer(
            "up_filter", torch.full((sizes.up_taps,), 1.0 / sizes.up_taps) if sizes.up_taps else None
        )
        shape = (sizes.down_taps,) * (2 if sizes.radial else 1)
        self.register_buffer(
            "down_filter",
            torch.full(shape, 1.0 / sizes.down_taps ** len(shape)) if sizes.down_taps else None,
        )
        convolved = sizes.before + sizes.kernel - 1  # with full zero padding
        self.resampling = Resampling(
            convolved, sizes.after, sizes.up, sizes.down, max(sizes.up_taps, 1), max(sizes.down_taps, 1)
        )
        self._squares = Squares()

    def precompute(self) -> None:
        """Keep the squared weights for as long as these weights are used."""
        self._squares.keep(self.weight)

    def modulation(self, style: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scales of input channels (N, I) and output channels (N, O) for styles (N, I).

        With s the style divided by its root mean square and by sqrt(I k^2), the output scale is
        1 / sqrt(sum over i, k of (s_i w_oik)^2 + epsilon) / sqrt(magnitude_ema) (appendix D).
        """
        squared = self._squares.of(self.weight)  # (O, I)
        # This normalisation cancels in the product, up to epsilon. It keeps values in the range of 16 bits.
        style = (
            style
            * torch.rsqrt(style.square().mean(dim=1, keepdim=True) + EPSILON)
            / math.sqrt(self.weight[0].numel())
        )
        demodulation = torch.rsqrt(style.square() @ squared.t() + EPSILON)
        return style, demodulation * torch.rsqrt(self.magnitude_ema)

    def forward(self, x: Tensor, style: Tensor, clamp: float | None) -> Tensor:
        """Map x (N, I, before, before) with style (N, I) to (N, O, after, after)."""
        style, demodulation = self.modulation(style)
        x = x * style[:, :, None, None].to(x.dtype)  # (N, I, before, before)
        padding = self.weight.shape[2] - 1
        x = F.conv2d(x, self.weight.to(x.dtype), padding=padding)  # (N, O, convolved, convolved)
        # The gain of the activation is applied before it: g lrelu(a) = lrelu(g a) for g > 0.
        shift = (GAIN * self.bias)[None, :, None, None].to(x.dtype)
        x = torch.addcmul(shift, x, (GAIN * demodulation)[:, :, None, None].to(x.dtype))
        return filtered_lrelu(x, self.up_filter, self.down_filter, self.resampling, clamp)

    def to_rgb(self, x: Tensor, style: Tensor, clamp: float | None) -> Tensor:
        """Map x (N, I, h, w) with style (N, I) to float32 (N, O, H, W), without demodulation or filters."""
        gain = torch.rsqrt(self.magnitude_ema) / math.sqrt(self.weight[0].numel())
        x = x * (style * gain)[:, :, None, None].to(x.dtype)
        x = F.conv2d(
            x, self.weight.to(x.dtype), self.bias.to(x.dtype), padding=self.weight.shape[2] - 1
        ).float()
        x = self.resampling.select(x)
        return x if clamp is None else x.clamp(-clamp, clamp)


class Synthesis(nn.Module):
    """Hold the Fourier features and the layers L0, L1, ..., the last of which gives the image.

    Args:
        layers: sizes of each layer.
        w_dim: width D of w.
        rate, bandwidth: of the Fourier features.
        numbers: of the layers in their names; None is 0, 1, 2 ...
    """

    def __init__(
        self,
        layers: Sequence[LayerSizes],
        w_dim: int,
        rate: float,
        bandwidth: float,
        numbers: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        numbers = range(len(layers)) if numbers is None else numbers
        self.input = FourierInput(w_dim, layers[0].inputs, layers[0].before, rate, bandwidth)
        self.names = tuple(f"L{i}_{sizes.name}" for i, sizes in zip(numbers, layers, strict=True))
        for name, sizes in zip(self.names, layers, strict=True):
            self.add_module(name, SynthesisLayer(sizes, w_dim))


class Network(nn.Module):
    """Hold mapping and synthesis networks, whose state dict a checkpoint stores."""

    def __init__(self, mapping: Mapping, synthesis: Synthesis) -> None:
        super().__init__()
        self.mapping, self.synthesis = mapping, synthesis

    def precompute(self) -> None:
        """Keep what depends on the weights alone."""
        for name in self.synthesis.names:
            self.layer(name).precompute()

    def layer(self, name: str) -> SynthesisLayer:
        """Return the layer with this name."""
        layer = self.synthesis.get_submodule(name)
        assert isinstance(layer, SynthesisLayer)
        return layer
