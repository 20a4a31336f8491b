"""Share what learners that train through the generator need: samples, moved codes, and steps by gradient.

Gradients are computed for the trained parameters alone, so those of the generator and of scorers stay as they
are, whether or not they ask for gradients.

Shapes: n samples, L layers, D code size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...core.conformance.random_state import seeded
from ...core.device import auto_batch, sent
from ...core.errors import DataError, UserError
from ...core.plugins.base import owner_of
from ...core.plugins.boundary import Boundaries
from ...core.plugins.finiteness import Doubts
from ...core.plugins.generator import Generator
from ...core.plugins.pending import OneBehind, Pending, fetched
from ...core.plugins.records import Latents, Rendering
from ...core.probing.concept_stats import spread_of
from ...core.randomness import Stream, noise_seed
from ...core.strata.composition import Pass
from .asked import Asked, OnShare
from .unlabelled import Direction, DirectionLearner

STATISTICS = 2048  # samples whose w give its mean and its spread
BLOCK = 256  # of them at once
SCALE = 2.0**15  # of the loss in fp16, at first


@dataclass(frozen=True)
class Drawn:
    """Hold n samples of the generator's prior.

    Attributes:
        latents: z, condition, index.
        w: (n, D).
        codes: (n, L, D).
        stream: stream of random numbers from which they come.
    """

    latents: Latents
    w: Tensor
    codes: Tensor
    stream: Stream


@dataclass(frozen=True)
class Course:
    """Draw and render the samples of a training.

    Attributes:
        generator: generator of the samples.
        learner: the learner in words, for messages.
        seed: seed of samples and of fresh noise.
        precision: fp32, bf16 or fp16.
        on_share: called with the share of the work that is done.
        layers: layers that directions move.
        features: strata whose feature maps are collected.
        styles: whether directions lie in s.
        doubts: of pictures that were rendered since the last check began.
        checks: of what was rendered and learnt before.
    """

    generator: Generator
    learner: str
    seed: int
    precision: str
    on_share: OnShare
    layers: tuple[int, ...]
    features: tuple[int, ...] = ()
    styles: bool = False
    doubts: Doubts = field(default_factory=Doubts, repr=False, compare=False)
    checks: OneBehind = field(default_factory=OneBehind, repr=False, compare=False)

    def settle(self) -> None:
        """Wait for all that was begun.

        Raises:
            PictureError: a picture is not finite.
            DataError: a loss is not.
        """
        self.checks.add(self.doubts.check())
        self.checks.end()

    @torch.no_grad()
    def draw(self, n: int, start: int, stream: Stream) -> Drawn:
        """Draw samples start .. start + n - 1 of a stream."""
        latents = self.generator.sample(n, self.seed, start, stream)
        w = self.generator.map(latents.z, latents.condition)
        return Drawn(latents, w, self.generator.broadcast(w, latents.condition), stream)

    def draws(self, n: int, start: int, stream: Stream) -> Iterator[Drawn]:
        """Draw as many samples in portions whose pictures fit into memory with their gradients."""
        card = self.generator.card
        most = auto_batch(card.height, self.generator.device, card.width)
        for first in range(start, start + n, most):
            if first > start:
                self.checks.add(self.doubts.check())
            yield self.draw(min(most, start + n - first), first, stream)

    def render(self, drawn: Drawn, codes: Tensor) -> Rendering:
        """Render samples with other codes (n, L, D) and the same fresh noise. Gradients flow to the codes.

        Raises:
            UserError: the codes ask for gradients, and the generator passes none.
            PictureError: a picture is not finite; on an accelerator `checks` raise it later.
        """
        rendering = Pass(
            self.generator,
            codes,
            condition=drawn.latents.condition,
            index=drawn.latents.index,
            noise=noise_seed(self.seed, drawn.stream),
            precision=self.precision,
            features=self.features,
            late=True,
        ).rendering
        self.doubts.add(rendering)
        if codes.requires_grad and not rendering.images.requires_grad:
            raise UserError(
                f"{owner_of(self.generator)} passes no gradients from its codes to its pictures, and "
                f"{self.learner} follows them; take a learner that does not, or let the strata compute in "
                "torch without no_grad(), inference_mode() or detach()"
            )
        return rendering

    def moved(self, codes: Tensor, direction: Tensor, amount: Tensor) -> Tensor:
        """Move codes (n, L, D) by amount (n,) along a direction (D,), or one per sample (n, D).

        This is the edit that re-scoring makes, c + a scale_l v at the layers that directions move.
        """
        return codes + self._scale[:, None] * (amount[:, None] * direction)[:, None]

    @cached_property
    def _scale(self) -> Tensor:
        moved = np.isin(np.arange(self.generator.card.layers), self.layers)
        scale = np.where(moved, self.generator.layer_scale, 0.0).astype(np.float32)
        return sent(scale, self.generator.device)  # (L,)

    @cached_property
    def codes_of_w(self) -> Tensor:
        """Draw some w, (STATISTICS, D), for their mean and spread."""
        return torch.cat(
            [self.draw(BLOCK, first, Stream.LEARNING).w for first in range(0, STATISTICS, BLOCK)]
        )

    @cached_property
    def spread(self) -> float:
        """Spread s_w of w, the unit of a step.

        Raises:
            DataError: w does not vary.
        """
        return checked_spread(self.codes_of_w, self.generator)


def checked_spread(points: Tensor, generator: Generator) -> float:
    """Return the spread of codes or styles (n, D).

    Raises:
        DataError: they do not vary, or are not finite.
    """
    spread = spread_of(points.float().cpu().numpy())
    if not np.isfinite(spread) or spread == 0.0:
        raise DataError(f"the codes of {owner_of(generator)} do not vary, or are not finite")
    return spread


class Descent:
    """Take steps of Adam whose rates fall to 0 along half a cosine.

    In fp16 small gradients would vanish in rounding on their way through the generator. The loss is then
    multiplied by a large number, by which gradients are divided (Micikevicius et al., *Mixed precision
    training*, ICLR 2018). If a gradient overflows, the step is left out, and the number halved.

    Args:
        course: the training, for messages and for its share.
        groups: parameters with their learning rate.
        steps: number of steps.
        ends: share of the learner's work that is done after the last step.
    """

    def __init__(
        self,
        course: Course,
        groups: Sequence[tuple[Sequence[Tensor], float]],
        steps: int,
        ends: float = 0.95,
    ) -> None:
        self._course, self._steps, self._ends, self._taken = course, steps, ends, 0
        self._made = 0  # steps that were not left out
        self._scaled = course.precision == "fp16"
        self._scale = SCALE if self._scaled else 1.0
        self._parameters = [p for parameters, _ in groups for p in parameters]
        self._adam = torch.optim.Adam([{"params": list(p), "lr": rate} for p, rate in groups])
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._adam, steps)

    def take(self, losses: Iterable[Tensor]) -> Tensor:
        """Take a step along the gradient of the sum of some losses, of which one is in memory at a time.

        Returns:
            The sum, without gradients.

        On an accelerator a step is checked when the next one has begun, so that none is waited for. In fp16
        each is, since it may be left out.

        Raises:
            DataError: it is not finite, or in fp16 no gradient is, however small the scale, or in all steps.
            PictureError: a picture is not finite.
        """
        total = torch.zeros((), device=self._course.generator.device)
        gradients: list[Tensor | None] = [None] * len(self._parameters)
        for loss in losses:
            total = total + loss.detach()
            parts = torch.autograd.grad(self._scale * loss, self._parameters, allow_unused=True)
            for i, part in enumerate(parts):
                if part is not None:
                    known = gradients[i]
                    gradients[i] = part if known is None else known + part
        self._course.checks.add(self._checked(total))
        if self._overflows(gradients):
            self._scale /= 2.0
            if self._scale < 1.0 or (self._made == 0 and self._taken + 1 == self._steps):
                raise DataError(
                    f"{self._course.learner}: gradients overflow in fp16 in step {self._taken + 1} of "
                    f"{self._steps}; take precision: bf16 or fp32"
                )
        else:
            for parameter, gradient in zip(self._parameters, gradients, strict=True):
                parameter.grad = None if gradient is None else gradient / self._scale
            self._adam.step()
            self._schedule.step()
            self._made += 1
        self._taken += 1
        if self._taken == self._steps:
            self._course.settle()
        self._course.on_share(self._ends * self._taken / self._steps)
        return total

    def _checked(self, total: Tensor) -> Pending[None]:
        """Return the check of the pictures of a step and of its loss."""
        pictures, value, step = self._course.doubts.check(), fetched(total), self._taken + 1

        def check() -> None:
            pictures.result()
            if not np.isfinite(value.result()):
                raise DataError(
                    f"{self._course.learner}: the loss is not finite in step {step} of {self._steps}; "
                    "give a smaller rate"
                )

        return Pending(check, at_once=value.at_once)

    def _overflows(self, gradients: Sequence[Tensor | None]) -> bool:
        """Return whether the loss is scaled and a gradient is not finite."""
        return self._scaled and not all(g is None or bool(g.isfinite().all()) for g in gradients)


def numbers(seed: int) -> torch.Generator:
    """Return a source of random numbers on the CPU, so that any device gets the same."""
    return torch.Generator().manual_seed(seed)


class TrainedLearner(DirectionLearner):
    """Train directions without labels; subclasses implement `train`."""

    from_samples = False
    trains = True
    in_blocks = True

    def found(self, asked: Asked) -> Boundaries:
        """Train on samples drawn from the generator; the given samples play no part.

        Raises:
            UserError: the generator passes no gradients.
            DataError: the training diverges.
        """
        generator = asked.generator
        course = Course(
            generator,
            owner_of(self),
            asked.seed,
            asked.precision,
            asked.on_share,
            self.chosen_layers(generator),
            styles=asked.styles,
        )
        with torch.inference_mode(False), torch.enable_grad(), seeded(asked.seed):
            found = self.boundaries(generator, self.train(course))
            course.settle()
        return found

    @abstractmethod
    def train(self, course: Course) -> Iterable[Direction]:
        """Return the directions, the best first. Gradients are switched on, global random states seeded."""
