"""Classify pixels by the nearest class centre on the unit sphere, without any training.

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, section 3.3 and
figure 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from ...device import for_inference
from ...plugins.pending import OneBehind
from ...randomness import Stream
from ..extractor import Architecture, Extractor, MadeFor
from ..learning.closed_form import PIXELS, sample_pixels
from ..learning.planes import PixelSums, spherical_centres
from ..samples import LabelledSamples


def class_centres(
    samples: LabelledSamples,
    made_for: MadeFor,
    images: int,
    advance: Callable[[int], object] = lambda count: None,
) -> Extractor:
    """Return the extractor whose matrix is the class centres: mean features on the sphere, made 1 long again.

    A pixel has the class whose centre its feature is at the smallest angle to. Centres are of a few hundred
    pixels of each sample of Stream.TRAINING, in which every pixel counts alike.

    Args:
        samples: generator and teacher.
        made_for: identity of the generator.
        images: samples whose pixels are averaged.
        advance: called with the number of samples after every batch.

    Raises:
        DataError: fewer than two classes occur, or features are not finite.
    """
    width = sum(described.channels for described in samples.maps)
    sums = PixelSums(len(samples.teacher.classes), width, samples.generator.device)
    size, checks = (1, 1), OneBehind()
    for start in range(0, images, samples.batch):
        drawn = samples.draw(start, Stream.TRAINING, late=True)
        used = min(samples.batch, images - start)
        part = sample_pixels(drawn, samples.maps, PIXELS, samples.seed, Stream.TRAINING, "balanced", used)
        checks.add(part.check)
        units = F.normalize(part.features.double(), dim=1)
        sums.mass.index_add_(0, part.labels, part.weight)
        sums.total.index_add_(0, part.labels, units * part.weight[:, None])
        size = int(drawn.labels.shape[1]), int(drawn.labels.shape[2])
        advance(used)
    checks.end()
    architecture = Architecture(
        head="LSE",
        maps=samples.maps,
        classes=samples.teacher.classes,
        size=size,
        background=samples.teacher.background,
        bias=True,
    )
    head = spherical_centres(sums).head([described.channels for described in samples.maps])
    facts: Mapping[str, Any] = {"class_centres": {"images": images, "seed": samples.seed}}
    with torch.no_grad():
        return Extractor(architecture, (for_inference(head, samples.generator.device),), made_for, facts)
