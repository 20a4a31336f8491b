"""Share what steps that search codes need: their start, noise at first, and penalties in standard units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.inverter import Inversion, InversionTask, Inverter
from ...core.randomness import Stream, Use, normals
from .descent import SearchConfig

SHARE = 0.75  # of the steps, after which codes get no noise


class NoisyConfig(SearchConfig):
    """Set steps, rate, and the noise that codes get at first."""

    jitter: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="noise that codes get at first, in their standard deviations; it falls to 0 in three "
        "quarters of the steps; 0.05 in NVIDIA's projector",
    )


def required_start(start: Inversion | None, inverter: Inverter) -> Inversion:
    """Return what the steps before found.

    Raises:
        UserError: there were none.
    """
    if start is None:
        raise UserError(
            f"{owner_of(inverter)} refines what another step found; begin with one such as `mean` or `best`"
        )
    return start


@dataclass(frozen=True)
class Jitter:
    """Add noise to codes, which falls to 0: jitter (1 - t / 0.75)^2 times normal numbers, t from 0 to 1.

    The numbers follow from seed, index of the picture and step, so a picture has the same ones in any batch.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, appendix D.
    """

    config: NoisyConfig
    task: InversionTask

    def added(self, units: Tensor, step: int) -> Tensor:
        """Return units (N, ..., D) with the noise of a step."""
        size = self.config.jitter * max(0.0, 1.0 - step / self.config.steps / SHARE) ** 2
        if not size:
            return units
        rows = [
            normals(self.task.seed, Stream.LEARNING, Use.JITTER, range(i, i + 1), units[0].numel(), part=step)
            for i in self.task.index.tolist()
        ]
        noise = torch.cat([torch.from_numpy(row) for row in rows]).to(units.device)
        return units + size * noise.view_as(units)


def code_penalty(units: Tensor, spread: float, prior: float) -> Tensor | None:
    """Return spread mean_l,d (c_l - mean_l c)^2 + prior mean_l,d c_l^2 (N,) of units c (N, L, D); None for 0.

    >>> apart = torch.tensor([[[1.0], [3.0]]])
    >>> code_penalty(apart, 1.0, 0.0), code_penalty(apart, 0.0, 1.0), code_penalty(apart, 0.0, 0.0)
    (tensor([1.]), tensor([5.]), None)
    """
    if not spread and not prior:
        return None
    apart = (units - units.mean(dim=1, keepdim=True)).square().mean(dim=(1, 2))
    return spread * apart + prior * units.square().mean(dim=(1, 2))
