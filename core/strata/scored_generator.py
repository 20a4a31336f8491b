"""Draw, render and score batches of a generator with its scorers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..plugins.generator import Generator
from ..plugins.pending import Pending, together
from ..plugins.records import Concept, Latents, Rendering
from ..plugins.scorer import Scorer
from ..plugins.scoring import begin_scores
from ..randomness import Stream, Use, noise_seed, uniforms
from .composition import Pass, first_reader

BEYOND = 2**40  # added to the index of a sample for its second style, beyond the samples of any run


@dataclass(frozen=True, kw_only=True)
class ScoredGenerator:
    """Hold a generator with its scorers.

    Batches lie on a fixed grid, and the last one is full: a sample is always computed in the same batch, so
    its bytes do not depend on the number of samples.

    Attributes:
        generator: generator that draws and renders the samples.
        scorers: by alias, in the order of the columns of scores.
        batch: samples in one pass.
        seed: seed of samples and of fresh noise.
        precision: fp32, bf16 or fp16.
        mixing: share of probing samples with a second style from a random layer on.
        tolerant: whether pictures that are not finite are marked instead of refused.
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

    @property
    def missing_features(self) -> list[tuple[str, int]]:
        """Scorers by alias with the strata that they read, where the generator has no such feature maps."""
        strata = self.generator.strata
        return [
            (alias, s)
            for alias, scorer in self.scorers.items()
            for s in scorer.features
            if not 0 <= s < len(strata) or not strata[s].is_feature
        ]

    def columns(self, alias: str) -> slice:
        """Return the columns of one scorer's concepts.

        Raises:
            KeyError: no scorer has this alias.
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
            stream: stream of random numbers; styles are mixed in probing samples only.

        Returns:
            Latents, w (N, D) and codes (N, L, D).
        """
        latents = self.generator.sample(self.batch, self.seed, start, stream)
        w = self.generator.map(latents.z, latents.condition)
        codes = self.generator.broadcast(w, latents.condition)
        if self.mixing > 0.0 and stream == Stream.PROBING:
            codes = self._mix(latents, codes, start)
        return latents, w, codes

    def _mix(self, latents: Latents, codes: Tensor, start: int) -> Tensor:
        """Return codes (N, L, D), of which a share has a second style from a random layer on."""
        generator, layers = self.generator, self.generator.card.layers
        other = generator.sample(self.batch, self.seed, start + BEYOND, Stream.PROBING)
        second = generator.broadcast(generator.map(other.z, latents.condition), latents.condition)
        draws = np.array(
            [uniforms(self.seed, Stream.PROBING, Use.MIXING, start + i, 2) for i in range(self.batch)]
        )
        cut = np.where(draws[:, 0] < self.mixing, 1 + (draws[:, 1] * (layers - 1)).astype(int), layers)
        late = sent(np.arange(layers)[None] >= cut[:, None], codes.device)  # (N, L)
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
        late: bool = False,
        maps: Mapping[int, Tensor] | None = None,
        seed: int | None = None,
        styles: Mapping[int, Tensor] | None = None,
    ) -> Pass:
        """Render a batch, ready to restart at the layer sets of `edits`.

        Args:
            codes: (N, L, D).
            condition: condition of the samples, or None.
            index: absolute index of each sample (N,).
            stream: stream of random numbers, which gives the fresh noise.
            edits: layer sets that will be edited.
            strict: refuse pictures that are not finite even if `tolerant`.
            late: whether pictures that are not finite are refused when they are scored, instead of at once.
            maps: stratum -> noise (N, 1, h, w) in place of the generator's own.
            seed: seed of fresh noise, where it is not that of the samples.
            styles: stratum -> what is added to its style (C_s,); an edit in space s.

        Raises:
            PictureError: a picture is not finite and not tolerated.
        """
        return Pass(
            self.generator,
            codes,
            condition=condition,
            index=index,
            noise=noise_seed(self.seed if seed is None else seed, stream),
            maps=maps,
            precision=self.precision,
            features=self.features,
            restarts={first_reader(self.generator, layers) for layers in edits},
            styles=styles,
            tolerant=self.tolerant and not strict,
            late=late,
        )

    def score(self, rendering: Rendering) -> NDArray[np.float32]:
        """Return the scores of a batch (N, C), columns as in `concepts`.

        Raises:
            ScoreError: a scorer breaks its contract; the message names the scorer and the concept.
        """
        return self.begin_score(rendering).result()

    def begin_score(self, rendering: Rendering) -> Pending[NDArray[np.float32]]:
        """Score a batch, and return what `score` returns without waiting for it.

        Raises:
            ScoreError: as there, where a fault shows without the values. The result raises the rest.
        """
        parts = together([begin_scores(scorer, rendering) for scorer in self.scorers.values()])
        return Pending(lambda: np.concatenate(parts.result(), axis=1), at_once=parts.at_once)

    def score_concept(self, rendering: Rendering, column: int) -> NDArray[np.float32]:
        """Return the scores of a batch on one concept, (N,); no other scorer than that of the concept runs.

        Args:
            rendering: the pictures (N, 3, H, W).
            column: position of the concept in `concepts`.

        Raises:
            ScoreError: the scorer breaks its contract; the message names the scorer and the concept.
        """
        return self.begin_score_concept(rendering, column).result()

    def begin_score_concept(self, rendering: Rendering, column: int) -> Pending[NDArray[np.float32]]:
        """Score a batch on one concept, and return what `score_concept` returns without waiting for it.

        Raises:
            ScoreError: as there, where a fault shows without the values. The result raises the rest.
        """
        alias = self.alias_of(column)
        begun = begin_scores(self.scorers[alias], rendering)
        own = column - self.columns(alias).start
        return Pending(lambda: begun.result()[:, own], at_once=begun.at_once)

    def alias_of(self, column: int) -> str:
        """Return the alias of the scorer that gives the concept of a column.

        Raises:
            IndexError: there is no such column.
        """
        return self.concepts[column].name.split("/", 1)[0]
