"""Resize, crop and normalise images for networks, on the device of the images and with gradients."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.device import sent

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Mode = Literal["bilinear", "bicubic"]
FIXED = 2.0**22  # denominator of Pillow's fixed-point weights
BAND = 32  # rows or columns of the result that one matrix product computes
# Pixels, before or after, of images resized at once: bounds the memory, and fits the cache of a CPU.
PIXELS = {"cpu": 2**18, "cuda": 2**24}


def resized(images: Tensor, height: int, width: int | None = None, *, mode: Mode = "bilinear") -> Tensor:
    """Resize images as Pillow resizes 8-bit images, antialiased where they shrink.

    Published networks were trained and tested with images that Pillow had resized: clamped to [0, 1], rounded
    to 256 levels when stored, after the change of width and after the change of height, with fixed-point
    weights. This function does the same; the gradient passes as if nothing were rounded.

    Pillow changed the width first, whatever the proportions, until version 12, with which published networks
    were trained. Pillow 13 changes the height first where it shrinks by more than twice as many pixels as
    the width. Its levels of such pictures differ: by one with `bilinear`, by more with `bicubic`.

    Args:
        images: (N, 3, H, W).
        height: of the result.
        width: of the result; default the same.
        mode: bilinear or bicubic.

    Returns:
        (N, 3, height, width), values k / 255.
    """
    width = height if width is None else width
    largest = max(images.shape[-2] * images.shape[-1], height * width)
    images_at_once = max(1, PIXELS.get(images.device.type, PIXELS["cpu"]) // max(largest, 1))
    parts = [_resized(part, height, width, mode) for part in torch.split(images, images_at_once)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _resized(images: Tensor, height: int, width: int, mode: Mode) -> Tensor:
    """Resize images (N, 3, H, W) that are few enough for one pass."""
    # In float64 sums of levels times fixed-point weights are exact, and autocast does not change them.
    levels = _rounded(images.clamp(0.0, 1.0).double() * 255.0)
    if levels.shape[-1] != width:
        bands = _bands(levels.shape[-1], width, mode, levels.device)
        levels = _rounded(torch.cat([levels[..., a:b] @ weights.t() for a, b, weights in bands], dim=-1))
    if levels.shape[-2] != height:
        bands = _bands(levels.shape[-2], height, mode, levels.device)
        levels = _rounded(torch.cat([weights @ levels[..., a:b, :] for a, b, weights in bands], dim=-2))
    return (levels / 255.0).to(images.dtype)


def _rounded(levels: Tensor) -> Tensor:
    """Round half up and clamp to 0 .. 255, with a gradient of 1; in place if no gradient is needed."""
    if not levels.requires_grad:
        return levels.add_(0.5).floor_().clamp_(0.0, 255.0)
    return levels + ((levels + 0.5).floor().clamp(0.0, 255.0) - levels).detach()


@lru_cache(maxsize=64)
def _bands(before: int, after: int, mode: Mode, device: torch.device) -> tuple[tuple[int, int, Tensor], ...]:
    """Return the weights without most of their zeros, as (a, b, weights) for each BAND output pixels.

    These pixels depend on the input pixels a .. b-1 only; weights are (BAND, b - a).
    """
    weights = _weights(before, after, mode)
    bands = []
    # Tensors created in inference mode could not be used with gradients later.
    with torch.inference_mode(mode=False):
        for first in range(0, after, BAND):
            rows = weights[first : first + BAND]
            columns = np.flatnonzero(rows.any(axis=0))
            a, b = int(columns[0]), int(columns[-1]) + 1
            bands.append((a, b, torch.from_numpy(rows[:, a:b].copy()).to(device)))
    return tuple(bands)


def _weights(before: int, after: int, mode: Mode) -> NDArray[np.float64]:
    """Return the weights of input pixels for output pixels, (after, before), in steps of 2^-22."""
    scale = before / after
    stretch = max(scale, 1.0)  # antialiasing: the filter covers all pixels that become one
    support = (1.0 if mode == "bilinear" else 2.0) * stretch
    centre = (np.arange(after) + 0.5) * scale
    first = np.maximum((centre - support + 0.5).astype(int), 0)
    last = np.minimum((centre + support + 0.5).astype(int), before)
    pixel = np.arange(before)[None]
    values = _filter(np.abs(pixel + 0.5 - centre[:, None]) / stretch, mode)  # (after, before)
    values = np.where((pixel >= first[:, None]) & (pixel < last[:, None]), values, 0.0)
    values /= values.sum(axis=1, keepdims=True)
    fixed: NDArray[np.float64] = np.trunc(values * FIXED + np.copysign(0.5, values)) / FIXED
    return fixed


def _filter(distance: NDArray[np.float64], mode: Mode) -> NDArray[np.float64]:
    """Return the triangle, or the cubic of Keys (1981) with a = -1/2, at distances in pixels."""
    x = distance
    if mode == "bilinear":
        return np.maximum(1.0 - x, 0.0)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1.0, -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def centre_cropped(images: Tensor, size: int) -> Tensor:
    """Crop images (N, 3, H, W) of at least this size to their middle, (N, 3, size, size)."""
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def normalised(
    images: Tensor, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
) -> Tensor:
    """Return (images - mean) / std for images (N, 3, H, W) in [0, 1], with one mean and std per channel."""
    shift, scale = (sent(torch.tensor(x).view(1, 3, 1, 1), images.device) for x in (mean, std))
    return (images - shift) / scale
