"""Measure how codes of a generator are distributed, so that a search moves them in units of that.

    codes = mean + sd * units

So a step, and a penalty on the distance from the mean, mean the same for every entry, layer and generator.

Shapes: N pictures, L layers, D code size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.plugins.generator import Generator
from ...core.randomness import Stream
from ...core.strata.code_spaces import BATCH, LEAST, STATISTICS


@dataclass(frozen=True)
class Standard:
    """Hold mean and standard deviation of each entry of a code.

    Attributes:
        mean: (1 or N, ..., D).
        sd: like `mean`, above 0. An entry that hardly varies counts as if it varied a little.
    """

    mean: Tensor
    sd: Tensor

    def units(self, values: Tensor) -> Tensor:
        """Return (values - mean) / sd."""
        return (values.float() - self.mean) / self.sd

    def values(self, units: Tensor) -> Tensor:
        """Return mean + sd * units."""
        return self.mean + self.sd * units


@dataclass(frozen=True)
class Standards:
    """Hold how w (1 or N, D) and codes (1 or N, L, D) are distributed: of each picture's class, if any."""

    w: Standard
    codes: Standard


@torch.no_grad()
def standards(generator: Generator, condition: Tensor | None, seed: int) -> Standards:
    """Return how samples of the generator are distributed, after truncation.

    Args:
        generator: generator of the samples.
        condition: of N pictures, whose samples are then looked at; None for those that the prior draws.
        seed: seed of the samples.
    """
    if condition is None or generator.space == "z":  # z has the same distribution in all classes
        return _measured(generator, None, seed)
    known: dict[str, Standards] = {}
    each = []
    for i in range(len(condition)):
        key = str(condition[i].tolist())
        if key not in known:
            known[key] = _measured(generator, condition[i : i + 1], seed)
        each.append(known[key])
    return Standards(_stacked([one.w for one in each]), _stacked([one.codes for one in each]))


def _stacked(each: list[Standard]) -> Standard:
    return Standard(torch.cat([one.mean for one in each]), torch.cat([one.sd for one in each]))


def _measured(generator: Generator, condition: Tensor | None, seed: int) -> Standards:
    """Return the distribution over samples, all of one condition (1, ...) if it is given."""
    sums: list[Tensor] = []  # of w, w^2, codes and codes^2, in double precision
    for start in range(0, STATISTICS, BATCH):
        latents = generator.sample(BATCH, seed, start, Stream.PROBING)
        of_batch = latents.condition
        if condition is not None:
            of_batch = condition.expand(BATCH, *condition.shape[1:])
        w = generator.map(latents.z, of_batch)
        codes = generator.broadcast(w, of_batch)
        parts = [x.double() for x in (w, codes)]
        new = [y.sum(dim=0) for x in parts for y in (x, x.square())]
        sums = [a + b for a, b in zip(sums, new, strict=True)] if sums else new
    return Standards(_standard(*sums[:2]), _standard(*sums[2:]))


def _standard(total: Tensor, squares: Tensor) -> Standard:
    """Return mean and standard deviation (1, ..., D) of sums over the samples."""
    mean = total / STATISTICS
    variance = (squares / STATISTICS - mean.square()).clamp(min=0.0)
    variance = variance * (STATISTICS / (STATISTICS - 1))
    least = LEAST * variance.mean().sqrt().clamp(min=1e-12)
    return Standard(mean.float()[None], torch.maximum(variance.sqrt(), least).float()[None])
