"""Score concepts by how much better an image matches one sentence than another.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
section 3.1; Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch
from pydantic import ConfigDict, Field, field_validator
from torch import Tensor

from ...core.config.schema import Level
from ...core.errors import CheckpointError
from ...core.plugins.contracts import Scorer
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.strict_numbers import StrictNumbers
from ...core.storage.name_rules import checked, require_unique
from .networks.huggingface import LIBRARY, HubConfig, installed, load, quiet, tokenizer


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

    @field_validator("present", "absent")
    @classmethod
    def _check_sentences(cls, value: str | list[str]) -> str | list[str]:
        if not value or any(
            not sentence.strip() for sentence in ([value] if isinstance(value, str) else value)
        ):
            raise ValueError("needs at least one sentence")
        return value


class Text(Scorer):
    """Score the log odds between two descriptions of an image, by CLIP or SigLIP without training.

    score = s (cos(f, t_present) - cos(f, t_absent)), with f the embedding of the image, t the mean normalised
    embedding of the sentences in all templates, and s the scale of the model. Sentences are embedded once,
    when the scorer is built. Source: Radford et al. 2021, section 3.1.
    """

    class Config(HubConfig):
        """Set the model, the concepts and the templates."""

        concepts: list[Sentences] = Field(
            min_length=1,
            examples=[[{"name": "smiling", "present": "a smiling face", "absent": "a serious face"}]],
            description="name, present, absent, level of each",
        )
        templates: list[str] = Field(
            default=["{}"], min_length=1, description="into which sentences are put, such as `a photo of {}`"
        )

        @field_validator("templates")
        @classmethod
        def _check_templates(cls, value: list[str]) -> list[str]:
            for template in value:
                if template.count("{}") != 1:
                    raise ValueError(f"'{template}' must contain {{}} once, for the sentence")
            return value

        @field_validator("concepts")
        @classmethod
        def _check_unique(cls, value: list[Sentences]) -> list[Sentences]:
            require_unique(concept.name for concept in value)
            return value

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.loaded = load("AutoModel", config, device)
        self.packages = LIBRARY
        # The digest also covers the tokens of the sentences, because the tokenizer is not in the weights.
        self._digest = hashlib.sha256(self.loaded.sha256.encode())
        network: Any = self.loaded.network
        if not all(
            hasattr(network, name) for name in ("get_text_features", "get_image_features", "logit_scale")
        ):
            raise CheckpointError(
                f"model {config.model} is a {type(network).__name__}, "
                "which does not compare images with sentences; give a CLIP or SigLIP model"
            )
        self.concepts = tuple(Concept(c.name, c.level, least=None, threshold=0.0) for c in config.concepts)
        with torch.inference_mode():
            embedded = [
                (self._embed_sentences(c.present), self._embed_sentences(c.absent)) for c in config.concepts
            ]
            self._scale = float(network.logit_scale.detach().float().exp())
        self.checkpoint = self._digest.hexdigest()
        # Inference tensors cannot be used with gradients, so they are copied.
        self._difference = (
            torch.stack([present - absent for present, absent in embedded]).clone().to(device)
        )  # (C, E)

    def _embed_sentences(self, sentences: str | Sequence[str]) -> Tensor:
        """Return the mean embedding of sentences in all templates, (E,), of length 1."""
        sentence_list = [sentences] if isinstance(sentences, str) else list(sentences)
        texts = [
            template.replace("{}", sentence)
            for template in self.config.templates
            for sentence in sentence_list
        ]
        tokenize = tokenizer(self.config)
        limit = self._token_limit()
        with quiet(installed()):
            # SigLIP was trained on sentences of a fixed length; CLIP ignores tokens after the end token.
            tokens = tokenize(
                texts, padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
            )
            too_long = [
                t for t, ids in zip(texts, tokenize(texts)["input_ids"], strict=True) if len(ids) > limit
            ]
        if too_long:
            raise CheckpointError(
                f"concepts: '{too_long[0]}' is longer than the {limit} tokens "
                f"that model {self.config.model} reads"
            )
        self._digest.update(json.dumps(tokens["input_ids"].tolist()).encode())
        inputs = {
            key: value.to(self.device)
            for key, value in tokens.items()
            if key in ("input_ids", "attention_mask")
        }
        network: Any = self.loaded.network
        if "siglip" in str(self.loaded.settings.get("model_type", "")):
            inputs.pop("attention_mask", None)  # it was trained without one
        embedded = torch.nn.functional.normalize(_pooled(network.get_text_features(**inputs)).float(), dim=1)
        return torch.nn.functional.normalize(embedded.mean(dim=0), dim=0)

    def _token_limit(self) -> int:
        """Return how many tokens the model reads."""
        text = self.loaded.settings.get("text_config") or {}
        return int(text.get("max_position_embeddings") or 77)

    def score(self, rendering: Rendering) -> Tensor:
        """Return log odds (N, C), unbounded; above 0 means that the image matches `present` better."""

        def compute() -> Tensor:
            network: Any = self.loaded.network
            return torch.nn.functional.normalize(
                _pooled(
                    network.get_image_features(pixel_values=self.loaded.prepare(rendering.images))
                ).float(),
                dim=1,
            )

        embedded = rendering.once(("text", self.loaded.sha256), compute)  # (N, E)
        return self._scale * embedded @ self._difference.t()


def _pooled(output: Any) -> Tensor:
    """Return the embedding (N, E), which some versions of the library wrap."""
    embedding: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return embedding
