"""Search codes whose picture minimises an objective, by Adam through the generator.

    loss = objective + a sum (c - c0)^2 + b sum c^2 / R

with variables c of R rows (`code_spaces`), and their start c0.

Shapes: N pictures, R rows of variables, V numbers in a row, L layers, D code size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, UserError
from ..plugins.generator import Generator
from ..plugins.pending import OneBehind, Pending, fetched
from ..plugins.records import Latents, Rendering
from ..randomness import Stream, noise_seed
from .code_spaces import CodeSpace
from .composition import Pass
from .search_defaults import LEARNING_RATE, PENALTY, STEPS
from .tuned import tuned

Objective = Callable[[Rendering], Tensor]  # loss (N,) of a rendering, without penalties
OnStep = Callable[[int], None]


@dataclass(frozen=True)
class Look:
    """Hold where a search is: N pictures before a step, or after the last.

    Attributes:
        step: number of steps that were done.
        total: number of steps that are to be done.
        codes: codes now, (N, L, D).
        rendering: their pictures, without gradients.
        losses: loss of each, with penalties, (N,).
    """

    step: int
    total: int
    codes: Tensor
    rendering: Rendering
    losses: Tensor


Watch = Callable[[Look], bool]  # whether the search goes on


@dataclass(frozen=True)
class Search:
    """Set how codes are searched.

    Attributes:
        steps: steps of Adam.
        learning_rate: of Adam; about how far each entry moves in a step, in standard deviations.
        stay: weight a of the squared distance from the start.
        prior: weight b of the squared distance from the mean of the samples.
    """

    steps: int = STEPS
    learning_rate: float = LEARNING_RATE
    stay: float = PENALTY
    prior: float = PENALTY


@dataclass(frozen=True)
class Found:
    """Hold what a search found for N pictures.

    Attributes:
        start: variables before, (N, R, V).
        variables: variables after, (N, R, V).
        codes_before: codes before, (N, L, D).
        codes: codes after, (N, L, D).
        before: rendering before.
        after: rendering after.
        losses: loss before each step, and after the last, (steps + 1, N); fewer rows of a search that was
            ended.
    """

    start: Tensor
    variables: Tensor
    codes_before: Tensor
    codes: Tensor
    before: Rendering
    after: Rendering
    losses: Tensor


def penalties(variables: Tensor, start: Tensor, search: Search) -> Tensor:
    """Return a sum (c - c0)^2 + b sum c^2 / R (N,) of variables and their start, both (N, R, V)."""
    stay = (variables - start).square().flatten(1).sum(1)
    prior = variables.square().flatten(1).sum(1) / variables.shape[1]
    return search.stay * stay + search.prior * prior


@dataclass(frozen=True)
class Renderer:
    """Render variables of a space, always with the same noise.

    Attributes:
        space: space of the variables.
        latents: the samples, whose condition and index count.
        strata: strata whose feature maps are collected.
        seed: seed of the samples and of fresh noise.
        precision: fp32, bf16 or fp16.
        stream: stream of the samples.
        maps: stratum -> noise map (N, 1, h, w) in place of fresh noise.
        weights: what is added to tensors of the generator for all of them.
    """

    space: CodeSpace
    latents: Latents
    strata: tuple[int, ...] = ()
    seed: int = 0
    precision: str = "fp32"
    stream: Stream = Stream.EDITING
    maps: Mapping[int, Tensor] = field(default_factory=dict)
    weights: Mapping[str, Tensor] = field(default_factory=dict)

    def render(self, codes: Tensor, *, late: bool = False) -> Rendering:
        """Return the pictures and feature maps of codes (N, L, D), with gradients if they are switched on.

        Pictures that are not finite are refused at once, or if `late` by `settle()`, as `Pass` does it.
        """
        generator: Generator = self.space.generator
        with tuned(generator, self.weights):
            return Pass(
                generator,
                codes,
                condition=self.latents.condition,
                index=self.latents.index,
                noise=noise_seed(self.seed, self.stream),
                maps=self.maps,
                precision=self.precision,
                features=self.strata,
                late=late,
            ).rendering


def search_codes(
    renderer: Renderer,
    start: Tensor,
    objective: Objective,
    search: Search,
    on_step: OnStep | None = None,
    watch: Watch | None = None,
) -> Found:
    """Minimise objective plus penalties by Adam (betas 0.9 and 0.999), each picture by itself.

    An accelerator is not waited for in a step: losses and pictures that are not finite are refused when the
    next step has begun.

    Args:
        renderer: makes pictures of variables.
        start: variables (N, R, V) to start from.
        objective: loss (N,) of a rendering.
        search: steps, learning rate and penalties.
        on_step: called with 1 after every step.
        watch: shown the pictures before every step and after the last; the search ends with what it was
            shown once it returns False. It may read losses and pictures, for which it then waits.

    Raises:
        UserError: the objective gives no gradients.
        DataError: the loss is not finite.
        PictureError: a picture is not finite.
    """
    variables = start.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([variables], lr=search.learning_rate)
    stages: list[tuple[Tensor, Rendering]] = []  # before the first step and after the last
    losses, checks = [], OneBehind()
    for step in range(search.steps + 1):
        with torch.set_grad_enabled(step < search.steps):
            codes = renderer.space.codes(variables)
            rendering = renderer.render(codes, late=True)
            wanted = objective(rendering)
            loss = wanted + penalties(variables, start, search)
        if step < search.steps and not wanted.requires_grad:
            raise UserError(
                "what judges the picture gives no gradients, so no search can follow it; "
                "extractors and the scorer `segmentation` give them"
            )
        checks.add(_checked(rendering.settle, loss, step, search.steps))
        losses.append(loss.detach())
        # Cloned, for codes may be the variables themselves, which the next step changes in place.
        look = Look(step, search.steps, codes.detach().clone(), detached(rendering), losses[-1])
        last = (watch is not None and not watch(look)) or step == search.steps
        if step == 0 or last:
            stages.append((look.codes, look.rendering))
        if last:
            break
        optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if on_step is not None:
            on_step(1)
    checks.end()
    (codes_before, before), (codes, after) = stages[0], stages[-1]
    return Found(start, variables.detach(), codes_before, codes, before, after, torch.stack(losses))


def _checked(settle: Callable[[], None], losses: Tensor, step: int, steps: int) -> Pending[None]:
    """Return the check of the pictures of a step, and of their losses (N,)."""
    values = fetched(losses.detach())

    def check() -> None:
        settle()
        if not np.isfinite(values.result()).all():
            raise DataError(
                f"the loss of the search is not finite in step {step} of {steps}; "
                "give a smaller learning rate, or another starting picture"
            )

    return Pending(check, at_once=values.at_once)


def detached(rendering: Rendering) -> Rendering:
    """Return a rendering without its history of gradients."""
    return Rendering(
        rendering.images.detach(),
        {s: x.detach() for s, x in rendering.features.items()},
        finite=rendering.finite,
        composed=rendering.composed,
        pictures=rendering.pictures.detach(),
    )
