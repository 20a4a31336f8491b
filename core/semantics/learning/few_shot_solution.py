"""Solve for a linear extractor in closed form, from a few annotated images that may count differently.

Sums over the pixels of each image are computed once. Any weights of the images give another solution at the
cost of one factorisation, which makes ensembles cheap, and so is leaving out one image after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...randomness import Stream
from ..heads import LSE
from ..samples import LabelledSamples
from .calibration import best_scale
from .closed_form import Method, check_finite
from .pixels import choose_pixels, pixel_features
from .planes import PixelSums, Planes, lda, ridge

PIXELS = 2048  # per image; rare classes as often as others
STRENGTH = 0.1  # few images need far more of it than many
HELD_OUT = 512  # pixels of each image that say how sure a solution may be


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
    scale: float = 1.0,
) -> LSE:
    """Return the LSE with a bias for images that count with the given weights.

    Args:
        sums: sums over the pixels of each of N images.
        method: `lda` or `ridge`.
        widths: channels c_s of the strata.
        weight: how much each image counts, N of them; None for 1 each.
        strength: strength of ridge, or shrinkage of LDA.
        scale: what the logits are multiplied by, see `few_shot_scale`.

    Raises:
        DataError: fewer than two classes have pixels.
    """
    return _planes(sums, method, weight, strength).scaled(scale).head(widths)


def few_shot_scale(
    samples: LabelledSamples,
    maps: Sequence[Tensor],
    labels: Tensor,
    index: Sequence[int],
    sums: Sequence[PixelSums],
    method: Method,
) -> float:
    """Return the scale with which the logits of a solution give probabilities that fit new images.

    Each image is left out in turn, and read by the solution of the others. A solution is surer of the images
    that it was made of than of others; with a single image, that is all there is.

    Args:
        samples: what the images are samples of.
        maps: feature maps (N, c_s, h_s, w_s).
        labels: (N, H, W), int64, negative where nothing is annotated.
        index: indices of the images in their stream, N of them.
        sums: sums over the pixels of each image.
        method: `lda` or `ridge`.

    Raises:
        DataError: fewer than two classes have pixels.
    """
    size = int(labels.shape[1]), int(labels.shape[2])
    pixels = choose_pixels(labels, HELD_OUT, list(index), samples.seed, Stream.TRAINING, "balanced")
    features, truth = pixel_features(maps, pixels, size), pixels.labels(labels)
    parts = []
    for n in range(len(index)):
        others = [*sums[:n], *sums[n + 1 :]]
        if int(sum((one.mass for one in others), torch.zeros_like(sums[n].mass)).count_nonzero()) < 2:
            continue  # they cannot tell anything apart
        planes = _planes(others, method, None, STRENGTH)
        # No scale helps with classes that the others do not have.
        here = (pixels.sample == n) & planes.present[truth]
        parts.append((planes.logits(features[here]), truth[here], pixels.weight[here]))
    if not any(len(known) for _, known, _ in parts):
        parts = [(_planes(sums, method, None, STRENGTH).logits(features), truth, pixels.weight)]
    logits, known, weight = (torch.cat(same) for same in zip(*parts, strict=True))
    return best_scale(logits.float(), known, weight)


def _planes(
    sums: Sequence[PixelSums], method: Method, weight: Sequence[float] | None, strength: float
) -> Planes:
    """Return the solution for images that count with the given weights."""
    first = sums[0]
    total = PixelSums(len(first.mass), first.total.shape[1], first.mass.device)
    for one, w in zip(sums, weight if weight is not None else [1.0] * len(sums), strict=True):
        total.mass += w * one.mass
        total.total += w * one.total
        total.moments += w * one.moments
    return lda(total, strength) if method == "lda" else ridge(total, strength)
