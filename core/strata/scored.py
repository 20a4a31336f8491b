"""A generator with its scorers: batches are drawn, rendered and scored in one place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..plugins.contracts import Generator, Scorer
from ..plugins.records import Concept, Latents, Rendering
from ..plugins.scoring import checked_scores
from ..randomness import Stream, Use, noise_seed, uniforms
from .composition import Pass, first_reader

BEYOND = 2**40  # second styles are samples of their own, far beyond those of any run


@dataclass(frozen=True, kw_only=True)
class ScoredGenerator:
    """A generator with its scorers.

    Batches lie on a fixed grid and the last one is full: every sample is computed in the same company whatever
    the number of samples, so that its bytes do not depend on it.

    Attributes:
        generator: whose codes are drawn and moved.
        scorers: by alias, in the order of the columns of scores.
        batch: samples in one pass.
        seed: of samples and of fresh noise.
        precision: fp32, bf16 or fp16.
        mixing: share of probing samples that have a second style from a random layer on.
        tolerant: whether pictures that are not finite are marked and not refused.
    """

    generator: Generator
    scorers: Mapping[str, Scorer]
    batch: int
    seed: int = 0
    precision: str = "fp32"
    mixing: float = 0.0
    tolerant: bool = False

    @cached_property
    def concepts(self) -> tuple[Concept, ...]:
        """Concepts of all scorers (C,), named `alias/name`: the columns of every table of scores."""
        return tuple(
            replace(c, name=f"{alias}/{c.name}")
            for alias, scorer in self.scorers.items()
            for c in scorer.concepts
        )

    @property
    def features(self) -> tuple[int, ...]:
        """Strata whose feature maps some scorer reads."""
        return tuple(sorted({s for scorer in self.scorers.values() for s in scorer.features}))

    def columns(self, alias: str) -> slice:
        """Return where one scorer's concepts stand among all columns.

        Raises:
            KeyError: there is no scorer of this alias.
        """
        start = 0
        for name, scorer in self.scorers.items():
            if name == alias:
                return slice(start, start + len(scorer.concepts))
            start += len(scorer.concepts)
        raise KeyError(alias)

    @torch.inference_mode()
    def draw(self, start: int, stream: Stream) -> tuple[Latents, Tensor, Tensor]:
        """Draw one batch of the fixed grid.

        Args:
            start: absolute index of its first sample.
            stream: whose samples these are; styles are mixed in probing samples alone.

        Returns:
            Latents, w (N, D) and codes (N, L, D).
        """
        latents = self.generator.sample(self.batch, self.seed, start, stream)
        w = self.generator.map(latents.z, latents.condition)
        codes = self.generator.broadcast(w)
        if self.mixing > 0.0 and stream == Stream.PROBING:
            codes = self._mix(latents, codes, start)
        return latents, w, codes

    def _mix(self, latents: Latents, codes: Tensor, start: int) -> Tensor:
        """Give a share of the samples a second style from a random layer on."""
        generator, layers = self.generator, self.generator.card.layers
        other = generator.sample(self.batch, self.seed, start + BEYOND, Stream.PROBING)
        second = generator.broadcast(generator.map(other.z, latents.condition))
        draws = np.array(
            [uniforms(self.seed, Stream.PROBING, Use.MIXING, start + i, 2) for i in range(self.batch)]
        )
        cut = np.where(draws[:, 0] < self.mixing, 1 + (draws[:, 1] * (layers - 1)).astype(int), layers)
        late = torch.from_numpy(np.arange(layers)[None] >= cut[:, None]).to(codes.device)  # (N, L)
        return torch.where(late[:, :, None], second, codes)

    def render(
        self,
        codes: Tensor,
        condition: Tensor | None,
        index: Tensor,
        stream: Stream,
        edits: Iterable[Collection[int]] = (),
        *,
        strict: bool = False,
    ) -> Pass:
        """Render a batch, ready to restart at the layer sets of `edits`.

        Args:
            codes: (N, L, D).
            condition: of these samples, or None.
            index: absolute index of each sample (N,).
            stream: whose samples these are; it decides their fresh noise.
            edits: layer sets that will be edited.
            strict: refuse pictures that are not finite even where some may pass.

        Raises:
            PictureError: a picture is not finite.
        """
        return Pass(
            self.generator,
            codes,
            condition=condition,
            index=index,
            noise=noise_seed(self.seed, stream),
            precision=self.precision,
            features=self.features,
            restarts={first_reader(self.generator, layers) for layers in edits},
            tolerant=self.tolerant and not strict,
        )

    def score(self, rendering: Rendering) -> NDArray[np.float32]:
        """Return all scores of a batch, (N, C).

        Raises:
            ScoreError: a scorer broke its contract; the message names it and the concept.
        """
        return np.concatenate([checked_scores(scorer, rendering) for scorer in self.scorers.values()], axis=1)
