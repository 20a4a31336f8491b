"""Define the contract of inverters, which find codes whose pictures look like given ones.

An inversion is one `embed` step, which starts from the pictures alone, and any number of `refine` steps,
each of which starts from what was found before. Each step is a plugin.

Shapes: N pictures, L layers, D code size, Z latent size, H x W the generator's own size in pixels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from ..errors import UserError
from ..randomness import Stream
from .base import ConfigT, Plugin, owner_of
from .generator import Generator
from .records import Inputs, Rendering

StepKind = Literal["embed", "refine"]


@dataclass(frozen=True)
class Mixture:
    """Hold several codes per picture, whose feature maps are added at one stratum with weights per channel.

    Source: Gu, Shen and Zhou, "Image Processing Using Multi-Code GAN Prior", CVPR 2020, eq. 3.

    Attributes:
        codes: (N, K, L, D).
        weights: (N, K, C), C channels of the feature map after the stratum.
        stratum: its number.
    """

    codes: Tensor
    weights: Tensor
    stratum: int


@dataclass(frozen=True)
class Inversion:
    """Hold what was found for N pictures: everything of which the generator makes them again.

    Attributes:
        codes: (N, L, D).
        condition: condition of each picture, as the generator's sample() draws it, or weights of classes
            (N, Y); None without classes.
        latent: z (N, Z) or w (N, D) of which all rows of the codes are made, if they are made of one.
        space: space of `latent`, z or w; w+ if there is none.
        noise: stratum -> noise (N, 1, h, w) that takes the place of the generator's own; empty without.
        weights: for each picture, what is added to tensors of the generator, by their names in
            `Generator.tunable`; empty if the generator stays as it is.
        mixture: several codes per picture, which the strata up to that of the mixture read; those after it
            read `codes`. None if `codes` alone make the picture.
        losses: distance (T, N) before each step of a search, and after the last; None without one. What the
            step adds to it, such as a penalty on codes, is no part of it, so that steps compare.
    """

    codes: Tensor
    condition: Tensor | None = None
    latent: Tensor | None = None
    space: Literal["z", "w", "w+"] = "w+"
    noise: Mapping[int, Tensor] = field(default_factory=dict)
    weights: tuple[Mapping[str, Tensor], ...] = ()
    mixture: Mixture | None = None
    losses: Tensor | None = None


class Render(Protocol):
    """Make the pictures of an inversion, with gradients if they are switched on."""

    def __call__(self, inversion: Inversion, rows: Sequence[int] | None = None) -> Rendering:
        """Return the rendering: pictures (M, 3, H, W) and the feature maps that the distance reads.

        Args:
            inversion: of M pictures.
            rows: of which pictures of the task they are, M numbers, which decide fresh noise; None if M = N
                and they are in its order. A row may come again, as it does for candidates of one picture.
        """


class Distance(Protocol):
    """Say how far pictures are from wanted ones, with gradients if they are switched on."""

    def __call__(self, rendering: Rendering, rows: Sequence[int] | None = None) -> Tensor:
        """Return the loss (M,) of M pictures; `rows` are as for `Render`."""


@dataclass(frozen=True)
class InversionTask:
    """Hold a batch of pictures to invert, and all that a step needs to do it.

    Attributes:
        generator: generator of the codes.
        pictures: wanted pictures (N, 3, H, W) in [0, 1], of the generator's size. If a degradation stands
            between generator and loss, they are the nearest whole pictures, such as the given ones enlarged.
        known: which pixels are known, (N, 1, H, W) in [0, 1]; None for all.
        index: (N,), which decide the fresh noise of each picture.
        condition: condition of the pictures, where the user gave it; else None.
        seed: seed of everything that a step draws, and, with Stream.EDITING, of fresh noise.
        render: makes pictures.
        distance: loss (M,) of a rendering, with gradients: pixels, perceptual distance, degradation, mask.
        on_step: called with the distances (N,) after each step of a search.
    """

    generator: Generator
    pictures: Tensor
    index: Tensor
    render: Render
    distance: Distance
    known: Tensor | None = None
    condition: Tensor | None = None
    seed: int = 0
    on_step: Callable[[Tensor], None] = lambda losses: None


def gives_gradients(generator: Generator) -> bool:
    """Return whether gradients flow from pictures of a generator to its codes; it makes one to see."""
    with torch.no_grad():
        latents = generator.sample(1, 0, 0, Stream.EDITING)
        codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    codes = codes.detach().clone().requires_grad_(True)  # (1, L, D)
    with torch.enable_grad():
        state = generator.begin(Inputs(1, latents.condition, latents.index))
        for s, stratum in enumerate(generator.strata):
            state = generator.stratum(s, state, None if stratum.reads is None else codes[:, stratum.reads])
        return generator.finish(state).requires_grad


def without_gradients(owner: str) -> str:
    """Return the message that a step follows gradients, and pictures give none."""
    return (
        f"{owner} follows gradients, and the pictures of this generator give none; the step `best` needs "
        "none: embed with it, and leave refining out (--embed best --refine none)"
    )


class Inverter(Plugin[ConfigT]):
    """Find codes whose pictures look like given ones: one step of an inversion.

    Attributes:
        step: `embed` if it starts from the pictures alone, `refine` if from codes that were found before.
        needs_gradients: whether it follows gradients through the generator.
        checkpoint: SHA-256 of the file of its network, known once `check_generator` was called; "" without.
            What is stored of a picture depends on it.
    """

    noun = "inverter"
    relief = "invert fewer pictures at once, or use another device"
    guarded = ("invert",)
    step: ClassVar[StepKind]
    needs_gradients: ClassVar[bool] = True
    checkpoint: str = ""

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator that the step does not fit, before anything is computed.

        Default: refuse one whose pictures give no gradients if the step needs them.

        Raises:
            UserError: says why, and which step fits.
        """
        if self.needs_gradients and not gives_gradients(generator):
            raise UserError(without_gradients(owner_of(self)))

    @abstractmethod
    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return what was found for all pictures of the task. It is not called in torch.inference_mode().

        A picture's result depends on itself, its index and the seed alone, not on the others of its batch.

        Args:
            task: the pictures, and how they are made and judged.
            start: what the steps before found; None for `embed`.

        Raises:
            UserError: the step does not fit the generator, or what it starts from.
            DataError: the loss is not finite.
        """

    def total_steps(self) -> int:
        """Return how often `task.on_step` is called for a batch; 0 if never. Default: 0."""
        return 0
