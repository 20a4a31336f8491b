"""Interpolate feature maps with one filter for all channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Pair = int | tuple[int, int]


def interpolate(x: Tensor, kernel: Tensor, stride: Pair, padding: Pair, output_padding: Pair = 0) -> Tensor:
    """Insert zeros between the samples of x (N, C, H, W) and apply a filter (K, L) to every channel.

    The output has the size of conv_transpose2d's. On a CPU, 16-bit maps are computed in float32: torch's
    transposed depthwise convolution is twenty times slower in bfloat16.
    """
    x32 = x.float() if x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16) else x
    weight = kernel.to(x32.dtype).expand(x.shape[1], 1, *kernel.shape)
    return F.conv_transpose2d(
        x32, weight, stride=stride, padding=padding, output_padding=output_padding, groups=x.shape[1]
    ).to(x.dtype)
