"""Move variables of N pictures by Adam, each picture by itself, at a rate that rises and falls.

    rate(t) = rate * min(1, t / warm_up) * (1 - cos(pi min(1, (1 - t) / ramp_down))) / 2,   0 < t < 1

with t the share of the steps that are done. Source: Karras et al., "Analyzing and Improving the Image Quality
of StyleGAN", CVPR 2020, appendix D.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import DataError, UserError
from ...core.plugins.base import PluginConfig
from ...core.plugins.inverter import Inverter, without_gradients


class SearchConfig(PluginConfig):
    """Set the steps of Adam and their rate."""

    steps: int = Field(default=300, ge=1, le=1_000_000, description="of Adam, for every picture")
    rate: float = Field(
        default=0.05,
        gt=0.0,
        le=10.0,
        description="largest learning rate of Adam: about how far each entry of a code moves in a step, in "
        "standard deviations of the generator's own codes",
    )
    warm_up: float = Field(
        default=0.05, ge=0.0, le=1.0, description="share of the steps in which the rate rises"
    )
    ramp_down: float = Field(
        default=0.25, ge=0.0, le=1.0, description="share of the steps, at the end, in which the rate falls"
    )


def rate_at(config: SearchConfig, step: int) -> float:
    """Return the learning rate of a step, from 0; that of its middle, so that no step is of length 0.

    >>> config = SearchConfig(steps=100, rate=1.0, warm_up=0.1, ramp_down=0.5)
    >>> [round(rate_at(config, step), 3) for step in (0, 4, 30, 74, 99)]
    [0.05, 0.45, 1.0, 0.516, 0.0]
    """
    done = (step + 0.5) / config.steps
    rise = min(1.0, done / config.warm_up) if config.warm_up else 1.0
    rest = min(1.0, (1.0 - done) / config.ramp_down) if config.ramp_down else 1.0
    return config.rate * rise * (1.0 - math.cos(math.pi * rest)) / 2.0


@dataclass(frozen=True)
class Loss:
    """Hold what a step of a search is to make small, for each of N pictures.

    Attributes:
        distance: how far the pictures are from the wanted ones (N,): what is reported.
        penalty: what is added to it (N,), such as a distance from the mean; None for nothing.
    """

    distance: Tensor
    penalty: Tensor | None = None


@dataclass(frozen=True)
class Variable:
    """Hold a tensor (N, ...) that a search moves.

    Attributes:
        value: where it starts; the search writes into it.
        rate: its learning rate, in multiples of the rate of the search.
    """

    value: Tensor
    rate: float = 1.0


def descend(
    config: SearchConfig,
    variables: Sequence[Variable],
    loss: Callable[[int], Loss],
    on_step: Callable[[Tensor], None],
    owner: str,
    after: Callable[[int], None] | None = None,
    stop: float = 0.0,
) -> Tensor:
    """Move variables so that the loss gets small; betas of Adam are 0.9 and 0.999.

    Args:
        config: steps and rate.
        variables: what moves.
        loss: loss of the variables in a step, from 0; in step `config.steps`, that of the result.
        on_step: called with the distances (N,) after each step.
        owner: who searches, for messages.
        after: called after each step, without gradients; it may write into the variables.
        stop: distance that ends the search where all pictures have it; 0 for none. Values are then read in
            each step, for which an accelerator is waited for.

    Returns:
        The distances before each step and after the last, (steps + 1, N); fewer if it was stopped.

    Raises:
        UserError: the pictures give no gradients.
        DataError: a loss is not finite.
    """
    values = [variable.value for variable in variables]
    groups = [{"params": [one.value], "scale": one.rate} for one in variables]
    with torch.enable_grad():
        for value in values:
            value.requires_grad_(True)
        optimiser = torch.optim.Adam(groups, lr=config.rate)
        distances = []
        for step in range(config.steps):
            now = loss(step)
            total = now.distance if now.penalty is None else now.distance + now.penalty
            _check(now, total, step, config.steps, owner)
            distances.append(now.distance.detach())
            if stop and bool((distances[-1] <= stop).all()):
                break
            gradients = torch.autograd.grad(total.sum(), values, allow_unused=True)
            for value, gradient in zip(values, gradients, strict=True):
                value.grad = gradient
            for group in optimiser.param_groups:
                group["lr"] = group["scale"] * rate_at(config, step)
            optimiser.step()
            if after is not None:
                with torch.no_grad():
                    after(step)
            on_step(distances[-1])
        else:
            with torch.no_grad():
                distances.append(loss(config.steps).distance)
    for value in values:
        value.requires_grad_(False).grad = None
    result = torch.stack(distances)
    _check_finite(result, config.steps, config.steps, owner)
    return result


def _check(now: Loss, total: Tensor, step: int, steps: int, owner: str) -> None:
    if not now.distance.requires_grad:
        raise UserError(without_gradients(owner))
    if total.device.type == "cpu":  # an accelerator would have to be waited for
        _check_finite(total, step, steps, owner)


def _check_finite(losses: Tensor, step: int, steps: int, owner: str) -> None:
    if not bool(losses.isfinite().all()):
        raise DataError(
            f"{owner}: the loss is not finite in step {step} of {steps}; "
            "give a smaller rate, or another start"
        )


class Searching(Inverter):
    """Search by Adam: the base of the steps that do."""

    config: SearchConfig

    def total_steps(self) -> int:
        """Return the number of steps."""
        return self.config.steps
