"""Stand where a teacher would, for extractors that learn from painted masks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..plugins.base import PluginConfig
from ..plugins.records import Concept, Rendering
from ..plugins.scorer import Segmenter


class Unlabelled(Segmenter):
    """Name the classes of pictures that people label; what it calls labels means nothing."""

    def __init__(self, classes: Sequence[str], device: torch.device) -> None:
        super().__init__(PluginConfig(), device)
        self.name = self.origin = "annotations"
        self.concepts = tuple(Concept(name, "object") for name in classes)

    def logits(self, rendering: Rendering) -> Tensor:
        """Return nothing that anyone reads: zeros (N, M, 1, 1)."""
        return torch.zeros(len(rendering.images), len(self.concepts), 1, 1, device=self.device)
