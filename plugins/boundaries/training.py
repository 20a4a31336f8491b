"""Share what learners that train through the generator need: samples, moved codes, and steps by gradient.

Gradients are computed for the trained parameters alone, so those of the generator and of scorers stay as they
are, whether or not they ask for gradients.

Shapes: n samples, L layers, D code size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...core.conformance.random_state import seeded
from ...core.device import auto_batch
from ...core.errors import DataError, UserError
from ...core.plugins.base import owner_of
from ...core.plugins.boundary import Boundaries
from ...core.plugins.contracts import Generator
from ...core.plugins.records import Concept, Latents, Rendering
from ...core.probing.concept_stats import spread_of
from ...core.randomness import Stream, noise_seed
from ...core.storage.rows import Rows
from ...core.strata.composition import Pass
from .unlabelled import Direction, DirectionLearner

STATISTICS = 2048  # samples whose w give its mean and its spread
BLOCK = 256  # of them at once
OnShare = Callable[[float], None]


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
    """

    generator: Generator
    learner: str
    seed: int
    precision: str
    on_share: OnShare
    layers: tuple[int, ...]
    features: tuple[int, ...] = ()

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
            yield self.draw(min(most, start + n - first), first, stream)

    def render(self, drawn: Drawn, codes: Tensor) -> Rendering:
        """Render samples with other codes (n, L, D) and the same fresh noise. Gradients flow to the codes.

        Raises:
            UserError: the codes ask for gradients, and the generator passes none.
        """
        rendering = Pass(
            self.generator,
            codes,
            condition=drawn.latents.condition,
            index=drawn.latents.index,
            noise=noise_seed(self.seed, drawn.stream),
            precision=self.precision,
            features=self.features,
        ).rendering
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
        return torch.from_numpy(scale).to(self.generator.device)  # (L,)

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
        spread = spread_of(self.codes_of_w.float().cpu().numpy())
        if not np.isfinite(spread) or spread == 0.0:
            raise DataError(f"the codes of {owner_of(self.generator)} do not vary, or are not finite")
        return spread


class Descent:
    """Take steps of Adam whose rates fall to 0 along half a cosine.

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
        self._parameters = [p for parameters, _ in groups for p in parameters]
        self._adam = torch.optim.Adam([{"params": list(p), "lr": rate} for p, rate in groups])
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._adam, steps)

    def take(self, losses: Iterable[Tensor]) -> Tensor:
        """Take a step along the gradient of the sum of some losses, of which one is in memory at a time.

        Returns:
            The sum, without gradients.

        Raises:
            DataError: it is not finite.
        """
        total = torch.zeros((), device=self._course.generator.device)
        gradients: list[Tensor | None] = [None] * len(self._parameters)
        for loss in losses:
            total = total + loss.detach()
            parts = torch.autograd.grad(loss, self._parameters, allow_unused=True)
            for i, part in enumerate(parts):
                if part is not None:
                    known = gradients[i]
                    gradients[i] = part if known is None else known + part
        if not bool(total.isfinite()):
            raise DataError(
                f"{self._course.learner}: the loss is not finite in step {self._taken + 1} of {self._steps}; "
                "give a smaller rate"
            )
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        self._adam.step()
        self._schedule.step()
        self._taken += 1
        self._course.on_share(self._ends * self._taken / self._steps)
        return total


def numbers(seed: int) -> torch.Generator:
    """Return a source of random numbers on the CPU, so that any device gets the same."""
    return torch.Generator().manual_seed(seed)


class TrainedLearner(DirectionLearner):
    """Train directions without labels; subclasses implement `train`."""

    from_samples = False
    trains = True
    in_blocks = True

    def learn(
        self,
        latents: Rows,
        scores: Rows,
        concepts: Sequence[Concept],
        *,
        generator: Generator | None = None,
        seed: int = 0,
        measured: bool = True,
        precision: str = "fp32",
        on_share: OnShare = lambda _: None,
    ) -> Boundaries:
        """Train directions on samples drawn from the generator; the given samples play no part.

        Args:
            latents: not used.
            scores: not used.
            concepts: not used.
            generator: the generator.
            seed: seed of samples, first parameters and random choices.
            measured: not used; there are no accuracies.
            precision: in which the generator computes: fp32, bf16 or fp16.
            on_share: called with the share of the work that is done.

        Raises:
            UserError: the generator does not fit the options, or passes no gradients.
            DataError: there is no generator, or the training diverges.
        """
        owner = owner_of(self)
        if generator is None:
            raise DataError(f"{owner} trains with the generator; call learn(..., generator=generator)")
        self.check_generator(generator)
        course = Course(generator, owner, seed, precision, on_share, self.chosen_layers(generator))
        with torch.inference_mode(False), torch.enable_grad(), seeded(seed):
            return self.boundaries(generator, self.train(course))

    @abstractmethod
    def train(self, course: Course) -> Iterable[Direction]:
        """Return the directions, the best first. Gradients are switched on, global random states seeded."""
