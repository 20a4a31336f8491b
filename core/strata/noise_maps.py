"""Say which noise maps a generator takes in place of its own noise."""

from __future__ import annotations

import torch

from ..plugins.generator import Generator
from ..plugins.records import Inputs


def size_of_noise(generator: Generator, s: int) -> tuple[int, ...] | None:
    """Return the shape (1, h, w) of the noise that a stratum adds to a picture; None without noise."""
    if not 0 <= s < len(generator.strata):
        return None
    noise = generator.noise_map(s, Inputs(1, None, torch.zeros(1, dtype=torch.int64)))
    return None if noise is None else tuple(noise.shape[1:])
