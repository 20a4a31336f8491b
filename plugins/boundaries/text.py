"""Find the direction of a sentence in the space of style channels (global directions of StyleCLIP)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, field_validator

from ...core.boundaries.targets import DistanceRows, correlations
from ...core.errors import DataError
from ...core.plugins.boundary import STYLES, Boundary
from ...core.plugins.generator import Generator
from ...core.plugins.records import Concept
from ...core.plugins.strict_numbers import StrictNumbers
from ...core.storage.name_rules import checked, require_unique
from ...core.storage.rows import Rows
from ..shared.embeddings import Embedder, TemplatesConfig, filled
from ..shared.huggingface import LIBRARY
from .asked import Asked
from .channels import Channel, ChannelLearner, ChannelSettings, Styles
from .drawn import Drawing
from .embedded_changes import Changes, changes_of


class Sentences(StrictNumbers):
    """Describe a direction by sentences about what it leads to and about what it begins with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[^/,|\s]+$", description="of the direction")
    target: str | list[str] = Field(description="one or several sentences about the changed pictures")
    neutral: str | list[str] = Field(description="likewise about pictures as they are")

    _fit = field_validator("name")(checked)
    _filled = field_validator("target", "neutral")(filled)


class Text(ChannelLearner):
    """Move the style channels that change the embedding of pictures as a sentence says.

    With t = normalise(embedding of `target` - embedding of `neutral`) and d_c from `embedded_changes`, the
    direction is

        r_c = d_c . t, 0 where |r_c| < beta;    v_c = sigma_c r_c / max |r|

    The d_c are computed once for a generator and a model, and kept in the cache of the user's system; after
    that a sentence takes no picture. Its sense is that of the sentence: the target is the concept that
    correlates best with it and is positive.

    Source: Patashnik, Wu, Shechtman, Cohen-Or and Lischinski, "StyleCLIP: text-driven manipulation of
    StyleGAN imagery", ICCV 2021, section 6.
    """

    class Config(ChannelSettings, TemplatesConfig):
        """Set the model, the sentences, and which channels count."""

        sentences: list[Sentences] = Field(
            min_length=1,
            examples=[[{"name": "night", "target": "a room at night", "neutral": "a room"}]],
            description="name, target, neutral of each direction",
        )
        beta: float = Field(
            default=0.15,
            ge=0.0,
            lt=1.0,
            description="least absolute similarity of a channel's change with that of the sentence; more "
            "channels move, and more else changes, with a smaller one",
        )
        pictures: int = Field(
            default=100, ge=1, le=1_000_000, description="with which changes are measured, as in the paper"
        )
        up_to: int = Field(
            default=128, ge=1, description="largest feature map in pixels whose channels count"
        )
        seed: int = Field(default=0, ge=0, description="of these pictures, whatever the seed of the run")

        @field_validator("sentences")
        @classmethod
        def _check_unique(cls, value: list[Sentences]) -> list[Sentences]:
            require_unique(sentences.name for sentences in value)
            return value

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.embedder = Embedder(config, device)
        self.packages = LIBRARY
        with torch.inference_mode():
            self._directions = [
                (self._embedded(s.target) - self._embedded(s.neutral)).cpu().numpy().astype(np.float64)
                for s in config.sentences
            ]  # (E,) each
        self.checkpoint = self.embedder.digest
        for sentences, direction in zip(config.sentences, self._directions, strict=True):
            if not np.linalg.norm(direction) > 1e-6:
                raise DataError(
                    f"sentences: '{sentences.name}' has the same embedding for target and neutral; let them "
                    "say different things"
                )

    def _embedded(self, sentences: str | list[str]) -> torch.Tensor:
        return self.embedder.sentences(sentences, "sentences")

    @property
    def largest(self) -> int:
        """Return the size of the largest feature map whose channels count."""
        return self.config.up_to

    def expected(self, concepts: int) -> int:
        """Return the number of sentences."""
        return len(self.config.sentences)

    def layer_sets(self, generator: Generator, concepts: int) -> int:
        """Return the number of sentences: the channels of each may be at other layers."""
        return len(self.config.sentences)

    def directions(self, styles: Styles, asked: Asked) -> Iterator[Boundary]:
        """Yield text/NAME for each sentence, with a target by the scores.

        Changes are measured with the seed of the config, not with that of learn().

        Raises:
            DataError: beta removes every channel.
        """
        generator, config = asked.generator, self.config
        channels = self.channels(generator)
        drawing = Drawing(generator, config.pictures, config.seed, asked.precision, asked.on_share)
        changes = changes_of(
            drawing, channels, self.embedder.images, self.embedder.loaded.sha256, len(self._directions[0])
        )
        for boundary in self._boundaries(styles, channels, changes, generator):
            yield with_own_target(boundary, styles, asked.scores, asked.concepts)

    def _boundaries(
        self, styles: Styles, channels: Sequence[Channel], changes: Changes, generator: Generator
    ) -> Iterator[Boundary]:
        """Yield the directions.

        Raises:
            DataError: beta removes every channel of one.
        """
        for sentences, text in zip(self.config.sentences, self._directions, strict=True):
            relevance = changes.directions.astype(np.float64) @ (text / np.linalg.norm(text))  # (K,)
            moved = channel_amounts(relevance, changes.sigma, self.config.beta)
            if not moved.any():
                raise DataError(
                    f"sentences: no channel changes pictures as '{sentences.name}' says with beta: "
                    f"{self.config.beta:g}; the largest similarity is {np.abs(relevance).max():.3g}. Give a "
                    "smaller beta, or other sentences"
                )
            vector = np.zeros(styles.values.shape[1])
            vector[[channel.position for channel in channels]] = moved
            strongest = int(np.abs(relevance).argmax())
            length = float(np.linalg.norm(vector))
            yield Boundary.unlabelled(
                f"text/{sentences.name}",
                vector,
                generator,
                offset=-float(styles.mean @ vector),
                space=STYLES,
                layers={channel.layer for channel, v in zip(channels, moved, strict=True) if v},
                facts={
                    "channels": int(np.count_nonzero(moved)),
                    "similarity": round(float(abs(relevance[strongest])), 4),
                    "strongest": channels[strongest].label,
                    "step_in_sigma": round(styles.spread / length, 4),
                    "pictures": self.config.pictures,
                },
            )


