"""Make samples whose scores rise along known directions, in the space of a small generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.plugins.base import PluginConfig
from ..core.plugins.generator import Generator
from ..core.plugins.learner import BoundaryLearner
from ..core.plugins.prior_codes import PriorCode
from ..core.plugins.records import Concept, ModelCard, State, Stratum
from ..core.plugins.scoring import digest
from ..core.strata.styles import style_channels
from .subject import CPU

SAMPLES, WIDTH, LAYERS = 6000, 16, 3
NOISE = 0.3  # standard deviation of the noise of scores, whose signal has 1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Planted:
    """Hold samples whose scores rise along known directions.

    Attributes:
        latents: (N, D), (N, L, D) for learners of w+, or (N, S) for those of style channels.
        scores: (N, C), between 0 and 1.
        directions: orthogonal unit vectors (C, D) or (C, S), the same at every layer.
    """

    latents: Floats
    scores: Floats
    directions: Floats

    @property
    def concepts(self) -> Sequence[Concept]:
        """One for each column of the scores."""
        return tuple(Concept(f"planted{j}", "attribute") for j in range(self.scores.shape[1]))

    @property
    def digests(self) -> list[tuple[int, ...]]:
        """What changes if somebody writes into latents or scores."""
        return [digest(torch.from_numpy(x)) for x in (self.latents, self.scores)]

    def with_scores(self, scores: NDArray[Any]) -> Planted:
        """Return the samples with other scores (N, C)."""
        return replace(self, scores=scores.astype(np.float32))


def planted(learner: BoundaryLearner, concepts: int = 1) -> Planted:
    """Draw samples for a learner, the same at every call."""
    random = np.random.default_rng(1)
    width = style_channels(flat()) if learner.in_styles else WIDTH
    directions = np.linalg.qr(random.standard_normal((width, concepts)))[0].T  # (C, D)
    shape = (SAMPLES, LAYERS, WIDTH) if learner.layerwise else (SAMPLES, width)
    latents = random.standard_normal(shape)
    along = latents @ directions.T  # (N, C) or (N, L, C)
    signal = along.sum(axis=1) / np.sqrt(LAYERS) if learner.layerwise else along
    scores = 1.0 / (1.0 + np.exp(-(signal + NOISE * random.standard_normal((SAMPLES, concepts)))))
    return Planted(latents.astype(np.float32), scores.astype(np.float32), directions.astype(np.float32))


@cache
def flat() -> Generator:
    """Return the generator in whose space the samples lie."""
    return _Flat(PluginConfig(), CPU)


class _Flat(Generator):
    """Take codes of `WIDTH` numbers for `LAYERS` layers."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("planted", 8, LAYERS, WIDTH, WIDTH, licence="none", source="ganstrata.testing")
        self.prior_codes = (PriorCode("kind", 0, 3, categorical=True), PriorCode("size", 3, 4))
        self.strata = tuple(Stratum(f"layer{i}", i, 8, style_width=2 * WIDTH) for i in range(LAYERS))

    def stratum(
        self, s: int, state: State, code: torch.Tensor | None, style: torch.Tensor | None = None
    ) -> State:
        """Add the code to what is there, and what half of the style channels were moved by."""
        assert code is not None
        added = code if style is None else code + (style - self.style(s, code))[:, :WIDTH]
        return State(added if state.x is None else state.x + added)

    def style(self, s: int, code: torch.Tensor) -> torch.Tensor:
        """Return the style (N, 2 WIDTH)."""
        return code @ self.style_weights(s).to(code.device).T

    def style_weights(self, s: int) -> torch.Tensor:
        """Return weights (2 WIDTH, WIDTH) of full rank, for learners that factorise them."""
        weights = np.random.default_rng(s).standard_normal((2 * WIDTH, WIDTH))
        return torch.from_numpy(weights.astype(np.float32))

    def finish(self, state: State) -> torch.Tensor:
        """Paint pictures (N, 3, 8, 8) in the first three numbers."""
        assert state.x is not None
        return torch.sigmoid(state.x[:, :3, None, None]).expand(-1, -1, 8, 8)
