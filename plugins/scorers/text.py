"""Score concepts by how much better an image matches one sentence than another.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
section 3.1; Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training".
"""

from __future__ import annotations

import torch
from pydantic import ConfigDict, Field, field_validator
from torch import Tensor

from ...core.config.schema import Level
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Scorer
from ...core.plugins.strict_numbers import StrictNumbers
from ...core.storage.name_rules import checked, require_unique
from ..shared.embeddings import Embedder, TemplatesConfig, filled
from ..shared.huggingface import LIBRARY


class Sentences(StrictNumbers):
    """Describe a concept by sentences about images that have it and about images that do not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[^/,|\s]+$", description="of the concept")
    present: str | list[str] = Field(
        description="one or several sentences that describe an image with the concept"
    )
    absent: str | list[str] = Field(description="likewise for an image without it")
    level: Level = Field(default="attribute", description="its level")

    _fit = field_validator("name")(checked)
    _filled = field_validator("present", "absent")(filled)


class Text(Scorer):
    """Score the log odds between two descriptions of an image, by CLIP or SigLIP without training.

    score = s (cos(f, t_present) - cos(f, t_absent)), with f the embedding of the image, t the mean normalised
    embedding of the sentences in all templates, and s the scale of the model. Sentences are embedded once,
    when the scorer is built. Source: Radford et al. 2021, section 3.1.
    """

    class Config(TemplatesConfig):
        """Set the model, the concepts and the templates."""

        concepts: list[Sentences] = Field(
            min_length=1,
            examples=[[{"name": "smiling", "present": "a smiling face", "absent": "a serious face"}]],
            description="name, present, absent, level of each",
        )

        @field_validator("concepts")
        @classmethod
        def _check_unique(cls, value: list[Sentences]) -> list[Sentences]:
            require_unique(concept.name for concept in value)
            return value

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.embedder = Embedder(config, device)
        self.loaded = self.embedder.loaded
        self.packages, self.input_size = LIBRARY, self.loaded.prepare.input_size
        self.concepts = tuple(Concept(c.name, c.level, least=None, threshold=0.0) for c in config.concepts)
        with torch.inference_mode():
            embedded = [
                tuple(self.embedder.sentences(side, "concepts") for side in (c.present, c.absent))
                for c in config.concepts
            ]
            self._scale = self.embedder.scale
        self.checkpoint = self.embedder.digest
        # Inference tensors cannot be used with gradients, so they are copied.
        self._difference = (
            torch.stack([present - absent for present, absent in embedded]).clone().to(device)
        )  # (C, E)

    def score(self, rendering: Rendering) -> Tensor:
        """Return log odds (N, C), unbounded; above 0 means that the image matches `present` better."""
        embedded = rendering.once(
            ("text", self.loaded.sha256), lambda: self.embedder.images(rendering.images)
        )  # (N, E)
        return self._scale * embedded @ self._difference.t()
