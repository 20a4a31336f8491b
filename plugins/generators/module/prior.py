"""Draw z from the configured prior."""

from __future__ import annotations

import torch
from torch import Tensor

from ....core.randomness import Stream, Use, normals, uniforms
from ..shared.prior import truncated_normals
from .config import Latent


def draw(latent: Latent, n: int, seed: int, start: int, stream: Stream) -> Tensor:
    """Return z of samples start .. start + n - 1, float32 (n, Z).

    Args:
        latent: sets the prior, and the width Z of z.
        n: number of samples.
        seed: of the run.
        start: index of the first sample.
        stream: of the samples.
    """
    samples = range(start, start + n)
    if latent.prior == "normal":
        return torch.from_numpy(normals(seed, stream, Use.LATENT, samples, latent.size)) * latent.scale
    if latent.prior == "truncated":
        return torch.from_numpy(truncated_normals(seed, stream, samples, latent.size, latent.scale))
    rows = torch.stack(
        [torch.from_numpy(uniforms(seed, stream, Use.LATENT, i, latent.size)) for i in samples]
    )
    return ((latent.low + (latent.high - latent.low) * rows) * latent.scale).float()
