"""Begin with the best of many samples."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from ...core.plugins.base import PluginConfig
from ...core.plugins.inverter import Inversion, InversionTask, Inverter
from ...core.plugins.records import Latents
from ...core.randomness import Stream


class Best(Inverter):
    """Take for each picture the sample whose picture is nearest to it.

    All pictures have the same candidates. No gradient is needed, so it fits every generator. Of a generator
    with classes, samples of all classes are tried, if none is given.
    """

    class Config(PluginConfig):
        """Set how many samples are tried."""

        samples: int = Field(default=256, ge=1, le=10_000_000, description="tried for each picture")
        batch: int = Field(default=16, ge=1, le=65_536, description="samples in one pass")

    config: Config
    step = "embed"
    needs_gradients = False

    @torch.no_grad()
    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return the best sample of each picture, with the least distance so far, batch by batch."""
        return tried(task, self.config.samples, self.config.batch)

    def total_steps(self) -> int:
        """Return the number of batches."""
        return math.ceil(self.config.samples / self.config.batch)


@torch.no_grad()
def tried(task: InversionTask, samples: int, batch: int) -> Inversion:
    """Return the best of so many samples for each picture.

    Args:
        task: the pictures.
        samples: how many samples of the prior are tried.
        batch: how many of them in one pass.
    """
    generator, n = task.generator, len(task.pictures)
    bests: list[Inversion] = []
    losses: list[Tensor] = []
    for first in range(0, samples, batch):
        latents = generator.sample(min(batch, samples - first), task.seed, first, Stream.LEARNING)
        found = [_nearest(task, latents, i) for i in range(n)]
        each = [one for one, _ in found]
        distances = torch.stack([distance for _, distance in found])  # (N,)
        if bests:
            better = distances < losses[-1]
            each = [_either(better[i], each[i], bests[i]) for i in range(n)]
            distances = torch.minimum(distances, losses[-1])
        bests = each
        losses.append(distances)
        task.on_step(distances)
    conditions = [one.condition for one in bests if one.condition is not None]
    return Inversion(
        torch.cat([one.codes for one in bests]),
        torch.cat(conditions) if conditions else None,
        torch.cat([one.latent for one in bests if one.latent is not None]),
        "z",
        losses=torch.stack(losses),
    )


def _nearest(task: InversionTask, latents: Latents, i: int) -> tuple[Inversion, Tensor]:
    """Return which of some samples is nearest to picture i, and its distance ().

    Values are not read, since an accelerator would have to be waited for.
    """
    count, condition = len(latents.z), latents.condition
    if task.condition is not None:
        condition = task.condition[i : i + 1].expand(count, *task.condition.shape[1:])
    codes = task.generator.broadcast(task.generator.map(latents.z, condition), condition)
    rows = [i] * count
    distances = task.distance(task.render(Inversion(codes, condition), rows), rows)  # (count,)
    distances = torch.where(distances.isfinite(), distances, torch.inf)
    k = distances.argmin()[None]
    chosen = Inversion(
        codes.index_select(0, k),
        None if condition is None else condition.index_select(0, k.to(condition.device)),
        latents.z.index_select(0, k),
        "z",
    )
    return chosen, distances.index_select(0, k)[0]


def _either(first: Tensor, a: Inversion, b: Inversion) -> Inversion:
    """Return a if `first` () is true, else b."""
    assert a.latent is not None
    assert b.latent is not None
    condition = a.condition
    if condition is not None and b.condition is not None:
        condition = torch.where(first.to(condition.device), condition, b.condition)
    return Inversion(
        torch.where(first, a.codes, b.codes), condition, torch.where(first, a.latent, b.latent), "z"
    )
