"""Score images by any image classifier of the transformers library."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ...core.config.schema import Level
from ...core.plugins.contracts import Scorer
from ...core.plugins.records import Concept, Rendering
from ..shared.huggingface import LIBRARY, HubConfig, load


class ImageClassifier(Scorer):
    """Score the probability of each class: softmax of the logits, or sigmoid for multi-label models."""

    class Config(HubConfig):
        """Set the model, and the level of its classes."""

        level: Level = Field(default="category", description="level of all its concepts")

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.loaded = load("AutoModelForImageClassification", config, device)
        self.checkpoint, self.packages = self.loaded.sha256, LIBRARY
        self._multi_label = self.loaded.settings.get("problem_type") == "multi_label_classification"
        self.concepts = tuple(Concept(name, config.level) for name in self.loaded.labels())

    def score(self, rendering: Rendering) -> Tensor:
        """Return probabilities (N, C) in [0, 1]."""

        def compute() -> Tensor:
            logits: Tensor = self.loaded.network(pixel_values=self.loaded.prepare(rendering.images)).logits
            return logits.float()

        logits = rendering.once(("image_classifier", self.checkpoint), compute)
        return logits.sigmoid() if self._multi_label else logits.softmax(dim=1)
