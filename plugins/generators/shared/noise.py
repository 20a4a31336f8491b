"""Fresh noise: of sample i at stratum s a function of (noise seed, i, s), whatever the batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ....core.plugins.records import Inputs
from ....core.randomness import Stream, Use, normals


def keys(inputs: Inputs) -> Tensor:
    """What the noise of every sample depends on, (N, 2): the seed and the sample's index. It travels in State.kept."""
    return torch.stack([torch.full_like(inputs.index, inputs.noise), inputs.index], dim=1)


def fresh(key: Tensor, s: int, size: int, device: torch.device) -> Tensor:
    """Standard normal noise of stratum s for keys (N, 2): (N, 1, size, size)."""
    rows = [
        normals(seed, Stream.PROBING, Use.NOISE, range(i, i + 1), size * size, part=s).reshape(1, size, size)
        for seed, i in key.tolist()
    ]
    return torch.from_numpy(np.stack(rows)).to(device)
