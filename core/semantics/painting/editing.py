"""Edit pictures by painting on their segmentation (semantic image editing).

The target is the current segmentation with strokes painted over it. Codes move until the segmentation of
their picture agrees with the target:

    loss = mean cross-entropy + e (mean cross-entropy of painted pixels) + a sum (c - c0)^2 + b sum c^2 / R

with variables c of R rows (code_spaces), their start c0, and a = b = 1e-3. With e = 0 this is the loss of the
authors' code. A small stroke then hardly counts, as its pixels are few; so e > 0 is possible. Appendix G of
the paper exchanges the loss with that of editing in colour space, which is

    loss = mean over unpainted pixels of d + mean over painted pixels of d + the same penalties

with d the squared difference of colours, summed over red, green and blue in [-1, 1].

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, algorithm 2.
Shapes: N pictures, M classes, H x W pixels of labels, L layers, D code size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...errors import DataError, ShapeError, UserError
from ...plugins.contracts import Generator
from ...plugins.records import Latents, Rendering
from ...randomness import Stream, noise_seed
from ...strata.composition import Pass
from ..annotation.masks import Labels, painted_over
from ..predictors import Predictor
from ..teacher import UNKNOWN
from .code_spaces import CodeSpace
from .defaults import LEARNING_RATE, PENALTY, STEPS

Objective = Callable[[Rendering], Tensor]  # loss (N,) of a rendering, without penalties
OnStep = Callable[[int], None]


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
        losses: loss before each step, and after the last, (steps + 1, N).
    """

    start: Tensor
    variables: Tensor
    codes_before: Tensor
    codes: Tensor
    before: Rendering
    after: Rendering
    losses: Tensor


def semantic_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy (N,) of logits (N, M, H, W) over known pixels of a target (N, H, W)."""
    known = (target != UNKNOWN).flatten(1).sum(dim=1)
    each = F.cross_entropy(logits, target, ignore_index=UNKNOWN, reduction="none")
    return each.flatten(1).sum(dim=1) / known.clamp(min=1)


def colour_loss(images: Tensor, target: Tensor, painted: Tensor) -> Tensor:
    """Return the loss (N,) of colours outside of the painted pixels plus that within them.

    Args:
        images: pictures (N, 3, H, W) in [0, 1].
        target: wanted pictures (N, 3, H, W) in [0, 1].
        painted: painted pixels, (N, H, W), bool.
    """
    d = 4.0 * (target - images).square().sum(dim=1)  # (N, H, W): 4, because the paper's colours span [-1, 1]
    inside = painted.to(d)
    total = torch.zeros_like(d[:, 0, 0])
    for weight in (1.0 - inside, inside):
        total = total + (weight * d).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp(min=1.0)
    return total


def penalties(variables: Tensor, start: Tensor, search: Search) -> Tensor:
    """Return a sum (c - c0)^2 + b sum c^2 / R (N,) of variables and their start, both (N, R, V)."""
    stay = (variables - start).square().flatten(1).sum(1)
    prior = variables.square().flatten(1).sum(1) / variables.shape[1]
    return search.stay * stay + search.prior * prior


def painted_target(current: NDArray[np.integer], strokes: Labels) -> tuple[Tensor, Tensor]:
    """Return the wanted labels (1, H, W), and which pixels are painted with another class, (1, H, W), bool.

    Args:
        current: labels (H, W) of the picture now.
        strokes: painted classes (H, W), UNKNOWN where nothing is painted.
    """
    new = (strokes != UNKNOWN) & (strokes != current)
    return torch.from_numpy(painted_over(current, strokes))[None], torch.from_numpy(new)[None]


def by_labels(
    predictor: Predictor, target: Tensor, painted: Tensor | None = None, emphasis: float = 0.0
) -> Objective:
    """Return the objective of a segmentation.

    Args:
        predictor: segments pictures, with gradients.
        target: labels (N, H, W), UNKNOWN where anything is right.
        painted: painted pixels (N, H, W), bool; only with an emphasis.
        emphasis: weight e of the mean over painted pixels, beside that over all.

    Raises:
        ShapeError: a label is not one of the predictor's classes.
        DataError: no pixel of a target is known.
    """
    if target.ndim != 3 or int(target.max()) >= len(predictor.classes) or int(target.min()) < UNKNOWN:
        raise ShapeError(
            f"a target of shape {tuple(target.shape)} with labels from {int(target.min())} to "
            f"{int(target.max())} does not fit; (N, H, W) from 0 to {len(predictor.classes) - 1} was expected"
        )
    if bool((target == UNKNOWN).flatten(1).all(dim=1).any()):
        raise DataError("every pixel of the target is unknown, so nothing is wanted of the picture")
    size = (target.shape[1], target.shape[2])
    if painted is None or emphasis == 0.0:
        return lambda rendering: semantic_loss(predictor.logits(rendering, size), target)
    strokes = torch.where(painted, target, torch.full_like(target, UNKNOWN))

    def emphasised(rendering: Rendering) -> Tensor:
        logits = predictor.logits(rendering, size)
        return semantic_loss(logits, target) + emphasis * semantic_loss(logits, strokes)

    return emphasised


def by_colours(target: Tensor, painted: Tensor) -> Objective:
    """Return the objective of editing in colour space; see `colour_loss`."""
    return lambda rendering: colour_loss(rendering.images, target, painted)


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
    """

    space: CodeSpace
    latents: Latents
    strata: tuple[int, ...] = ()
    seed: int = 0
    precision: str = "fp32"
    stream: Stream = Stream.EDITING

    def render(self, codes: Tensor) -> Rendering:
        """Return the pictures and feature maps of codes (N, L, D), with gradients if they are switched on."""
        generator: Generator = self.space.generator
        return Pass(
            generator,
            codes,
            condition=self.latents.condition,
            index=self.latents.index,
            noise=noise_seed(self.seed, self.stream),
            precision=self.precision,
            features=self.strata,
        ).rendering


