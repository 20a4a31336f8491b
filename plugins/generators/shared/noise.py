"""Draw fresh noise for sample i at stratum s from (noise seed, i, s), independent of the batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ....core.plugins.records import Inputs
from ....core.randomness import Stream, Use, normals


def keys(inputs: Inputs) -> Tensor:
    """Return the noise seed and the index of every sample, (N, 2), to be stored in State.kept."""
    return torch.stack([torch.full_like(inputs.index, inputs.noise), inputs.index], dim=1)


def fresh(key: Tensor, s: int, size: int, device: torch.device) -> Tensor:
    """Return the standard normal noise (N, 1, size, size) of stratum s for keys (N, 2)."""
    rows = [
        normals(seed, Stream.PROBING, Use.NOISE, range(i, i + 1), size * size, part=s).reshape(1, size, size)
        for seed, i in key.tolist()
    ]
    return torch.from_numpy(np.stack(rows)).to(device)
