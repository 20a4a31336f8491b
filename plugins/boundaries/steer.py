"""Find directions that imitate edits of pictures, such as zooming (steerability)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ...core.randomness import Stream
from .image_edits import EDITS, EditName, edited
from .training import Course, Descent, Drawn, TrainedLearner, numbers
from .unlabelled import Direction, Layers

START = 0.01  # standard deviation of the entries of a walk before the training, in spreads of w
HELD_OUT = 64  # samples on which a walk is measured
ROUNDING = 1e-8  # mean square below which an edit changes nothing


class Steer(TrainedLearner):
    """Train for each edit the walk along which pictures change as by the edit.

    For a code w and an amount a, uniform in [-1, 1], the walk v minimises the mean square of
    M (G(w + a s_w v) - edit(G(w), a)), with s_w the spread of w. M leaves out the pixels that the edit
    cannot define: what a shift moves in from outside, and what gets darker than black or brighter than white.
    The fact `explained` is 1 - loss / loss without a walk, on held-out samples: 0 if the walk achieves
    nothing, and 1 if it makes the edit itself. It is also 0 if the edit changes no picture.

    Source: Jahanian, Chai and Isola, "On the 'steerability' of generative adversarial networks", ICLR 2020,
    linear walks. Different here: one vector for all layers, where the paper's walks in W have one
    per layer, because normals of a boundary have length 1 and so could not keep the relation of layers;
    colours change by adding to one channel; the loss is the mean of squares alone, never LPIPS; rates are
    higher and fall to 0. The paper's non-linear walks, made of many small steps of a network, bend, so no
    direction says what they are; they are left out.
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
        walks = [walk.to(course.generator.device).requires_grad_() for walk in first]  # (D,) each
        descent = Descent(course, [(walks, self.config.rate)], self.config.steps)
        for step in range(self.config.steps):
            portions = course.draws(self.config.batch, step * self.config.batch, Stream.LEARNING)
            descent.take(self._losses(course, walks, portions, source))
        for name, walk in zip(edits, walks, strict=True):
            facts = self._measure(course, name, walk)
            yield Direction(name, walk.detach().double().cpu().numpy(), facts)
        course.on_share(1.0)

    def _losses(
        self, course: Course, walks: list[Tensor], portions: Iterator[Drawn], source: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the part of each portion in the mean loss of a batch, for each walk."""
        for drawn in portions:
            with torch.no_grad():
                before = course.render(drawn, drawn.codes).images
            for name, walk in zip(self.config.edits, walks, strict=True):
                amounts = _amounts(len(before), source, before.device)
                yield _loss(course, drawn, before, name, walk, amounts).sum() / self.config.batch

    @torch.no_grad()
    def _measure(self, course: Course, name: EditName, walk: Tensor) -> dict[str, float | int]:
        """Return the facts of a walk, from held-out samples."""
        source, losses, without = numbers(course.seed), [], []
        for drawn in course.draws(HELD_OUT, 0, Stream.VALIDATION):
            before = course.render(drawn, drawn.codes).images
            amounts = _amounts(len(before), source, before.device)
            losses.append(_loss(course, drawn, before, name, walk, amounts))
            without.append(_masked_square(before, before, name, amounts))
        loss, nothing = float(torch.cat(losses).mean()), float(torch.cat(without).mean())
        return {
            "explained": round(1.0 - loss / nothing, 4) if nothing > ROUNDING else 0.0,
            "loss": round(loss, 8),
            "loss_without": round(nothing, 8),
            "length": round(float(walk.norm()), 4),
            "steps": self.config.steps,
        }


def _amounts(n: int, source: torch.Generator, device: torch.device) -> Tensor:
    """Draw amounts (n,), uniform in [-1, 1]."""
    return (2.0 * torch.rand(n, generator=source) - 1.0).to(device)


def _loss(
    course: Course, drawn: Drawn, before: Tensor, name: EditName, walk: Tensor, amounts: Tensor
) -> Tensor:
    """Return the loss (n,) of a walk (D,) from samples with the pictures `before`."""
    after = course.render(drawn, course.moved(drawn.codes, walk, course.spread * amounts)).images
    return _masked_square(after, before, name, amounts)


def _masked_square(after: Tensor, before: Tensor, name: EditName, amounts: Tensor) -> Tensor:
    """Return the mean square (n,) of what pictures differ from the edit of `before`, where it is defined."""
    target = edited(before, name, amounts)
    error = (target.defined * (after - target.images)).square().flatten(1).sum(dim=1)
    return error / target.defined.flatten(1).sum(dim=1).clamp(min=1.0)