def search_codes(
    renderer: Renderer, start: Tensor, objective: Objective, search: Search, on_step: OnStep | None = None
) -> Found:
    """Minimise objective plus penalties by Adam (betas 0.9 and 0.999), each picture by itself.

    Args:
        renderer: makes pictures of variables.
        start: variables (N, R, V) to start from.
        objective: loss (N,) of a rendering.
        search: steps, learning rate and penalties.
        on_step: called with 1 after every step.

    Raises:
        UserError: the objective gives no gradients.
        DataError: the loss is not finite.
    """
    variables = start.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([variables], lr=search.learning_rate)
    stages: list[tuple[Tensor, Rendering]] = []  # before the first step and after the last
    losses = []
    for step in range(search.steps + 1):
        with torch.set_grad_enabled(step < search.steps):
            codes = renderer.space.codes(variables)
            rendering = renderer.render(codes)
            wanted = objective(rendering)
            loss = wanted + penalties(variables, start, search)
        if step < search.steps and not wanted.requires_grad:
            raise UserError(
                "what segments the picture gives no gradients, so no search can follow it; "
                "an extractor does, and so does the scorer `segmentation`"
            )
        if not bool(loss.isfinite().all()):
            raise DataError(
                f"the loss of the search is not finite in step {step} of {search.steps}; "
                "give a smaller learning rate, or another starting picture"
            )
        losses.append(loss.detach())
        if step in (0, search.steps):
            stages.append((codes.detach(), detached(rendering)))
        if step == search.steps:
            break
        optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if on_step is not None:
            on_step(1)
    (codes_before, before), (codes, after) = stages[0], stages[-1]
    return Found(start, variables.detach(), codes_before, codes, before, after, torch.stack(losses))


def detached(rendering: Rendering) -> Rendering:
    """Return a rendering without its history of gradients."""
    return Rendering(
        rendering.images.detach(),
        {s: x.detach() for s, x in rendering.features.items()},
        finite=rendering.finite,
        composed=rendering.composed,
        pictures=rendering.pictures.detach(),
    )
