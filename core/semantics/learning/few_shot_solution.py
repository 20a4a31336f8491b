"""Solve for a linear extractor in closed form, from a few annotated images that may count differently.

Sums over the pixels of each image are computed once. Any weights of the images give another solution at the
cost of one factorisation, which makes ensembles cheap.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...randomness import Stream
from ..heads import LSE
from ..samples import LabelledSamples
from .closed_form import Method, check_finite
from .pixels import choose_pixels, pixel_features
from .planes import PixelSums, lda, ridge

PIXELS = 2048  # per image; rare classes as often as others
STRENGTH = 0.1  # few images need far more of it than many


def image_sums(
    samples: LabelledSamples, maps: Sequence[Tensor], labels: Tensor, index: Sequence[int]
) -> list[PixelSums]:
    """Return the sums over the pixels of each of N annotated images.

    Args:
        samples: what the images are samples of.
        maps: feature maps (N, c_s, h_s, w_s).
        labels: (N, H, W), int64, negative where nothing is annotated.
        index: indices of the images in their stream, N of them.

    Raises:
        DataError: features are not finite.
    """
    size = int(labels.shape[1]), int(labels.shape[2])
    classes, sums = len(samples.teacher.classes), []
    for n, i in enumerate(index):
        here = labels[n : n + 1]
        pixels = choose_pixels(here, PIXELS, [i], samples.seed, Stream.TRAINING, "balanced")
        features = pixel_features([x[n : n + 1] for x in maps], pixels, size)
        check_finite(features, samples.maps, pixels, torch.tensor([i]))
        one = PixelSums(classes, features.shape[1], features.device)
        one.add(features, pixels.labels(here), pixels.weight)
        sums.append(one)
    return sums


def solve_few_shot(
    sums: Sequence[PixelSums],
    method: Method,
    widths: Sequence[int],
    weight: Sequence[float] | None = None,
    strength: float = STRENGTH,
) -> LSE:
    """Return the LSE with a bias for images that count with the given weights.

    Args:
        sums: sums over the pixels of each of N images.
        method: `lda` or `ridge`.
        widths: channels c_s of the strata.
        weight: how much each image counts, N of them; None for 1 each.
        strength: strength of ridge, or shrinkage of LDA.

    Raises:
        DataError: fewer than two classes have pixels.
    """
    first = sums[0]
    total = PixelSums(len(first.mass), first.total.shape[1], first.mass.device)
    for one, w in zip(sums, weight if weight is not None else [1.0] * len(sums), strict=True):
        total.mass += w * one.mass
        total.total += w * one.total
        total.moments += w * one.moments
    planes = lda(total, strength) if method == "lda" else ridge(total, strength)
    return planes.head(widths)
