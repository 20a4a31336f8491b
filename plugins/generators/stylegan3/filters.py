"""Apply a leaky ReLU between upsampling and downsampling filters.

Source: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", section 3 and appendix C.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..shared.depthwise import interpolate
from ..shared.mapping import LEAK

# Values at the high rate that filtered_lrelu processes at once on a CPU; more do not fit its caches.
BLOCK = 2**22


class _Spread(torch.autograd.Function):
    """Insert zeros between samples and apply a depthwise filter, without storing the zeros.

    The gradient is _Gather with the same filter. It is written out, because autograd's is several times
    slower on a CPU.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        kernel: Tensor,
        stride: tuple[int, int],
        crop: tuple[int, int],
        extra: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.settings = stride, crop
        return interpolate(x, kernel, stride, crop, extra)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (kernel,) = ctx.saved_tensors
        gathered = _Gather.apply(grad, kernel, *ctx.settings)  # type: ignore[no-untyped-call]
        return gathered, None, None, None, None


class _Gather(torch.autograd.Function):
    """Apply a depthwise filter at every stride-th position; its gradient is _Spread."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernel: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(kernel)
        spans = [size + 2 * p - k for size, p, k in zip(x.shape[2:], padding, kernel.shape, strict=True)]
        ctx.settings = stride, padding, tuple(span % step for span, step in zip(spans, stride, strict=True))
        weight = kernel.to(x.dtype).expand(x.shape[1], 1, *kernel.shape)
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (kernel,) = ctx.saved_tensors
        spread = _Spread.apply(grad, kernel, *ctx.settings)  # type: ignore[no-untyped-call]
        return spread, None, None, None


class Resampling:
    """Compute which samples a filtered nonlinearity needs, along each axis of a square map.

    Args:
        before, after: widths of the input and the output.
        up, down: resampling factors before and after the nonlinearity.
        up_taps, down_taps: lengths of the filters.

    Attributes:
        first, last: range of input samples that are needed; samples outside the input are zeros.
        crop, extra: samples to remove at the start of the upsampled map, and to add at its end.
        width: of the map at the high rate.
    """

    def __init__(self, before: int, after: int, up: int, down: int, up_taps: int, down_taps: int) -> None:
        self.after, self.up, self.down = after, up, down
        self.width = (after - 1) * down + down_taps
        # The high-rate map is centred on the input, up to half a sample; its end follows from its width.
        padding = self.width + up_taps - 1 - before * up
        start = up_taps - 1 - (padding + up) // 2  # in the full response, (before - 1) * up + up_taps long
        end = (before - 1) * up + up_taps - start - self.width
        self.first = max(0, math.ceil((start - up_taps + 1) / up)) if start >= 0 else start // up
        cut = max(0, math.ceil((end - up_taps + 1) / up)) if end >= 0 else end // up
        self.last = before - cut
        self.crop = start - self.first * up
        self.extra = max(0, self.crop - (end - cut * up))

    def select(self, x: Tensor) -> Tensor:
        """Crop x (N, C, before, before) to the samples first to last, with zeros outside x."""
        before = x.shape[3]
        rows = slice(max(self.first, 0), min(self.last, before))
        margins = (max(-self.first, 0), max(self.last - before, 0))
        x = x[:, :, rows, rows]
        return x if margins == (0, 0) else F.pad(x, (*margins, *margins))


def filtered_lrelu(
    x: Tensor,
    up_filter: Tensor | None,
    down_filter: Tensor | None,
    resampling: Resampling,
    clamp: float | None,
) -> Tensor:
    """Upsample, apply a leaky ReLU, and downsample.

    The nonlinearity adds high frequencies. At a higher sampling rate the downsampling filter can remove them
    before they alias (section 3.1).

    Args:
        x: (N, C, before, before).
        up_filter: (T,) with sum 1, applied along both axes; None if there is no upsampling.
        down_filter: (T,), applied along both axes, or (T, T); None if there is no downsampling.
        resampling: sizes and factors.
        clamp: limit of the absolute output of the nonlinearity, or None.

    Returns:
        (N, C, after, after).
    """
    x = resampling.select(x)
    channels = x.shape[1]
    if x.device.type == "cpu":
        channels = max(16, BLOCK // (x.shape[0] * resampling.width**2) // 16 * 16)
    if channels >= x.shape[1]:
        return _filtered(x, up_filter, down_filter, resampling, clamp)
    chunks = (
        x[:, i : i + channels].contiguous(memory_format=torch.channels_last)
        for i in range(0, x.shape[1], channels)
    )
    return torch.cat([_filtered(chunk, up_filter, down_filter, resampling, clamp) for chunk in chunks], dim=1)


def _filtered(
    x: Tensor,
    up_filter: Tensor | None,
    down_filter: Tensor | None,
    resampling: Resampling,
    clamp: float | None,
) -> Tensor:
    """Apply filtered_lrelu to x (N, C, last - first, last - first), as Resampling.select() returns it."""
    if up_filter is not None:
        fir = resampling.up * up_filter  # makes up for the zeros between the samples
        up, crop, extra = resampling.up, resampling.crop, resampling.extra
        x = _Spread.apply(x, fir[None, :], (1, up), (0, crop), (0, extra))  # type: ignore[no-untyped-call]
        x = _Spread.apply(x, fir[:, None], (up, 1), (crop, 0), (extra, 0))  # type: ignore[no-untyped-call]
    x = F.leaky_relu(x, LEAK, inplace=True)
    if clamp is not None:
        # Not in place with gradients, because the gradient of the leaky ReLU needs its output.
        x = x.clamp(-clamp, clamp) if x.requires_grad else x.clamp_(-clamp, clamp)
    if down_filter is not None:
        step = resampling.down
        if down_filter.ndim == 1:
            fir = down_filter.flip(0)
            x = _Gather.apply(x, fir[None, :], (1, step), (0, 0))  # type: ignore[no-untyped-call]
            x = _Gather.apply(x, fir[:, None], (step, 1), (0, 0))  # type: ignore[no-untyped-call]
        else:
            fir = down_filter.flip(0, 1)
            x = _Gather.apply(x, fir, (step, step), (0, 0))  # type: ignore[no-untyped-call]
    return x[:, :, : resampling.after, : resampling.after]
