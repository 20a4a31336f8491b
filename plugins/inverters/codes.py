"""Search codes, and share what such steps need: a start, noise at first, penalties in standard units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.inverter import Inversion, InversionTask, Inverter
from ...core.randomness import Stream, Use, normals
from .descent import Loss, SearchConfig, Searching, Variable, descend
from .spaces import SPACES, SpaceName

SHARE = 0.75  # of the steps, after which codes get no noise


class CodeConfig(SearchConfig):
    """Set steps, rate, the noise that codes get at first, and how they are kept near the mean."""

    jitter: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="noise that codes get at first, in their standard deviations; it falls to 0 in three "
        "quarters of the steps; 0.05 in NVIDIA's projector",
    )
    prior: float = Field(
        default=0.0,
        ge=0.0,
        le=1e6,
        description="weight of the mean squared distance from the mean of samples, in standard deviations",
    )


class CodeSearch(Searching):
    """Move codes of one space: the base of `z`, `w` and `w+`."""

    config: CodeConfig
    step = "refine"
    space: ClassVar[SpaceName]

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return codes whose pictures are nearer.

        Raises:
            UserError: there is no start, or none in this space, or the pictures give no gradients.
            DataError: a loss is not finite.
        """
        moved = SPACES[self.space](task, start_of_one_code(start, self))
        units, jitter = Variable(moved.units), Jitter(self.config, task)

        def loss(step: int) -> Loss:
            found = moved.found(jitter.added(units.value, step))
            return Loss(task.distance(task.render(found)), self.penalty(units.value))

        losses = descend(self.config, [units], loss, task.on_step, owner_of(self))
        with torch.no_grad():
            return replace(moved.found(units.value), losses=losses)

    def penalty(self, units: Tensor) -> Tensor | None:
        """Return what is added to the distance (N,); None for nothing."""
        return prior_penalty(units, self.config.prior)


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


def start_of_one_code(start: Inversion | None, inverter: Inverter) -> Inversion:
    """Return what the steps before found, for a step that moves its codes or relies on them.

    Raises:
        UserError: there were none, or their pictures are made of several codes each.
    """
    start = required_start(start, inverter)
    if start.mixture is not None:
        raise UserError(
            f"{owner_of(inverter)} refines one code per picture, and `multi_code` found several for each; "
            "begin with another step, or refine by `noise` or `pivotal` alone"
        )
    return start


@dataclass(frozen=True)
class Jitter:
    """Add noise to codes, which falls to 0: jitter (1 - t / 0.75)^2 times normal numbers, t from 0 to 1.

    The numbers follow from seed, index of the picture and step, so a picture has the same ones in any batch.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, appendix D.
    """

    config: CodeConfig
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


def prior_penalty(units: Tensor, weight: float) -> Tensor | None:
    """Return weight mean c^2 (N,) of units c (N, ...); None for weight 0.

    >>> prior_penalty(torch.tensor([[[1.0], [3.0]]]), 2.0), prior_penalty(torch.zeros(1, 1), 0.0)
    (tensor([10.]), None)
    """
    return weight * units.square().flatten(1).mean(dim=1) if weight else None


def spread_penalty(units: Tensor, weight: float) -> Tensor | None:
    """Return weight mean_l,d (c_l - mean_l c)^2 (N,) of units c (N, L, D); None for weight 0.

    >>> spread_penalty(torch.tensor([[[1.0], [3.0]]]), 2.0)
    tensor([2.])
    """
    if not weight:
        return None
    return weight * (units - units.mean(dim=1, keepdim=True)).square().mean(dim=(1, 2))


def added(*penalties: Tensor | None) -> Tensor | None:
    """Return the sum of penalties (N,); None if there are none.

    >>> added(None, torch.ones(1), torch.ones(1)), added(None)
    (tensor([2.]), None)
    """
    present = [penalty for penalty in penalties if penalty is not None]
    return torch.stack(present).sum(dim=0) if present else None
