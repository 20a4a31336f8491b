"""Embed images and sentences in one space, by CLIP or SigLIP.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
section 3.1; Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ...core.errors import CheckpointError
from .huggingface import HubConfig, installed, load, quiet, tokenizer


class TemplatesConfig(HubConfig):
    """Set the model, and what sentences are put into."""

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


def filled(value: str | list[str]) -> str | list[str]:
    """Return one or several sentences, for validators of configs.

    Raises:
        ValueError: there is none, or one is empty.
    """
    if not value or any(not sentence.strip() for sentence in ([value] if isinstance(value, str) else value)):
        raise ValueError("needs at least one sentence")
    return value


class Embedder:
    """Embed images and sentences with one model.

    Attributes:
        loaded: the model.

    Raises:
        CheckpointError: the library or the model is missing, or it does not compare images with sentences.
    """

    def __init__(self, config: TemplatesConfig, device: torch.device) -> None:
        self._config, self._device = config, device
        self.loaded = load("AutoModel", config, device)
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

    @property
    def digest(self) -> str:
        """Return the hash of the model, and of the tokens of all sentences so far."""
        return self._digest.hexdigest()

    @property
    def scale(self) -> float:
        """Return the factor of the cosine in log odds."""
        network: Any = self.loaded.network
        return float(network.logit_scale.detach().float().exp())

    def images(self, images: Tensor) -> Tensor:
        """Return the embeddings (N, E), of length 1, of images (N, 3, H, W), nominally in [0, 1]."""
        network: Any = self.loaded.network
        features = network.get_image_features(pixel_values=self.loaded.prepare(images))
        return torch.nn.functional.normalize(_pooled(features).float(), dim=1)

    def sentences(self, sentences: str | Sequence[str], place: str) -> Tensor:
        """Return the mean embedding of sentences in all templates, (E,), of length 1.

        Args:
            sentences: one or several.
            place: where the config has them, for messages.

        Raises:
            CheckpointError: a sentence is longer than the model reads.
        """
        sentence_list = [sentences] if isinstance(sentences, str) else list(sentences)
        texts = [
            template.replace("{}", sentence)
            for template in self._config.templates
            for sentence in sentence_list
        ]
        tokenize = tokenizer(self._config)
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
                f"{place}: '{too_long[0]}' is longer than the {limit} tokens "
                f"that model {self._config.model} reads"
            )
        self._digest.update(json.dumps(tokens["input_ids"].tolist()).encode())
        inputs = {
            key: value.to(self._device)
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


def _pooled(output: Any) -> Tensor:
    """Return the embedding (N, E), which some versions of the library wrap."""
    embedding: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return embedding
