"""Measure how alike pictures are: squared error, PSNR, SSIM and MS-SSIM, each per picture.

Pictures are RGB (N, 3, H, W), nominally in [0, 1]. `known` (N, 1, H, W) in [0, 1] weighs pixels: 1 counts, 0
does not.

Source: Wang, Bovik, Sheikh and Simoncelli 2004, "Image Quality Assessment: From Error Visibility to
Structural Similarity"; Wang, Simoncelli and Bovik 2003, "Multi-Scale Structural Similarity for Image Quality
Assessment".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..device import sent

WINDOW, SPREAD = 11, 1.5  # pixels and standard deviation of the Gaussian window
K1, K2 = 0.01, 0.03  # of the constants (K L)^2, with range L = 1
SCALES = (
    0.0448,
    0.2856,
    0.3001,
    0.2363,
    0.1333,
)  # exponents of the scales, finest first, as published; their sum is 1.0001


def squared_error(pictures: Tensor, wanted: Tensor, known: Tensor | None = None) -> Tensor:
    """Return the mean squared error over pixels and channels (N,); that of known pixels, by their weight.

    >>> squared_error(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)).tolist()
    [0.25]
    """
    squares = (pictures - wanted).square().mean(dim=1, keepdim=True)  # (N, 1, H, W)
    if known is None:
        return squares.flatten(1).mean(dim=1)
    return (squares * known).flatten(1).sum(dim=1) / known.flatten(1).sum(dim=1)


def psnr(pictures: Tensor, wanted: Tensor, known: Tensor | None = None) -> Tensor:
    """Return the peak signal-to-noise ratio -10 log10(squared error) in dB (N,); infinite for equal pictures.

    Both are clamped to [0, 1] first, as they are shown.

    >>> psnr(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.1)).round(decimals=3).tolist()
    [20.0]
    """
    return -10.0 * squared_error(pictures.clamp(0.0, 1.0), wanted.clamp(0.0, 1.0), known).log10()


def scales_for(height: int, width: int) -> tuple[float, ...]:
    """Return the exponents of MS-SSIM for a size: those of the published scales that fit.

    A scale fits if its shorter side has at least the 11 pixels of the window: all five from 176 pixels on,
    three at 64 pixels, one below 22. Fewer than five are divided by their sum.

    >>> [round(weight, 4) for weight in scales_for(64, 64)]
    [0.0711, 0.453, 0.476]
    >>> scales_for(256, 256) == SCALES, scales_for(8, 8)
    (True, (1.0,))
    """
    count = 1
    while count < len(SCALES) and min(height, width) >> count >= WINDOW:
        count += 1
    total = math.fsum(SCALES[:count])
    return tuple(weight / total for weight in SCALES[:count]) if count < len(SCALES) else SCALES


class Structure(NamedTuple):
    """Hold SSIM and its contrast-structure factor, each the mean over pixels, (N, C)."""

    ssim: Tensor
    contrast: Tensor


def structure(pictures: Tensor, wanted: Tensor) -> Structure:
    """Return SSIM and its factor of contrast and structure (N, C), by a Gaussian window inside the picture.

        ssim = (2 m_x m_y + c1) / (m_x^2 + m_y^2 + c1) * (2 s_xy + c2) / (s_x^2 + s_y^2 + c2)

    The window has 11 pixels, or the largest odd number that fits a smaller picture.
    """
    side = min(WINDOW, *pictures.shape[-2:])
    window = sent(_window(side if side % 2 else side - 1).to(pictures.dtype), pictures.device)
    c1, c2 = K1**2, K2**2
    mean_x, mean_y = _filtered(pictures, window), _filtered(wanted, window)
    xx = _filtered(pictures * pictures, window) - mean_x * mean_x
    yy = _filtered(wanted * wanted, window) - mean_y * mean_y
    xy = _filtered(pictures * wanted, window) - mean_x * mean_y
    contrast = (2.0 * xy + c2) / (xx + yy + c2)  # (N, C, h, w)
    luminance = (2.0 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return Structure((luminance * contrast).mean(dim=(2, 3)), contrast.mean(dim=(2, 3)))


def ssim(pictures: Tensor, wanted: Tensor) -> Tensor:
    """Return SSIM in [-1, 1] per picture (N,), the mean over channels and over pixels whose window fits.

    >>> ssim(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.5)).tolist()
    [1.0]
    """
    return structure(pictures, wanted).ssim.mean(dim=1)


def ms_ssim(pictures: Tensor, wanted: Tensor) -> Tensor:
    """Return MS-SSIM in [0, 1] per picture (N,): a product over scales, then the mean over channels.

        ms_ssim = ssim_M^(a_M) * product over j < M of contrast_j^(a_j)

    with the exponents of `scales_for`. Scale j + 1 is scale j averaged over blocks of 2 x 2 pixels. A factor
    below 0, of pictures that are opposites, counts as 0 and has no gradient.
    """
    weights = scales_for(int(pictures.shape[-2]), int(pictures.shape[-1]))
    product = pictures.new_ones(pictures.shape[:2])  # (N, C)
    for j, weight in enumerate(weights):
        if j:
            pictures, wanted = F.avg_pool2d(pictures, 2), F.avg_pool2d(wanted, 2)
        at = structure(pictures, wanted)
        product = product * _power(at.ssim if j == len(weights) - 1 else at.contrast, weight)
    return product.mean(dim=1)


def composited(pictures: Tensor, wanted: Tensor, known: Tensor | None) -> Tensor:
    """Return pictures whose unknown pixels are those of the wanted ones, so that they do not differ there."""
    return pictures if known is None else wanted + known * (pictures - wanted)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Return values^exponent where they are above 0, else 0, with finite gradients everywhere."""
    positive = values > 0.0
    return torch.where(positive, values.where(positive, 1.0).clamp(min=1e-12) ** exponent, 0.0)


def _window(side: int) -> Tensor:
    """Return the weights (side,) of the Gaussian window, which sum to 1."""
    x = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    weights = (-(x**2) / (2.0 * SPREAD**2)).exp()
    return weights / weights.sum()


def _filtered(images: Tensor, window: Tensor) -> Tensor:
    """Average images (N, C, H, W) by a window, row by row and column by column, without a margin."""
    n, channels, height, width = images.shape
    flat = images.reshape(n * channels, 1, height, width)
    rows = F.conv2d(flat, window.view(1, 1, -1, 1))
    result = F.conv2d(rows, window.view(1, 1, 1, -1))
    return result.view(n, channels, *result.shape[-2:])
