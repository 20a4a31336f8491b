"""Find directions that imitate edits of pictures, such as zooming (steerability)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ...core.device import sent
from ...core.randomness import Stream
from .image_edits import EDITS, EditName, edited
from .training import Course, Descent, Drawn, TrainedLearner, numbers
from .unlabelled import Direction, Layers
from .walks import START, Recurrent, Straight, Walk, bend, parameters, rounded

HELD_OUT = 64  # samples on which a walk is measured
Facts = dict[str, float | int]
ROUNDING = 1e-8  # mean square below which an edit changes nothing


class Steer(TrainedLearner):
    """Train for each edit the walk along which pictures change as by the edit.

    For a code w and an amount a, uniform in [-1, 1], the walk v minimises the mean square of
    M (G(w + a s_w v) - edit(G(w), a)), with s_w the spread of w. M leaves out the pixels that the edit
    cannot define: what a shift moves in from outside, and what gets darker than black or brighter than white.
    The fact `explained` is 1 - loss / loss without a walk, on held-out samples: 0 if the walk achieves
    nothing, and 1 if it makes the edit itself. It is also 0 if the edit changes no picture.

    A recurrent walk repeats small steps of a network, so it may bend and differ between samples. Its
    direction is the mean of where it leads held-out samples for an amount of 1. `explained` is that of this
    direction, walked straight; `explained_walk` that of the walk itself, and `straightness` the mean cosine
    of single walks with the direction. So it says whether a straight walk is all that there is.

    Source: Jahanian, Chai and Isola, "On the 'steerability' of generative adversarial networks", ICLR 2020.
    Different here: one vector for all layers, where the paper's walks in W have one
    per layer, because normals of a boundary have length 1 and so could not keep the relation of layers;
    colours change by adding to one channel; the loss is the mean of squares alone, never LPIPS; rates are
    higher and fall to 0. The network of recurrent walks has one hidden layer, and is one for both senses.
    """

    class Config(Layers):
        """Set the edits, the layers that walks move, and the training."""

        edits: tuple[EditName, ...] = Field(
            default=EDITS, min_length=1, description=f"any of {', '.join(EDITS)}"
        )
        steps: int = Field(
            default=60, ge=1, le=10_000_000, description="of the training of each walk; the paper: 5,000"
        )
        batch: int = Field(default=8, ge=1, le=65_536, description="samples in a step; the paper: 4")
        rate: float = Field(default=0.05, gt=0.0, le=10.0, description="of Adam; the paper: 0.0001")
        walk: Literal["linear", "recurrent"] = Field(
            default="linear", description="straight, or made of equal steps of a network, which may bend"
        )
        recurrence: int = Field(
            default=4, ge=1, le=1000, description="steps of a recurrent walk for the largest amount"
        )

        @field_validator("edits")
        @classmethod
        def _check_edits(cls, edits: tuple[EditName, ...]) -> tuple[EditName, ...]:
            if len(set(edits)) < len(edits):
                raise ValueError("an edit is named twice")
            return edits

    config: Config
    method = "steer"

    def expected(self, concepts: int) -> int:
        """Return the number of edits."""
        return len(self.config.edits)

    def train(self, course: Course) -> Iterator[Direction]:
        """Return steer/EDIT for each edit, in the order of the config."""
        edits, source = self.config.edits, numbers(course.seed)
        first = START * torch.randn(len(edits), course.generator.card.code_size, generator=source)
        walks = [self._walk(vector.to(course.generator.device), source) for vector in first]
        descent = Descent(course, [(parameters(walks), self.config.rate)], self.config.steps)
        for step in range(self.config.steps):
            portions = course.draws(self.config.batch, step * self.config.batch, Stream.LEARNING)
            descent.take(self._losses(course, walks, portions, source))
        for name, walk in zip(edits, walks, strict=True):
            vector, facts = self._measure(course, name, walk)
            yield Direction(name, vector.double().cpu().numpy(), facts)
        course.on_share(1.0)

    def _walk(self, first: Tensor, source: torch.Generator) -> Walk:
        """Return a walk before the training, whose vector is (D,)."""
        if self.config.walk == "linear":
            return Straight(first)
        return Recurrent(first, self.config.recurrence, source)

    def _losses(
        self, course: Course, walks: Sequence[Walk], portions: Iterator[Drawn], source: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the part of each portion in the mean loss of a batch, for each walk."""
        for drawn in portions:
            with torch.no_grad():
                before = course.render(drawn, drawn.codes).images
            for name, walk in zip(self.config.edits, walks, strict=True):
                amounts = rounded(_amounts(len(before), source, before.device), walk.steps)
                yield _loss(course, drawn, before, name, walk, amounts).sum() / self.config.batch

    @torch.no_grad()
    def _measure(self, course: Course, name: EditName, walk: Walk) -> tuple[Tensor, Facts]:
        """Return the direction of a walk (D,) and its facts, from held-out samples."""
        ends = torch.cat([_ends(course, walk, drawn) for drawn in self._held_out(course)])  # (n, D)
        vector = ends.mean(dim=0)
        loss, nothing = self._errors(course, name, Straight(vector))
        facts: Facts = {
            "explained": _explained(loss, nothing),
            "loss": round(loss, 8),
            "loss_without": round(nothing, 8),
            "length": round(float(vector.norm()), 4),
            "steps": self.config.steps,
        }
        if walk.steps:
            facts["explained_walk"] = _explained(*self._errors(course, name, walk))
            facts["straightness"] = round(bend(ends), 4)
        return vector, facts

    def _held_out(self, course: Course) -> Iterator[Drawn]:
        return course.draws(HELD_OUT, 0, Stream.VALIDATION)

    def _errors(self, course: Course, name: EditName, walk: Walk) -> tuple[float, float]:
        """Return the mean loss of a walk on held-out samples, and that without a walk."""
        source, losses, without = numbers(course.seed), [], []
        steps = self.config.recurrence if self.config.walk == "recurrent" else 0
        for drawn in self._held_out(course):
            before = course.render(drawn, drawn.codes).images
            amounts = rounded(_amounts(len(before), source, before.device), steps)
            losses.append(_loss(course, drawn, before, name, walk, amounts))
            without.append(_masked_square(before, before, name, amounts))
        return float(torch.cat(losses).mean()), float(torch.cat(without).mean())


