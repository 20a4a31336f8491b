"""Render chosen samples again, by seed and index, with the feature maps that extractors learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...plugins.records import Latents
from ...randomness import Stream, noise_seed
from ..feature_maps import require_finite
from ..samples import Drawn, LabelledSamples


@torch.no_grad()
def draw_samples(
    samples: LabelledSamples, index: Sequence[int], stream: Stream, noise: int | None = None
) -> Drawn:
    """Draw and label the samples of any indices in one batch.

    Args:
        samples: generator, teacher, and seed.
        index: indices in the stream, N of them.
        stream: stream of random numbers.
        noise: seed of fresh noise; None for that of seed and stream.
    """
    generator = samples.generator
    drawn = [generator.sample(1, samples.seed, i, stream) for i in index]
    conditions = [one.condition for one in drawn if one.condition is not None]
    latents = Latents(
        torch.cat([one.z for one in drawn]),
        torch.cat(conditions) if conditions else None,
        torch.cat([one.index for one in drawn]),
    )
    w = generator.map(latents.z, latents.condition)
    codes = generator.broadcast(w, latents.condition)
    return samples.render(latents, codes, noise_seed(samples.seed, stream) if noise is None else noise)


def annotated(
    samples: LabelledSamples, index: Sequence[int], noise: int | None = None
) -> tuple[list[Tensor], Tensor]:
    """Return feature maps (N, c_s, h_s, w_s) and labels (N, H, W) of samples, drawn in batches.

    Raises:
        DataError: a feature map is not finite; the message names stratum and sample.
        GanstrataError: a plugin fails.
    """
    parts = [
        draw_samples(samples, index[start : start + samples.batch], Stream.TRAINING, noise)
        for start in range(0, len(index), samples.batch)
    ]
    maps = [torch.cat(same) for same in zip(*(part.maps for part in parts), strict=True)]
    require_finite(samples.maps, maps, index)
    return maps, torch.cat([part.labels for part in parts])


def redrawing(samples: LabelledSamples, index: Sequence[int]) -> Callable[[int], list[Tensor]]:
    """Return a function that gives the feature maps of samples with the fresh noise of a step."""
    first = noise_seed(samples.seed, Stream.TRAINING)
    return lambda step: annotated(samples, index, (first + 1 + step) % 2**63)[0]


def has_fresh_noise(samples: LabelledSamples) -> bool:
    """Return whether the feature maps of a sample depend on the seed of fresh noise."""
    one, other = (draw_samples(samples, [0], Stream.TRAINING, noise).maps for noise in (0, 1))
    return any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))
