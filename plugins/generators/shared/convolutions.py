"""What ProgressiveGAN and StyleGAN do to features and weights.

Source: Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
sections 4.1 (equalised learning rate) and 4.2 (pixel norm).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_norm(x: Tensor, epsilon: float, *, outside: bool = False) -> Tensor:
    """Every pixel's channels (N, C, ...) divided by their root mean square; `outside` adds epsilon after the root."""
    # In float32 whatever x is: squares of half precision overflow and epsilon vanishes.
    root = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32) / math.sqrt(x.shape[1])
    factor = 1.0 / (root + epsilon) if outside else torch.rsqrt(root.square() + epsilon)
    return x * factor.to(x.dtype)


def equalised(weight: Tensor, gain: float) -> Tensor:
    """Weights (O, I, k, k) as they are used: times gain over the root of the fan-in."""
    return weight * (gain / math.sqrt(weight[0].numel()))


def with_upsampling(weight: Tensor) -> Tensor:
    """Nearest-neighbour upsampling and a convolution (O, I, 3, 3) as one transposed convolution (I, O, 4, 4) of stride 2.

    Each weight meets two by two copies of a pixel, so it is added to four places; four multiplications
    per pixel take the place of nine.
    """
    padded = F.pad(weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
    return padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
