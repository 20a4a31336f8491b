"""Scene attributes as raw margins, comparable only within an attribute (method D)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ...core.contracts import PluginConfig, Scorer
from ...core.records import Concept, Rendering
from .scenes import load_scenes


class Attribute(Scorer):
    """A concept per attribute of a scene network."""

    class Config(PluginConfig):
        """Which scene network."""

        checkpoint: str = Field(description="a scene network, or bundled:rooms")

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = load_scenes(config.checkpoint, device)
        self.checkpoint = self.model.sha256
        self.concepts = tuple(Concept(name, "attribute", least=None, threshold=0.0) for name in self.model.attributes)

    def score(self, rendering: Rendering) -> Tensor:
        """Margins (N, C), unbounded; above 0 means present."""
        return self.model.outputs(rendering)[1]
