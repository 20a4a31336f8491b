"""Score images by any image classifier of the transformers library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from ...core.config.schema import Level
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Scorer
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
        self.input_size = self.loaded.prepare.input_size
        self._multi_label = self.loaded.settings.get("problem_type") == "multi_label_classification"
        self.concepts = tuple(Concept(name, config.level) for name in self.loaded.labels())

    def score(self, rendering: Rendering) -> Tensor:
        """Return probabilities (N, C) in [0, 1]."""

        def compute() -> Tensor:
            logits: Tensor = self.loaded.network(pixel_values=self.loaded.prepare(rendering.images)).logits
            return logits.float()

        logits = rendering.once(("image_classifier", self.checkpoint), compute)
        return logits.sigmoid() if self._multi_label else logits.softmax(dim=1)

    def feature_stages(self, rendering: Rendering) -> Sequence[Tensor] | None:
        """Return the model's hidden states as maps (N, C_k, H_k, W_k), shallow to deep; None without any.

        States of tokens (N, T, C), as transformers have them, become (N, C, T, 1).
        """
        output: Any = self.loaded.network(
            pixel_values=self.loaded.prepare(rendering.images), output_hidden_states=True
        )
        states = getattr(output, "reshaped_hidden_states", None) or getattr(output, "hidden_states", None)
        maps = [x.transpose(1, 2)[..., None] if x.ndim == 3 else x for x in states or ()]
        return [x.float() for x in maps] or None
