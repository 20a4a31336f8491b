"""Choose pixels of labelled samples, and read the features of these pixels alone.

The feature of a pixel is the concatenation, over strata, of the enlarged feature maps at that pixel. All
channels of all pixels would fill gigabytes (1.4 GB per picture of StyleGAN2 at 256 px), and a few hundred
pixels per picture say nearly the same.

Shapes: N samples, P chosen pixels of all samples together, F = sum of c_s over the strata, H x W pixels of
the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...device import sent
from ...randomness import Stream, Use, uniforms
from ..heads import Size

Sampling = Literal["plain", "balanced"]


@dataclass(frozen=True)
class Pixels:
    """Hold the places of chosen pixels.

    Attributes:
        sample: row of each pixel's sample in its batch, (P,), int64.
        row: row in the picture, (P,), int64.
        column: column in the picture, (P,), int64.
        weight: number of pixels of the picture that each stands for, (P,), float64.
    """

    sample: Tensor
    row: Tensor
    column: Tensor
    weight: Tensor

    def labels(self, labels: Tensor) -> Tensor:
        """Return the labels (P,) of the pixels from labels (N, H, W)."""
        return labels[self.sample, self.row, self.column]


def choose_pixels(
    labels: Tensor, count: int, index: Sequence[int], seed: int, stream: Stream, sampling: Sampling = "plain"
) -> Pixels:
    """Choose up to `count` pixels with a known label in each sample, without replacement.

    The host chooses, so that the labels of an accelerator are waited for.

    Args:
        labels: class of each pixel, (N, H, W); negative where it is unknown.
        count: pixels per sample.
        index: indices of the samples in their stream, on which the choice depends.
        seed: seed of the choice.
        stream: stream of random numbers.
        sampling: `plain`: every known pixel is as likely as any other. `balanced`: every class of a picture
            gets the same number, or all its pixels if it has fewer; weights make up for it.
    """
    planes = labels.cpu().numpy().reshape(labels.shape[0], -1)
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    for n, (plane, i) in enumerate(zip(planes, index, strict=True)):
        order = uniforms(seed, stream, Use.PIXELS, int(i), plane.size)
        if sampling == "plain":
            chosen = smallest(np.flatnonzero(plane >= 0), order, count)
            weight = np.full(len(chosen), (plane >= 0).sum() / max(len(chosen), 1))
        else:
            chosen, weight = _balanced(plane, order, count)
        parts.append((np.full(len(chosen), n, dtype=np.int64), chosen, weight))
    sample, place, weight = (np.concatenate(values) for values in zip(*parts, strict=True))
    width = int(labels.shape[2])
    on = labels.device
    return Pixels(
        sent(sample, on),
        sent(place // width, on),
        sent(place % width, on),
        sent(weight, on),
    )


def _balanced(
    plane: NDArray[np.int64], order: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose as many pixels of each class of one picture (H*W,), and return their weights too."""
    classes, sizes = np.unique(plane[plane >= 0], return_counts=True)
    left, chosen, weights = count, [np.empty(0, np.int64)], [np.empty(0)]
    # Small classes first, so that what they do not need is left for the others.
    for k, i in enumerate(np.argsort(sizes, kind="stable")):
        quota = min(int(sizes[i]), left // (len(classes) - k))
        if quota == 0:
            continue  # more classes than pixels to choose
        chosen.append(smallest(np.flatnonzero(plane == classes[i]), order, quota))
        weights.append(np.full(quota, sizes[i] / quota))
        left -= quota
    return np.concatenate(chosen), np.concatenate(weights)


def smallest(places: NDArray[np.int64], order: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the `count` places with the smallest numbers, in rising order of place."""
    if len(places) <= count:
        return places
    return np.sort(places[np.argpartition(order[places], count)[:count]])


def pixel_features(maps: Sequence[Tensor], pixels: Pixels, size: Size) -> Tensor:
    """Return the features (P, F) of pixels: all maps at these pixels, as `heads.enlarge` would give them.

    Args:
        maps: feature maps (N, c_s, h_s, w_s).
        pixels: places in pictures of H x W pixels.
        size: H and W.
    """
    return torch.cat([_enlarged_at(x, pixels, size) for x in maps], dim=1)


def _enlarged_at(x: Tensor, pixels: Pixels, size: Size) -> Tensor:
    """Return the enlarged map (P, c) of one map (N, c, h, w) at the pixels."""
    n = pixels.sample
    if tuple(x.shape[-2:]) == size:
        return x[n, :, pixels.row, pixels.column]
    top, below, down = _between(pixels.row, x.shape[2], size[0], x)
    left, right, across = _between(pixels.column, x.shape[3], size[1], x)
    above = torch.lerp(x[n, :, top, left], x[n, :, top, right], across)
    under = torch.lerp(x[n, :, below, left], x[n, :, below, right], across)
    return torch.lerp(above, under, down)


def _between(place: Tensor, small: int, large: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two nearest lines of a map for each pixel, and how far the pixel is towards the second.

    Corner pixels lie on corner pixels: place p of `large` lies at p (small - 1) / (large - 1). Whole numbers
    keep this exact.
    """
    if large == 1:
        first = torch.zeros_like(place)
        return first, first, torch.zeros(len(place), 1, dtype=x.dtype, device=x.device)
    scaled = place * (small - 1)
    first = scaled // (large - 1)
    share = (scaled % (large - 1)).to(x.dtype) / (large - 1)
    return first, (first + 1).clamp(max=small - 1), share[:, None]