def _amounts(n: int, source: torch.Generator, device: torch.device) -> Tensor:
    """Draw amounts (n,), uniform in [-1, 1]."""
    return sent(2.0 * torch.rand(n, generator=source) - 1.0, device)


def _ends(course: Course, walk: Walk, drawn: Drawn) -> Tensor:
    """Return where a walk leads samples for an amount of 1, in spreads of w, (n, D)."""
    return walk.displacement(_counted(course, drawn), torch.ones(len(drawn.w), device=drawn.w.device))


def _counted(course: Course, drawn: Drawn) -> Tensor:
    """Return w from its mean, in its spread, (n, D)."""
    return (drawn.w.float() - course.codes_of_w.float().mean(dim=0)) / course.spread


def _explained(loss: float, nothing: float) -> float:
    return round(1.0 - loss / nothing, 4) if nothing > ROUNDING else 0.0


def _loss(
    course: Course, drawn: Drawn, before: Tensor, name: EditName, walk: Walk, amounts: Tensor
) -> Tensor:
    """Return the loss (n,) of a walk from samples with the pictures `before`."""
    moved = course.spread * walk.displacement(_counted(course, drawn), amounts)  # (n, D)
    after = course.render(drawn, course.moved(drawn.codes, moved, torch.ones_like(amounts))).images
    return _masked_square(after, before, name, amounts)


def _masked_square(after: Tensor, before: Tensor, name: EditName, amounts: Tensor) -> Tensor:
    """Return the mean square (n,) of what pictures differ from the edit of `before`, where it is defined."""
    target = edited(before, name, amounts)
    error = (target.defined * (after - target.images)).square().flatten(1).sum(dim=1)
    return error / target.defined.flatten(1).sum(dim=1).clamp(min=1.0)
