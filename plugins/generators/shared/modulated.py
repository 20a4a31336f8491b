"""Compute the modulated convolutions of StyleGAN2 and its relatives, and the low-pass filters around them.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", sections 2 to 4.
Every layer computes in the precision of its feature map; styles are always float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .depthwise import interpolate
from .mapping import EPSILON, GAIN, LEAK
from .squares import Squares

Size = tuple[int, int]  # height and width
TAPS = (1.0, 3.0, 3.0, 1.0)


def taps_of(number: int) -> Sequence[float]:
    """Return the taps of a low-pass filter of this length; if it is not 4, loading overwrites them."""
    return TAPS if number == len(TAPS) else (1.0,) * number


def fir_kernel(taps: Sequence[float] = TAPS) -> Tensor:
    """Return the separable low-pass filter (K, K) of these taps, with sum 1."""
    total = sum(taps) ** 2
    return torch.tensor([[first * second / total for second in taps] for first in taps])


class _Smooth(torch.autograd.Function):
    """Apply a depthwise filter (K, K).

    The gradient is written out as a depthwise filter, because autograd's is several times slower on a CPU.
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
        smoothed = _Smooth.apply(  # type: ignore[no-untyped-call]
            grad, kernel.flip(0, 1), size - 1 - ctx.padding
        )
        return smoothed, None, None


def smooth(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Convolve every channel of x (N, C, H, W) with a square kernel.

    It is a convolution, as in NVIDIA's and rosinality's upfirdn2d, where conv2d computes a correlation: a
    kernel that is not symmetric is turned by 180 degrees.
    """
    return _Smooth.apply(x, kernel.flip(0, 1), padding)  # type: ignore[no-untyped-call, no-any-return]


def upsample_rgb(rgb: Tensor, kernel: Tensor) -> Tensor:
    """Upsample rgb (N, C, H, W) to (N, C, 2H, 2W): insert zeros between the pixels and low-pass filter.

    NVIDIA's upsample2d pads the spread picture by (K + 1) // 2 zeros before it and (K - 2) // 2 after it. So
    of the full response of the filter (K, K), the first (K - 2) // 2 pixels are left out, and as many of the
    last ones; one more if K is odd.
    """
    height, width = rgb.shape[2:]
    if kernel.shape[0] == 1:
        # (K - 2) // 2 would be -1: the picture is moved by a pixel, as by three taps of which two are zero.
        kernel = F.pad(kernel, (1, 1, 1, 1))
    rgb = interpolate(rgb, 4.0 * kernel, 2, (kernel.shape[0] - 2) // 2)  # (N, C, 2H or 2H+1, 2W or 2W+1)
    return rgb[:, :, : 2 * height, : 2 * width]


class ModulatedConvolution(nn.Module):
    """Apply a modulated and demodulated 3x3 convolution, noise, bias and leaky ReLU; `up` doubles the size.

    With style s (I,) and weights w (O, I, 3, 3), the convolution of a sample uses the weights of section 2.2,
    equations 1 and 3:

        w'_oik = s_i w_oik        w''_oik = w'_oik / sqrt(sum over i, k of w'_oik^2 + epsilon)

    Args:
        affine: maps codes (N, D) to styles (N, I).
        inputs, outputs: channels I and O.
        size: height and width of the output.
        up: whether the size is doubled.
        taps: width of the low-pass filter.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self, affine: nn.Module, inputs: int, outputs: int, size: Size, *, up: bool, taps: int = 4
    ) -> None:
        super().__init__()
        self.affine = affine
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(size))
        self.register_buffer("resample_filter", fir_kernel(taps_of(taps)))
        self.up = up
        self._squares = Squares()

    def precompute(self) -> None:
        """Prepare for inference what depends on the weights alone.

        The squared weights are kept for as long as these weights are used. Weights of a transposed
        convolution are laid out as that takes them, with O and I exchanged; otherwise they would be copied in
        every pass.
        """
        if self.up:
            exchanged = self.weight.detach().transpose(0, 1).contiguous(memory_format=torch.channels_last)
            self.weight.data = exchanged.transpose(0, 1)  # (O, I, 3, 3) as before
        self._squares.keep(self.weight)

    def demodulate(self, style: Tensor) -> Tensor:
        """Return 1 / sqrt(sum over i, k of (s_i w_oik)^2 + epsilon) for styles (N, I), (N, O); equation 3."""
        squared = self._squares.of(self.weight)  # (O, I)
        return torch.rsqrt(style.square() @ squared.t() + EPSILON)

    def forward(
        self,
        x: Tensor,
        style: Tensor,
        noise: Tensor | None,
        clamp: float | None = None,
        gain: float = GAIN,
    ) -> Tensor:
        """Map x (N, I, h, w) with style (N, I) and unscaled noise (N or 1, 1, H, W) to (N, O, H, W)."""
        demodulation = self.demodulate(style)  # (N, O)
        # Modulating the input and demodulating the output equals modulating the weights, but needs no
        # weights per sample.
        x = x * style[:, :, None, None].to(x.dtype)  # (N, I, h, w)
        weight = self.weight.to(x.dtype)
        if self.up:
            height, width = x.shape[2:]
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # (N, O, 2h+1, 2w+1)
            padding = (self.resample_filter.shape[0] - 1) // 2
            x = smooth(x, 4.0 * self.resample_filter, padding=padding)
            # (N, O, 2h, 2w). A filter of odd width gets one zero less at the end, as in NVIDIA's code.
            x = x[:, :, : 2 * height, : 2 * width]
        else:
            x = F.conv2d(x, weight, padding=1)  # (N, O, h, w)
        # The gain of the activation is applied before it: g lrelu(a) = lrelu(g a) for g > 0.
        # addcmul gives its result the memory format of its first operand, so the bias (1, O, 1, 1) gets that
        # of x. Noise is added afterwards and in place, one number per pixel: a map of bias and noise would
        # first have to be written, and is as large as x.
        memory_format = (
            torch.channels_last
            if x.is_contiguous(memory_format=torch.channels_last)
            else torch.contiguous_format
        )
        x = torch.addcmul(
            (gain * self.bias)[None, :, None, None].to(x.dtype).contiguous(memory_format=memory_format),
            x,
            (gain * demodulation)[:, :, None, None].to(x.dtype),
        )
        if noise is not None:
            x += (noise * (gain * self.noise_strength)).to(x.dtype)  # (N or 1, 1, H, W)
        x = F.leaky_relu(x, LEAK, inplace=True)
        return x if clamp is None else x.clamp(-clamp, clamp)


class ModulatedOutput(nn.Module):
    """Apply a modulated 1x1 convolution to RGB, RGB with alpha or grey, without demodulation."""

    def __init__(self, affine: nn.Module, inputs: int, colours: int = 3) -> None:
        super().__init__()
        self.affine = affine
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(self, x: Tensor, style: Tensor, clamp: float | None = None) -> Tensor:
        """Map x (N, I, H, W) with style (N, I) to float32 (N, colours, H, W)."""
        gain = 1.0 / math.sqrt(self.weight.shape[1])
        x = x * (style * gain)[:, :, None, None].to(x.dtype)  # (N, I, H, W)
        rgb = F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype)).float()
        return rgb if clamp is None else rgb.clamp(-clamp, clamp)
