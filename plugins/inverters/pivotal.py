"""Refine the generator itself for each picture, around a fixed code (pivotal tuning)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.generator import Generator
from ...core.plugins.inverter import Inversion, InversionTask
from ...core.plugins.records import Rendering
from ...core.randomness import Stream
from ...core.runs.inversion_rows import rows_of
from .codes import required_start, start_of_one_code
from .descent import Loss, SearchConfig, Searching, Variable, descend

LEAST = 0.01  # size that a tensor of smaller weights counts as having, such as one of zeros


class Pivotal(Searching):
    """Move the weights of the generator, a set of them for each picture, while the codes stay.

    The codes found before, the pivot, are where edits work; the weights bring what is missing. The result is
    what is added to each tensor, not a generator. Pictures are tuned one after the other, so a batch needs no
    more memory than one of them.

    With `locality` a, each step also keeps what the generator makes elsewhere: of a code q that lies the
    share `reach` of the way from the pivot to a sample,

        loss = distance + a mean (G(q) - G_0(q))^2,   G_0 the generator as it was

    Source: Roich, Mokady, Bermano and Cohen-Or, "Pivotal Tuning for Latent-based Editing of Real Images", ACM
    Transactions on Graphics 42, 2022, sections 3.2 and 3.3. Different here: the pictures at q are compared by
    pixels alone, q is a share of the way where the paper goes a fixed distance, 30, and the rate is relative
    to the size of the weights, since plugins hold them with and without their gains.
    """

    class Config(SearchConfig):
        """Set steps, rate, where to stop, and the regulariser."""

        steps: int = Field(
            default=100, ge=1, le=1_000_000, description="of Adam, for every picture; the paper: 350"
        )
        rate: float = Field(
            default=1e-3,
            gt=0.0,
            le=10.0,
            description="largest learning rate of Adam: about how far each weight moves in a step, in the "
            "root mean square of its tensor",
        )
        stop: float = Field(
            default=0.0,
            ge=0.0,
            description="distance at which the tuning of a picture ends early; 0: it does not. How large "
            "that is depends on what the distance measures",
        )
        locality: float = Field(
            default=0.0, ge=0.0, le=1e6, description="weight of the change of other pictures; the paper: 0.1"
        )
        reach: float = Field(
            default=0.5, gt=0.0, le=1.0, description="share of the way from the pivot to a sample"
        )

    config: Config
    step = "refine"

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without gradients, or of whose weights none can be tuned.

        Raises:
            UserError: it is one.
        """
        super().check_generator(generator)
        if not generator.tunable:
            raise UserError(
                f"{owner_of(generator)} has no weights that can be tuned: no attribute of it is a "
                "torch.nn.Module, and it names none in `tunable`"
            )

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return weights with which the same codes make nearer pictures, one picture after the other.

        Raises:
            UserError: there is no start, or the pictures give no gradients to any weight.
            DataError: a loss is not finite.
        """
        start = start_of_one_code(start, self) if self.config.locality else required_start(start, self)
        n, steps = len(start.codes), self.config.steps
        with torch.no_grad():
            now = task.distance(task.render(start)).detach().clone()
        done = 0
        weights, losses = [], []
        for i in range(n):

            def on_step(distance: Tensor, i: int = i) -> None:
                nonlocal done
                now[i] = distance[0]
                done += 1
                if done % n == 0:  # of the steps of all pictures together, one in n is told
                    task.on_step(now.clone())

            found, curve = self._tune(task, rows_of(start, [i]), i, on_step)  # curve: (T, 1)
            for _ in range(steps - (len(curve) - 1)):  # that were not needed
                on_step(curve[-1])
            weights.append(found)
            losses.append(torch.cat([curve, curve[-1:].expand(steps + 1 - len(curve), -1)]))
        return replace(start, weights=tuple(weights), losses=torch.cat(losses, dim=1))

    def _tune(
        self, task: InversionTask, pivot: Inversion, i: int, on_step: Callable[[Tensor], None]
    ) -> tuple[Mapping[str, Tensor], Tensor]:
        """Return what is added to tensors for picture i, and its distances (T, 1)."""
        deltas = self._deltas(task, pivot, i)

        def tuned(codes: Tensor) -> Rendering:
            with_weights = {name: delta.value for name, delta in deltas.items()}
            return task.render(replace(pivot, codes=codes, weights=(with_weights,)), [i])

        def loss(step: int) -> Loss:
            distance = task.distance(tuned(pivot.codes), [i])
            if not self.config.locality or step == self.config.steps:
                return Loss(distance)
            codes = self._elsewhere(task, pivot, step)
            with torch.no_grad():
                before = task.render(replace(pivot, codes=codes, weights=()), [i]).images
            change = (tuned(codes).images - before).square().mean(dim=(1, 2, 3))  # (1,)
            return Loss(distance, self.config.locality * change)

        curve = descend(self.config, [*deltas.values()], loss, on_step, owner_of(self), stop=self.config.stop)
        return {name: delta.value.detach() for name, delta in deltas.items()}, curve

    def _deltas(self, task: InversionTask, pivot: Inversion, i: int) -> dict[str, Variable]:
        """Return a variable for each tensor on which the picture depends, by its name.

        Raises:
            UserError: it depends on none.
        """
        tunable = {name: x for name, x in task.generator.tunable.items() if x.is_floating_point()}
        known = pivot.weights[0] if pivot.weights else {}
        zeros = {name: torch.zeros_like(x, requires_grad=True) for name, x in tunable.items()}
        with torch.enable_grad():
            distance = task.distance(task.render(replace(pivot, weights=(zeros,)), [i]), [i]).sum()
        if not distance.requires_grad:
            raise UserError(
                f"{owner_of(task.generator)}: its picture depends on none of the weights that it names in "
                "`tunable`, so there is nothing to tune"
            )
        gradients = torch.autograd.grad(distance, list(zeros.values()), allow_unused=True)
        names = [name for name, gradient in zip(zeros, gradients, strict=True) if gradient is not None]
        sizes = torch.stack([tunable[name].float().square().mean().sqrt() for name in names])
        return {
            name: Variable(
                (zeros[name] if name not in known else known[name].to(tunable[name])).detach().clone(),
                rate=max(size, LEAST),
            )
            for name, size in zip(
                names, sizes.cpu().tolist(), strict=True
            )  # an accelerator is waited for once
        }

    def _elsewhere(self, task: InversionTask, pivot: Inversion, step: int) -> Tensor:
        """Return codes (1, L, D) a share of the way from the pivot to a sample of its class."""
        generator = task.generator
        with torch.no_grad():
            latents = generator.sample(1, task.seed, step, Stream.LEARNING)
            condition = latents.condition if pivot.condition is None else pivot.condition
            codes = generator.broadcast(generator.map(latents.z, condition), condition)
            return torch.lerp(pivot.codes, codes, self.config.reach)
