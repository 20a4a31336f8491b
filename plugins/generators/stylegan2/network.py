"""The layers of StyleGAN2, with parameters named and scaled as in NVIDIA's PyTorch release.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", sections 2 to 4.
Every layer computes in the precision of the feature map it is given; styles are always float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.depthwise import interpolate
from ..shared.mapping import EPSILON, GAIN, LEAK, FullyConnected, Mapping

Kind = Literal["skip", "resnet", "orig"]
TAPS = (1.0, 3.0, 3.0, 1.0)
HALF = math.sqrt(0.5)  # two branches of equal variance add up to the variance of one


def fir_kernel(taps: Sequence[float] = TAPS) -> Tensor:
    """The separable low-pass filter (K, K), summing to one."""
    row = torch.tensor(tuple(taps))
    kernel = torch.outer(row, row)
    return kernel / kernel.sum()


class _Smooth(torch.autograd.Function):
    """Depthwise filter whose gradient is again a depthwise filter.

    Autograd's own gradient of a depthwise convolution is several times slower on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.padding = padding
        weight = kernel.to(x.dtype).expand(x.shape[1], 1, *kernel.shape)
        return F.conv2d(x, weight, padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (kernel,) = ctx.saved_tensors
        size = kernel.shape[0]
        return _Smooth.apply(grad, kernel.flip(0, 1), size - 1 - ctx.padding), None, None  # type: ignore[no-untyped-call]


def smooth(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Filter every channel of x (N, C, H, W) with a square, symmetric kernel."""
    return _Smooth.apply(x, kernel, padding)  # type: ignore[no-untyped-call, no-any-return]


def upsample_rgb(rgb: Tensor, kernel: Tensor) -> Tensor:
    """Running RGB (N, 3, H, W) to twice the size: zeros between the pixels, then the low-pass filter."""
    return interpolate(rgb, 4.0 * kernel, 2, kernel.shape[0] // 2 - 1)


class SynthesisLayer(nn.Module):
    """Modulated, demodulated 3x3 convolution with noise, bias and leaky ReLU; `up` doubles the size."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: int, *, up: bool, taps: int = 4) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(size, size))
        self.register_buffer("resample_filter", fir_kernel(_taps(taps)))
        self.up = up
        self._energy: Tensor | None = None

    def precompute(self) -> None:
        """Keep what depends on the weights alone, which are not to change any more."""
        self._energy = self.weight.detach().square().sum(dim=(2, 3))

    def demodulation(self, style: Tensor) -> Tensor:
        """What divides each output channel so that it keeps unit variance: (N, O)."""
        energy = self.weight.square().sum(dim=(2, 3)) if self._energy is None else self._energy  # (O, I)
        return torch.rsqrt(style.square() @ energy.t() + EPSILON)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None, clamp: float | None = None) -> Tensor:
        """X (N, I, h, w), style (N, I), noise (N or 1, 1, H, W) unscaled: to (N, O, H, W)."""
        scale = self.demodulation(style)
        # Modulating the input and demodulating the output equals modulating the weights, without
        # one set of weights per sample.
        x = x * style[:, :, None, None].to(x.dtype)
        weight = self.weight.to(x.dtype)
        if self.up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # (N, O, 2h+1, 2w+1)
            x = smooth(x, 4.0 * self.resample_filter, padding=self.resample_filter.shape[0] // 2 - 1)
        else:
            x = F.conv2d(x, weight, padding=1)
        # The activation's gain is put into what goes before it: g lrelu(a) = lrelu(g a).
        shift = self.bias[None, :, None, None]
        if noise is not None:
            shift = shift + noise * self.noise_strength
        # In the layout of x, because addcmul gives its result the layout of its first operand.
        like = (
            torch.channels_last
            if x.is_contiguous(memory_format=torch.channels_last)
            else torch.contiguous_format
        )
        x = torch.addcmul(
            (GAIN * shift).to(x.dtype).contiguous(memory_format=like),
            x,
            (GAIN * scale)[:, :, None, None].to(x.dtype),
        )
        x = F.leaky_relu(x, LEAK, inplace=True)
        return x if clamp is None else x.clamp(-clamp, clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to the colours, without demodulation."""

    def __init__(self, inputs: int, w_dim: int, colours: int = 3) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(self, x: Tensor, style: Tensor, clamp: float | None = None) -> Tensor:
        """X (N, I, H, W), style (N, I) as the affine gives it: to float32 (N, 3, H, W)."""
        gain = 1.0 / math.sqrt(self.weight.shape[1])
        x = x * (style * gain)[:, :, None, None].to(x.dtype)
        rgb = F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype)).float()
        return rgb if clamp is None else rgb.clamp(-clamp, clamp)


class Residual(nn.Module):
    """The branch beside a block's convolutions, in networks with residual blocks: 1x1 convolution, twice the size."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, taps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.register_buffer("resample_filter", fir_kernel(_taps(taps)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, h, w) to (N, O, 2h, 2w), ready to be added to the other branch times HALF."""
        gain = HALF / math.sqrt(self.weight.shape[1])
        return upsample_rgb(F.conv2d(x, (self.weight * gain).to(x.dtype)), self.resample_filter)


class Block(nn.Module):
    """All layers of one resolution: `const` and conv1 at the lowest, conv0 and conv1 above; then ToRGB where there is one."""

    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        size: int,
        *,
        rgb: bool = True,
        residual: bool = False,
        colours: int = 3,
        taps: int = 4,
    ) -> None:
        super().__init__()
        self.has_rgb, self.has_residual = rgb, residual and inputs > 0
        if inputs == 0:
            self.const = nn.Parameter(torch.randn(outputs, size, size))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, size, up=True, taps=taps)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, size, up=False, taps=taps)
        if self.has_rgb:
            self.torgb = ToRGB(outputs, w_dim, colours)
        if self.has_residual:
            self.skip = Residual(inputs, outputs, taps)
        self.register_buffer("resample_filter", fir_kernel(_taps(taps)))


