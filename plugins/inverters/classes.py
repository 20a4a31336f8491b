"""Begin with the class of a picture, for generators of classes (BigGAN)."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.generator import Generator
from ...core.plugins.inverter import Inversion, InversionTask
from ...core.randomness import Stream
from .codes import prior_penalty
from .descent import Loss, SearchConfig, Searching, Variable, descend


class Classes(Searching):
    """Find the best class of each picture, then move z and the weights of all classes together.

    First the same few z are tried in every class, and the nearest picture decides. Then Adam moves z and the
    weights p of the classes, which stay above 0 and have the sum 1,

        p = softmax(a),   at first 1 - doubt for the best class, and doubt / (Y - 1) for each of the others

    so the result may lie between classes. Its condition is these weights. `steps: 0` leaves it at the best.
    """

    class Config(SearchConfig):
        """Set how many z are tried, steps and rate, and the first weights."""

        steps: int = Field(default=300, ge=0, le=1_000_000, description="of Adam; 0: the best class stays")
        tried: int = Field(default=4, ge=1, le=100_000, description="z that are tried in every class")
        batch: int = Field(
            default=16, ge=1, le=65_536, description="pictures in one pass when classes are tried"
        )
        doubt: float = Field(
            default=0.05, gt=0.0, lt=0.5, description="weight of all other classes together at first"
        )
        class_rate: float = Field(
            default=1.0,
            ge=0.0,
            le=1000.0,
            description="learning rate of a, in multiples of `rate`; 0: a stays",
        )
        prior: float = Field(
            default=0.0, ge=0.0, le=1e6, description="weight of the mean square of z, in standard deviations"
        )

    config: Config
    step = "embed"

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without classes, and one without gradients if there are steps.

        Raises:
            UserError: it is one.
        """
        if generator.classes < 2:
            raise UserError(
                f"{owner_of(generator)} has no classes to choose from, or does not say how many; "
                "begin with `best`"
            )
        if self.config.steps:
            super().check_generator(generator)

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return z and weights of classes whose pictures are nearest.

        Raises:
            UserError: a class was given, or the pictures give no gradients.
            DataError: a loss is not finite.
        """
        if task.condition is not None:
            raise UserError("the class was given, and `classes` looks for it: begin with `best` or `mean`")
        generator, n = task.generator, len(task.pictures)
        with torch.no_grad():
            best = [self._best(task, i) for i in range(n)]
        z = Variable(torch.cat([one for one, _ in best]).float())  # (N, Z)
        chosen = torch.stack([number for _, number in best])  # (N,)
        logits = Variable(first_logits(chosen, generator.classes, self.config.doubt), self.config.class_rate)
        moved = [z, logits] if self.config.class_rate else [z]

        def found(weights: Tensor) -> Inversion:
            codes = generator.broadcast(generator.map(z.value, weights), weights)
            return Inversion(codes, weights, z.value, "z")

        if not self.config.steps:
            with torch.no_grad():
                return found(torch.nn.functional.one_hot(chosen, generator.classes).to(z.value))

        def loss(step: int) -> Loss:
            distance = task.distance(task.render(found(logits.value.softmax(dim=1))))
            return Loss(distance, prior_penalty(z.value, self.config.prior))

        losses = descend(self.config, moved, loss, task.on_step, owner_of(self))
        with torch.no_grad():
            return replace(found(logits.value.softmax(dim=1)), losses=losses)

    def _best(self, task: InversionTask, i: int) -> tuple[Tensor, Tensor]:
        """Return z (1, Z) and the number () of the class of the picture that is nearest to picture i."""
        generator, count = task.generator, self.config.tried
        z = generator.sample(count, task.seed, 0, Stream.LEARNING).z  # (K, Z)
        pairs = torch.arange(count * generator.classes, device=generator.device)
        distances = []
        for first in range(0, len(pairs), self.config.batch):
            part = pairs[first : first + self.config.batch]
            condition, latent = part // count, z[part % count]
            codes = generator.broadcast(generator.map(latent, condition), condition)
            rows = [i] * len(part)
            distances.append(task.distance(task.render(Inversion(codes, condition), rows), rows))
        nearest = torch.cat(distances).nan_to_num(nan=math.inf).argmin()
        return z[nearest % count][None], nearest // count


def first_logits(chosen: Tensor, classes: int, doubt: float) -> Tensor:
    """Return a (N, Y) whose softmax is 1 - doubt for the chosen class (N,), and the rest for all others.

    >>> (10 * first_logits(torch.tensor([1]), 3, 0.2).softmax(dim=1)).round().int().tolist()
    [[1, 8, 1]]
    """
    one_hot = torch.nn.functional.one_hot(chosen, classes).float()
    return one_hot * math.log((1.0 - doubt) * (classes - 1) / doubt)
