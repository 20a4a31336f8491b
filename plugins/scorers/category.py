"""Scene categories as probabilities, and pairs of categories as log ratios (method D)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ...core.contracts import PluginConfig, Scorer
from ...core.errors import CheckpointError, nearest
from ...core.records import Concept, Rendering
from .scenes import load_scenes


class Category(Scorer):
    """A concept per category of a scene network, and `a-vs-b` for each configured pair."""

    class Config(PluginConfig):
        """Which scene network, and which pairs."""

        checkpoint: str = Field(description="a scene network, or bundled:rooms")
        against: list[tuple[str, str]] = Field(default=[], description="pairs [a, b] scored as log p_a - log p_b")

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.model = load_scenes(config.checkpoint, device)
        self.checkpoint = self.model.sha256
        names = self.model.categories
        for name in {name for pair in config.against for name in pair} - set(names):
            raise CheckpointError(f"against: this network knows no category '{name}'.{nearest(name, names)} Known: {', '.join(names)}")
        self._pairs = [(names.index(a), names.index(b)) for a, b in config.against]
        single = tuple(Concept(name, "category") for name in names)
        pairs = tuple(Concept(f"{a}-vs-{b}", "category", least=None, threshold=0.0) for a, b in config.against)
        self.concepts = single + pairs

    def score(self, rendering: Rendering) -> Tensor:
        """Probabilities in [0, 1], then log ratios: (N, C)."""
        logits, _ = self.model.outputs(rendering)
        logarithm = logits.log_softmax(dim=1)
        ratios = [logarithm[:, a] - logarithm[:, b] for a, b in self._pairs]
        return torch.cat([logarithm.exp(), *(ratio[:, None] for ratio in ratios)], dim=1)
