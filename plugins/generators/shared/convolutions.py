"""Compute pixel norm, equalised learning rate and fused upsampling, as in ProgressiveGAN and StyleGAN.

Source: Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
sections 4.1 (equalised learning rate) and 4.2 (pixel norm).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_norm(x: Tensor, epsilon: float, *, outside: bool = False) -> Tensor:
    """Return x / sqrt(mean over channels of x^2 + epsilon), for x (N, C, ...); section 4.2, equation 2.

    With `outside` the divisor is sqrt(mean of x^2) + epsilon.
    """
    # Always in float32: in half precision squares overflow and epsilon vanishes.
    root = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32) / math.sqrt(x.shape[1])
    factor = 1.0 / (root + epsilon) if outside else torch.rsqrt(root.square() + epsilon)
    return x * factor.to(x.dtype)


def equalised(weight: Tensor, gain: float) -> Tensor:
    """Return weight * gain / sqrt(fan-in) for weights (O, I, k, k), with fan-in I k^2; section 4.1."""
    return weight * (gain / math.sqrt(weight[0].numel()))


def fuse_upsampling(weight: Tensor) -> Tensor:
    """Fuse nearest-neighbour upsampling with a convolution (O, I, 3, 3) into one transposed convolution.

    The result is (I, O, 4, 4), for stride 2. Each weight meets 2 x 2 copies of a pixel, so it is added at
    four positions. An output pixel then takes four multiplications instead of nine.
    """
    padded = F.pad(weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))  # (I, O, 5, 5)
    return padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
