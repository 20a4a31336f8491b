"""Render chosen samples again, by seed and index, with the feature maps that extractors learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...plugins.pending import Pending, all_of
from ...plugins.records import Latents
from ...randomness import Stream, noise_seed
from ..feature_maps import begin_require_finite
from ..samples import Drawn, LabelledSamples


@torch.no_grad()
def draw_samples(
    samples: LabelledSamples,
    index: Sequence[int],
    stream: Stream,
    noise: int | None = None,
    *,
    late: bool = False,
) -> Drawn:
    """Draw and label the samples of any indices in one batch.

    Args:
        samples: generator, teacher, and seed.
        index: indices in the stream, N of them.
        stream: stream of random numbers.
        noise: seed of fresh noise; None for that of seed and stream.
        late: whether they are checked late; see `LabelledSamples.draw`.
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
    noise = noise_seed(samples.seed, stream) if noise is None else noise
    return samples.render(latents, codes, noise, late=late)


def annotated(
    samples: LabelledSamples, index: Sequence[int], noise: int | None = None
) -> tuple[list[Tensor], Tensor]:
    """Return feature maps (N, c_s, h_s, w_s) and labels (N, H, W) of samples, drawn in batches.

    Raises:
        DataError: a feature map is not finite; the message names stratum and sample.
        GanstrataError: a plugin fails.
    """
    maps, labels, check = begin_annotated(samples, index, noise)
    check.result()
    return maps, labels


def begin_annotated(
    samples: LabelledSamples, index: Sequence[int], noise: int | None = None
) -> tuple[list[Tensor], Tensor, Pending[None]]:
    """Return what `annotated` returns without waiting for it, and the check of it."""
    parts = [
        draw_samples(samples, index[start : start + samples.batch], Stream.TRAINING, noise, late=True)
        for start in range(0, len(index), samples.batch)
    ]
    maps = [torch.cat(same) for same in zip(*(part.maps for part in parts), strict=True)]
    finite = begin_require_finite(samples.maps, maps, index)
    check = all_of([*(part.check for part in parts), finite])
    return maps, torch.cat([part.labels for part in parts]), check


def redrawing(
    samples: LabelledSamples, index: Sequence[int]
) -> Callable[[int], tuple[list[Tensor], Pending[None]]]:
    """Return a function that gives the feature maps of samples with the fresh noise of a step.

    With them comes their check.
    """
    first = noise_seed(samples.seed, Stream.TRAINING)

    def redraw(step: int) -> tuple[list[Tensor], Pending[None]]:
        maps, _, check = begin_annotated(samples, index, (first + 1 + step) % 2**63)
        return maps, check

    return redraw


def has_fresh_noise(samples: LabelledSamples) -> bool:
    """Return whether the feature maps of a sample depend on the seed of fresh noise."""
    one, other = (draw_samples(samples, [0], Stream.TRAINING, noise).maps for noise in (0, 1))
    return any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))