class Synthesis(nn.Module):
    """The blocks b4, b8, ... of a generator; channels maps each resolution to its width."""

    def __init__(
        self, channels: dict[int, int], w_dim: int, *, kind: Kind = "skip", colours: int = 3, taps: int = 4
    ) -> None:
        super().__init__()
        inputs = 0
        for size, outputs in sorted(channels.items()):
            rgb = kind == "skip" or size == max(channels)
            self.add_module(
                f"b{size}",
                Block(
                    inputs,
                    outputs,
                    w_dim,
                    size,
                    rgb=rgb,
                    residual=kind == "resnet",
                    colours=colours,
                    taps=taps,
                ),
            )
            inputs = outputs


class Network(nn.Module):
    """Mapping and synthesis together: the module whose state dict a checkpoint holds.

    Args:
        channels: resolution to width.
        z_dim, w_dim: sizes of z and w.
        mapping_layers: of the mapping network.
        classes: 0 if unconditional.
        mapping_width: of its hidden layers; None is w_dim.
        embedding: width of the class embedding; None is w_dim, 0 that classes are joined to z before it is normalised.
        lr_multiplier: by which the mapping's stored weights are too large.
        kind: how the blocks lead to colours: each adds to them (skip), or only the last makes them (resnet with residual blocks, orig without).
        colours: channels of an image.
        taps: width of the low-pass filter, an even number.
        means: 1 for one mean w, L for a mean of each layer, 0 for none.
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
        self.synthesis = Synthesis(channels, w_dim, kind=kind, colours=colours, taps=taps)
        self.sizes = tuple(sorted(channels))

    def block(self, size: int) -> Block:
        """The block of one resolution."""
        block = self.synthesis.get_submodule(f"b{size}")
        assert isinstance(block, Block)
        return block

    def precompute(self) -> None:
        """Keep what depends on the weights alone, which are not to change any more."""
        for module in self.modules():
            if isinstance(module, SynthesisLayer):
                module.precompute()


def _taps(number: int) -> Sequence[float]:
    """The filter of new networks; for other widths than the usual one any, since weights that are loaded bring theirs."""
    return TAPS if number == len(TAPS) else (1.0,) * number
