"""Interpolation of feature maps: one filter for all channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Pair = int | tuple[int, int]


def interpolate(x: Tensor, kernel: Tensor, stride: Pair, padding: Pair, output_padding: Pair = 0) -> Tensor:
    """Zeros between the samples of x (N, C, H, W), then a filter (K, L); the rest is as in conv_transpose2d.

    Of 16 bits too a CPU computes in float32: torch's transposed depthwise convolution is twenty times slower in bfloat16.
    """
    wide = x.float() if x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16) else x
    weight = kernel.to(wide.dtype).expand(x.shape[1], 1, *kernel.shape)
    return F.conv_transpose2d(
        wide, weight, stride=stride, padding=padding, output_padding=output_padding, groups=x.shape[1]
    ).to(x.dtype)
