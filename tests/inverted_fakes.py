"""Steps of an inversion that need no network, a generator without gradients, and tasks of them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

import torch
from fakes import LAYERS, SIZE, WIDTH, Layered
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.invert import Method
from ganstrata.core.inversion.job import InversionJob
from ganstrata.core.inversion.steps import Step
from ganstrata.core.inversion.target import Target, file_stems
from ganstrata.core.plugins.base import PluginConfig
from ganstrata.core.plugins.inverter import Inversion, InversionTask, Inverter
from pydantic import Field
from torch import Tensor

CPU = torch.device("cpu")
RULE = DistanceRule(perceptual=0.0)


class Middle(Inverter):
    """Begin with w = 0."""

    step = "embed"
    needs_gradients = False

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Codes of zeros."""
        n = len(task.pictures)
        return Inversion(torch.zeros(n, LAYERS, WIDTH), latent=torch.zeros(n, WIDTH), space="w")


class Walk(Inverter):
    """Follow the gradient, with noise that a picture's index decides."""

    class Config(PluginConfig):
        """Steps and rate."""

        steps: int = Field(default=5, ge=0, description="of descent")
        rate: float = Field(default=20.0, gt=0.0, description="of a step")

    config: Config
    step = "refine"

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Steps down, sleeping or dying in between if the environment says so."""
        assert start is not None
        drawn = [torch.randn(LAYERS, WIDTH, generator=seeded(task.seed, int(i))) for i in task.index]
        codes = (start.codes + 0.1 * torch.stack(drawn)).requires_grad_(True)
        losses = []
        for _ in range(self.config.steps):
            losses.append(task.distance(task.render(replace(start, codes=codes))))
            (slope,) = torch.autograd.grad(losses[-1].sum(), codes)
            codes = (codes - self.config.rate * slope).detach().requires_grad_(True)
            task.on_step(losses[-1].detach())
            time.sleep(float(os.environ.get("WALK_SLEEP", "0")))
        with torch.no_grad():
            losses.append(task.distance(task.render(replace(start, codes=codes))))
        return replace(
            start, codes=codes.detach(), latent=None, space="w+", losses=torch.stack(losses).detach()
        )

    def total_steps(self) -> int:
        """As many as the config says."""
        return self.config.steps


def seeded(seed: int, index: int) -> torch.Generator:
    """Numbers of one picture."""
    return torch.Generator().manual_seed(1000 * seed + index)


def layered(gain: float = 0.05) -> Layered:
    """The generator."""
    return Layered(Layered.Config(gain=gain), CPU)


def walk(**options: Any) -> tuple[Step, ...]:
    """Two steps."""
    return Step("middle", Middle(Middle.Config(), CPU)), Step("walk", Walk(Walk.Config(**options), CPU))


def given(count: int, *, seed: int = 0) -> tuple[Target, ...]:
    """Pictures that the generator could have made."""
    codes = 0.5 * torch.randn(count, LAYERS, WIDTH, generator=torch.Generator().manual_seed(seed))
    pictures = rendered(codes).clamp(0.0, 1.0)
    names = file_stems([f"picture {i}" for i in range(count)])
    return tuple(
        Target(name, f"folder/{name}.png", f"{i:064x}", picture, picture, facts={"rule": "as it is"})
        for i, (name, picture) in enumerate(zip(names, pictures, strict=True))
    )


def rendered(codes: Tensor) -> Tensor:
    """What the generator makes of codes."""
    from ganstrata import render

    return render(layered(), codes)


def task(count: int = 3, *, batch: int | None = None, seed: int = 0, **options: Any) -> InversionJob:
    """A small inversion."""
    assert SIZE == 8
    method = Method(layered(), walk(**options), RULE, seed)
    return InversionJob(method, given(count), command={"seed": seed, "steps": options}, batch=batch)