def channel_amounts(
    relevance: NDArray[np.float64], sigma: NDArray[np.floating], beta: float
) -> NDArray[np.float64]:
    """Return by how much each channel is moved, (K,): sigma times relevance, the largest being 1.

    Args:
        relevance: similarity of the channel's change with that of the sentence, (K,).
        sigma: standard deviation of each channel, (K,).
        beta: channels with a smaller |relevance| are not moved.

    >>> channel_amounts(np.array([0.1, -0.4, 0.2]), np.array([1.0, 2.0, 3.0]), beta=0.15)
    array([ 0. , -2. ,  1.5])
    """
    kept = np.where(np.abs(relevance) >= beta, relevance, 0.0)
    return np.asarray(kept / max(float(np.abs(kept).max()), 1e-12) * sigma)


def with_own_target(
    boundary: Boundary, styles: Styles, scores: Rows, concepts: Sequence[Concept]
) -> Boundary:
    """Return a direction with the concept that rises most along it as its target, so that it is not turned.

    Without a concept that rises, the direction stays without target, and the core gives it one. The facts are
    those of `core.boundaries.targets`, so that tests count among how many concepts the target was chosen.
    """
    if not concepts:
        return boundary
    (r,) = correlations(DistanceRows([boundary], styles.values), scores)  # (C,)
    j = int(r.argmax())
    if not r[j] > 0.0:
        return boundary
    chosen = {"target_correlation": round(float(r[j]), 6), "target_among": len(concepts)}
    facts = {**boundary.facts, **chosen}
    return replace(boundary, concept=concepts[j].name, level=concepts[j].level, facts=facts)
