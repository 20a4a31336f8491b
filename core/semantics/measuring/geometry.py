"""Measure how the features of classes lie on the unit sphere: fair samples of pixels, and their cosines.

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, section 3.3 and
appendix F.
Shapes: M classes, F = sum of c_s over the strata.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...device import sent
from ...plugins.pending import OneBehind
from ...randomness import Stream, Use, uniforms
from ...statistics import Floats
from ..learning.closed_form import begin_check_finite
from ..learning.pixels import Pixels, pixel_features, smallest
from ..samples import Drawn, LabelledSamples

PER_IMAGE, IN_ALL = 200, 4000  # T1 and T2 of the paper
MOST = 2000  # images after which classes that are rarely large enough are given up


@dataclass(frozen=True)
class FairPools:
    """Hold what is needed of a pool of features per class, each with the same number from each image.

    Attributes:
        classes: names of the M classes.
        means: mean of the features on the unit sphere, (M, F); NaN for a class without any.
        counts: features in each pool, (M,).
        images: number of images that were drawn.
        per_image: features of a class from one image, T1.
        in_all: features of a full pool, T2.
    """

    classes: tuple[str, ...]
    means: Floats
    counts: NDArray[np.int64]
    images: int
    per_image: int
    in_all: int

    @property
    def unfilled(self) -> tuple[str, ...]:
        """Names of the classes whose pool is not full."""
        return tuple(
            name for name, n in zip(self.classes, self.counts.tolist(), strict=True) if n < self.in_all
        )


def fair_sampling(
    samples: LabelledSamples,
    per_image: int = PER_IMAGE,
    in_all: int = IN_ALL,
    most: int = MOST,
    advance: Callable[[int], object] = lambda count: None,
) -> FairPools:
    """Draw images until every class has a pool of features from equally many images (algorithm 1).

    An image gives `per_image` random pixels of each class that covers at least so many of its pixels and
    whose pool is not full. The paper's loop never ends if a class never covers that many; this one ends
    after `most` images, and says which pools are not full.

    Args:
        samples: generator and teacher; samples are those of Stream.TRAINING.
        per_image: T1.
        in_all: T2, a multiple of T1.
        most: number of images after which no more are drawn.
        advance: called with the number of images after every batch.

    Raises:
        ValueError: T2 is not a multiple of T1, or the numbers are below 1.
        DataError: features are not finite.
    """
    if per_image < 1 or most < 1 or in_all < per_image or in_all % per_image:
        raise ValueError(f"{in_all} features in all are not a multiple of {per_image} per image")
    classes = samples.teacher.classes
    width = sum(described.channels for described in samples.maps)
    total = torch.zeros(len(classes), width, dtype=torch.float64, device=samples.generator.device)
    counts = np.zeros(len(classes), dtype=np.int64)
    images, checks = 0, OneBehind()
    while images < most and (counts < in_all).any():
        drawn = samples.draw(images, Stream.TRAINING, late=True)
        used = min(samples.batch, most - images)
        pixels, labels = _fair_pixels(drawn, used, counts, per_image, in_all, samples.seed)
        drawn.check.result()  # what it needs came before the labels
        features = pixel_features(drawn.maps, pixels, (drawn.labels.shape[1], drawn.labels.shape[2]))
        checks.add(begin_check_finite(features, samples.maps, pixels, drawn.latents.index))
        total.index_add_(0, labels, F.normalize(features.double(), dim=1))
        images += used
        advance(used)
    checks.end()
    known = torch.from_numpy(np.where(counts > 0, counts, np.nan)).to(total.device)
    return FairPools(classes, (total / known[:, None]).cpu().numpy(), counts, images, per_image, in_all)


def _fair_pixels(
    drawn: Drawn, used: int, counts: NDArray[np.int64], per_image: int, in_all: int, seed: int
) -> tuple[Pixels, Tensor]:
    """Choose pixels of the first `used` samples for pools that are not full, and add them to the counts."""
    planes = drawn.labels.cpu().numpy().reshape(drawn.labels.shape[0], -1)
    width = drawn.labels.shape[2]
    sample, place, label = [], [], []
    for n in range(used):
        order = uniforms(seed, Stream.TRAINING, Use.PIXELS, int(drawn.latents.index[n]), planes.shape[1])
        sizes = np.bincount(planes[n][planes[n] >= 0], minlength=len(counts))
        for k in np.flatnonzero((sizes >= per_image) & (counts < in_all)).tolist():
            place.append(smallest(np.flatnonzero(planes[n] == k), order, per_image))
            sample.append(np.full(per_image, n, dtype=np.int64))
            label.append(np.full(per_image, k, dtype=np.int64))
            counts[k] += per_image
    on = drawn.labels.device
    places, numbers, labels = (
        sent(np.concatenate([*parts, np.empty(0, np.int64)]), on) for parts in (place, sample, label)
    )
    weight = torch.ones(len(labels), dtype=torch.float64, device=on)
    return Pixels(numbers, places // width, places % width, weight), labels


def cosine_matrix(pools: FairPools) -> Floats:
    """Return the mean cosine of all pairs of features of two pools, (M, M).

    The mean over pairs of u . v is the product of the means, (mean of u) . (mean of v), on the unit sphere,
    so no pair is computed. The diagonal counts the pairs of a feature with itself, as in the paper.
    NaN for a class without features.
    """
    return np.asarray(pools.means @ pools.means.T)


def closest_to_itself(cosines: Floats) -> NDArray[np.bool_]:
    """Return, for each class, whether its features are more similar to each other than to any other's, (M,).

    >>> closest_to_itself(np.array([[0.9, 0.5], [0.5, 0.4]])).tolist()
    [True, False]
    """
    others = np.where(np.eye(len(cosines), dtype=bool) | np.isnan(cosines), -np.inf, cosines)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.diagonal(cosines) > others.max(axis=1))
