"""Draw samples with the feature maps and the labels that extractors learn from. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..plugins.generator import Generator
from ..plugins.pending import Pending, all_of
from ..plugins.records import Latents, Rendering
from ..randomness import Stream, noise_seed
from ..strata.composition import Pass
from .feature_maps import FeatureMap, cropped, describe_maps
from .heads import Size
from .teacher import Teacher


@dataclass(frozen=True)
class Drawn:
    """Hold one batch of N samples.

    Attributes:
        latents: z (N, Z), condition, index (N,).
        codes: (N, L, D).
        rendering: the pictures (N, 3, H, W).
        maps: cropped feature maps (N, c_s, h_s, w_s), float32.
        labels: class of every pixel by the teacher, (N, H, W), int64.
        check: refuses pictures that are not finite, and labels that the teacher must not give. It is made
            already unless the batch was drawn `late`.
    """

    latents: Latents
    codes: Tensor
    rendering: Rendering
    maps: list[Tensor]
    labels: Tensor
    check: Pending[None]


@dataclass(frozen=True)
class LabelledSamples:
    """Draw and label samples of a generator in batches of a fixed grid, which depend only on seed and stream.

    Attributes:
        generator: generator that makes the pictures.
        teacher: labels them.
        strata: strata whose feature maps are collected.
        batch: samples in one pass.
        seed: seed of samples and of fresh noise.
        precision: fp32, bf16 or fp16.
    """

    generator: Generator
    teacher: Teacher
    strata: tuple[int, ...]
    batch: int
    seed: int = 0
    precision: str = "fp32"

    @cached_property
    def maps(self) -> tuple[FeatureMap, ...]:
        """Feature maps of the strata, first to last."""
        return describe_maps(self.generator, self.strata)

    def with_size(self, size: Size) -> LabelledSamples:
        """Return the same samples, which refuse labels of another height and width."""
        return replace(self, teacher=replace(self.teacher, size=size))

    @torch.no_grad()
    def draw(self, start: int, stream: Stream, noise: int | None = None, *, late: bool = False) -> Drawn:
        """Draw the batch that begins at sample `start`.

        Args:
            start: index of the first sample, a multiple of the batch.
            stream: stream of random numbers.
            noise: seed of fresh noise; None for that of seed and stream.
            late: whether pictures and labels are checked when `check` is called, not at once, so that an
                accelerator need not be waited for. On the CPU they are checked at once in any case.

        Raises:
            PictureError: a picture is not finite.
            ScoreError, PluginBroken: the teacher does not do what it must.
        """
        latents = self.generator.sample(self.batch, self.seed, start, stream)
        w = self.generator.map(latents.z, latents.condition)
        codes = self.generator.broadcast(w, latents.condition)
        noise = noise_seed(self.seed, stream) if noise is None else noise
        return self.render(latents, codes, noise, late=late)

    @torch.no_grad()
    def render(self, latents: Latents, codes: Tensor, noise: int, *, late: bool = False) -> Drawn:
        """Render and label given codes (N, L, D) of samples; `noise` is the seed of fresh noise.

        `late` and errors are as for `draw`.
        """
        rendering = Pass(
            self.generator,
            codes,
            condition=latents.condition,
            index=latents.index,
            noise=noise,
            precision=self.precision,
            features={*self.strata, *self.teacher.segmenter.features},
            late=late,
        ).rendering
        maps = cropped(rendering.features, self.maps)
        try:
            labels, labelled = self.teacher.begin_labels(rendering)
        except Exception:
            rendering.settle()  # a teacher may stumble over pictures that are not finite: that is the error
            raise
        check = all_of([Pending(rendering.settle, at_once=rendering.settled), labelled])
        if not late:
            check.result()
        return Drawn(latents, codes, rendering, maps, labels, check)
