"""What share of the picture each class of surface or object takes."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ...core.contracts import PluginConfig, Segmenter
from ...core.records import Concept, Rendering
from .surfaces import load_surfaces


class Segmentation(Segmenter):
    """A concept per class of a surface network."""

    class Config(PluginConfig):
        """Which surface network."""

        checkpoint: str = Field(description="a surface network, or bundled:rooms")

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = load_surfaces(config.checkpoint, device)
        self.checkpoint = self.model.sha256
        self.concepts = tuple(Concept(name, "object", threshold=0.02) for name in self.model.classes)

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, M, 64, 64), a plane per class."""
        return self.model.logits(rendering)

    def labels(self, rendering: Rendering) -> Tensor:
        """The class of each pixel (N, 64, 64), shared with layout where both use one checkpoint."""
        return self.model.labels(rendering)
