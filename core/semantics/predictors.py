"""Give an extractor and a teacher one face: a segmentation P of a rendering, with gradients.

Shapes: N pictures, M classes, H x W pixels of the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ..plugins.records import Rendering
from ..strata.search_defaults import LEARNING_RATE, LEARNING_RATE_OF_PICTURES
from .extractor import Extractor
from .heads import Size
from .teacher import Teacher


@dataclass(frozen=True)
class Predictor:
    """Predict the classes of pixels.

    Attributes:
        classes: names of the M classes.
        strata: strata whose feature maps it reads.
        read: gives the logits (N, M, h, w) of a rendering, with gradients.
    """

    classes: tuple[str, ...]
    strata: tuple[int, ...]
    read: Callable[[Rendering], Tensor]

    @property
    def learning_rate(self) -> float:
        """Learning rate of edits that follow it with a code per layer (measured in docs/segmentation.md).

        A network that sees the picture hardly answers before something of a class is there, so that the steps
        that are long enough for feature maps may end before.
        """
        return LEARNING_RATE if self.strata else LEARNING_RATE_OF_PICTURES

    @staticmethod
    def of_extractor(extractor: Extractor) -> Predictor:
        """Return the predictor that reads a segmentation off feature maps."""
        return Predictor(
            extractor.classes, extractor.strata, lambda rendering: extractor.logits(rendering.features)
        )

    @staticmethod
    def of_teacher(teacher: Teacher) -> Predictor:
        """Return the predictor that segments the picture, or whatever the teacher's segmenter reads."""
        return Predictor(teacher.classes, tuple(teacher.segmenter.features), teacher.logits)

    def logits(self, rendering: Rendering, size: Size) -> Tensor:
        """Return logits (N, M, H, W) of a rendering, resized bilinearly if they have another size."""
        logits = self.read(rendering).float()
        if tuple(logits.shape[-2:]) == size:
            return logits
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)

    def labels(self, rendering: Rendering, size: Size) -> Tensor:
        """Return the class with the highest logit of each pixel, (N, H, W)."""
        return self.logits(rendering, size).max(dim=1).indices
