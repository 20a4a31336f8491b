"""The layers of StyleGAN2, with parameters named and scaled as in NVIDIA's PyTorch release.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", sections 2 to 4.
Every layer computes in the precision of the feature map it is given; styles are always float32.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.mapping import EPSILON, GAIN, LEAK, FullyConnected, Mapping


def fir_kernel(taps: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)) -> Tensor:
    """The separable low-pass filter (4, 4), summing to one."""
    row = torch.tensor(taps)
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
    """Filter every channel of x (N, C, H, W) with a square kernel."""
    return _Smooth.apply(x, kernel, padding)  # type: ignore[no-untyped-call, no-any-return]


def upsample_rgb(rgb: Tensor, kernel: Tensor) -> Tensor:
    """Running RGB (N, 3, H, W) to twice the size: zeros between the pixels, then the low-pass filter."""
    weight = (4.0 * kernel).to(rgb.dtype).expand(rgb.shape[1], 1, *kernel.shape)
    return F.conv_transpose2d(rgb, weight, stride=2, padding=1, groups=rgb.shape[1])


class SynthesisLayer(nn.Module):
    """Modulated, demodulated 3x3 convolution with noise, bias and leaky ReLU; `up` doubles the size."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: int, *, up: bool) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(size, size))
        self.register_buffer("resample_filter", fir_kernel())
        self.up = up

    def demodulation(self, style: Tensor) -> Tensor:
        """What divides each output channel so that it keeps unit variance: (N, O)."""
        energy = self.weight.square().sum(dim=(2, 3))  # (O, I)
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
            x = smooth(x, 4.0 * self.resample_filter, padding=1)
        else:
            x = F.conv2d(x, weight, padding=1)
        # The activation's gain is put into what goes before it: g lrelu(a) = lrelu(g a).
        shift = self.bias[None, :, None, None]
        if noise is not None:
            shift = shift + noise * self.noise_strength
        # In the layout of x, because addcmul gives its result the layout of its first operand.
        like = torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
        x = torch.addcmul((GAIN * shift).to(x.dtype).contiguous(memory_format=like), x, (GAIN * scale)[:, :, None, None].to(x.dtype))
        x = F.leaky_relu(x, LEAK, inplace=True)
        return x if clamp is None else x.clamp(-clamp, clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to three channels, without demodulation."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor, clamp: float | None = None) -> Tensor:
        """X (N, I, H, W), style (N, I) as the affine gives it: to float32 (N, 3, H, W)."""
        gain = 1.0 / math.sqrt(self.weight.shape[1])
        x = x * (style * gain)[:, :, None, None].to(x.dtype)
        rgb = F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype)).float()
        return rgb if clamp is None else rgb.clamp(-clamp, clamp)


class Block(nn.Module):
    """All layers of one resolution: `const` and conv1 at the lowest, conv0 and conv1 above; then ToRGB."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: int) -> None:
        super().__init__()
        if inputs == 0:
            self.const = nn.Parameter(torch.randn(outputs, size, size))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, size, up=True)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, size, up=False)
        self.torgb = ToRGB(outputs, w_dim)
        self.register_buffer("resample_filter", fir_kernel())


class Synthesis(nn.Module):
    """The blocks b4, b8, ... of a generator; channels maps each resolution to its width."""

    def __init__(self, channels: dict[int, int], w_dim: int) -> None:
        super().__init__()
        inputs = 0
        for size, outputs in sorted(channels.items()):
            self.add_module(f"b{size}", Block(inputs, outputs, w_dim, size))
            inputs = outputs


class Network(nn.Module):
    """Mapping and synthesis together: the module whose state dict a checkpoint holds."""

    def __init__(
        self, channels: dict[int, int], z_dim: int, w_dim: int, mapping_layers: int = 8, *, classes: int = 0, mapping_width: int | None = None
    ) -> None:
        super().__init__()
        self.mapping = Mapping(z_dim, w_dim, mapping_layers, classes=classes, width=mapping_width)
        self.synthesis = Synthesis(channels, w_dim)
        self.sizes = tuple(sorted(channels))

    def block(self, size: int) -> Block:
        """The block of one resolution."""
        block = self.synthesis.get_submodule(f"b{size}")
        assert isinstance(block, Block)
        return block
