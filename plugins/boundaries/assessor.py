"""Find the direction that raises a concept of any scorer, by following its gradient (GANalyze)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ...core.device import sent
from ...core.errors import ConfigError, DataError, Fault, UserError, nearest
from ...core.messages import listed, visible
from ...core.plugins.base import owner_of
from ...core.plugins.generator import Generator
from ...core.probing.samples import scored_generator
from ...core.randomness import Stream
from .nested import UsedScorer, built_scorer
from .training import Course, Descent, Drawn, TrainedLearner, numbers
from .unlabelled import Direction, Layers

START = 0.01  # standard deviation of the entries of a direction before the training, in spreads of w
MEASURED = 128  # samples that give the mean and the spread of scores, and as many held out
LEAST = 1e-6  # standard deviation of scores, relative to their size, below which they are constant
FAR = 2.0  # largest change of a score that is asked for, in its standard deviations


class Assessor(TrainedLearner):
    """Train for each concept the direction along which its score changes by what is asked.

    For a code w and an amount a, uniform in [-2, 2], the direction v minimises the mean of
    (A(G(T(w, a))) - (A(G(w)) + a))^2, where A is the score in its standard deviations and

        T(w, a) = m + |w - m| u / |u|        with u = w - m + a s_w v

    m is the mean of w (0 in z), s_w its spread. So a moved code is as far from the mean as before, each
    sample by itself. Samples whose score is undefined are left out. The fact `explained` is 1 - loss / loss
    without a direction, on held-out samples.

    Source: Goetschalckx, Andonian, Oliva and Isola, "GANalyze: toward visual definitions of cognitive image
    properties", ICCV 2019. Different here: any scorer is the assessor; amounts are in
    standard deviations of its score and not in [-0.5, 0.5] of a score between 0 and 1; codes keep their
    distance from the mean, which is their norm in z; a direction for all classes; rates fall to 0. The
    published code divides by the norm of the whole batch, where the paper has one norm per sample.
    """

    class Config(Layers):
        """Set the scorer, the concepts, the layers that directions move, and the training."""

        scorer: UsedScorer = Field(
            examples=[{"use": "hue", "with": {"soft": True}}],
            description="any scorer whose scores have gradients, with its config: {use: ..., with: {...}}",
        )
        concepts: tuple[str, ...] = Field(
            min_length=1, examples=[["red"]], description="names of its concepts, each for a direction"
        )
        steps: int = Field(
            default=200, ge=1, le=10_000_000, description="of the training; the paper: 100,000"
        )
        batch: int = Field(default=16, ge=1, le=65_536, description="samples in a step; the paper: 4")
        rate: float = Field(default=0.01, gt=0.0, le=10.0, description="of Adam; the paper: 0.0002")

        @field_validator("concepts")
        @classmethod
        def _check_concepts(cls, concepts: tuple[str, ...]) -> tuple[str, ...]:
            if len(set(concepts)) < len(concepts):
                raise ValueError("a concept is named twice")
            return concepts

    config: Config
    method = "assessor"

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.scorer = built_scorer(config.scorer, device)
        self.checkpoint, self.packages = self.scorer.checkpoint, self.scorer.packages
        names = [concept.name for concept in self.scorer.concepts]
        faults = [
            Fault(
                ("concepts", i),
                f"{owner_of(self.scorer)} has no concept '{visible(name)}'.{nearest(name, names)} "
                f"There are {listed(names, 20)}",
            )
            for i, name in enumerate(config.concepts)
            if name not in names
        ]
        if faults:
            raise ConfigError("config of boundary 'assessor'", faults)
        self._columns = [names.index(name) for name in config.concepts]

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator that the scorer does not fit, or without the layers of the config.

        Raises:
            UserError: the scorer refuses it, or reads feature maps that it does not have.
            LayerError: a layer does not exist.
        """
        super().check_generator(generator)
        scored_generator(generator, self.scorer, seed=0, batch=1)  # which checks that they fit

    def train(self, course: Course) -> Iterator[Direction]:
        """Return assessor/CONCEPT for each concept, in the order of the config."""
        course = replace(course, features=self.scorer.features)
        means, deviations = self._statistics(course)  # (K,) each
        count, source = len(self._columns), numbers(course.seed)
        first = START * torch.randn(count, course.generator.card.code_size, generator=source)
        directions = [v.to(course.generator.device).requires_grad_() for v in first]  # (D,) each
        descent = Descent(course, [(directions, self.config.rate)], self.config.steps)
        for step in range(self.config.steps):
            portions = course.draws(self.config.batch, step * self.config.batch, Stream.LEARNING)
            descent.take(
                loss.sum() / self.config.batch
                for drawn in portions
                for loss, _ in self._losses(course, directions, drawn, deviations, source)
            )
        losses, without = self._held_out(course, directions, deviations)
        for k, (name, v) in enumerate(zip(self.config.concepts, directions, strict=True)):
            facts = {
                "explained": round(1.0 - losses[k] / without[k], 4),
                "loss": round(losses[k], 4),
                "loss_without": round(without[k], 4),
                "score_mean": round(float(means[k]), 6),
                "score_sd": round(float(deviations[k]), 6),
                "length": round(float(v.detach().norm()), 4),
                "steps": self.config.steps,
            }
            yield Direction(name, v.detach().double().cpu().numpy(), facts)

    @torch.no_grad()
    def _statistics(self, course: Course) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the scores (K,) over samples where they are defined.

        Raises:
            DataError: a score is the same for all samples, or undefined for nearly all.
        """
        scores = torch.cat(
            [self._scores(course, drawn, drawn.codes) for drawn in course.draws(MEASURED, 0, Stream.LEARNING)]
        )
        course.settle()
        known = ~scores.isnan()
        count = known.sum(dim=0)  # (K,)
        mean = torch.where(known, scores, 0.0).sum(dim=0) / count.clamp(min=1)
        square = torch.where(known, scores - mean, 0.0).square().sum(dim=0) / (count - 1).clamp(min=1)
        deviation = square.sqrt()
        varies = (count > 1) & (deviation > LEAST * mean.abs().clamp(min=LEAST))
        if not bool(varies.all()):
            name = self.config.concepts[varies.tolist().index(False)]
            raise DataError(
                f"the score '{name}' of {owner_of(self.scorer)} is constant or undefined in {MEASURED} "
                "samples, so no direction can raise it; name another concept"
            )
        return mean, deviation

    def _losses(
        self,
        course: Course,
        directions: list[Tensor],
        drawn: Drawn,
        deviations: Tensor,
        source: torch.Generator,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield for each direction the losses (n,) of samples, and those without it.

        Raises:
            UserError: the scorer passes no gradients.
        """
        with torch.no_grad():
            before = self._scores(course, drawn, drawn.codes)  # (n, K)
        for k, v in enumerate(directions):
            amounts = FAR * (2.0 * torch.rand(len(before), generator=source) - 1.0)
            amounts = sent(amounts.to(before.dtype), before.device)
            after = self._scores(course, drawn, _moved(course, drawn, v, amounts))[:, k]
            if torch.is_grad_enabled() and not after.requires_grad:
                raise UserError(
                    f"the scores of {owner_of(self.scorer)} have no gradients, so no direction can follow "
                    "them; take a scorer that computes in torch all the way, such as "
                    "{use: hue, with: {soft: true}}"
                )
            change = (after - before[:, k]) / deviations[k]
            known = ~change.isnan()
            # Undefined scores are replaced before the square, whose gradient would else be NaN.
            change = torch.where(known, change, amounts)
            yield (change - amounts).square(), torch.where(known, amounts, 0.0).square()

    @torch.no_grad()
    def _held_out(
        self, course: Course, directions: list[Tensor], deviations: Tensor
    ) -> tuple[list[float], list[float]]:
        """Return the mean loss of each direction on held-out samples, and that without it."""
        source = numbers(course.seed)
        losses, without = [], []
        for drawn in course.draws(MEASURED, 0, Stream.VALIDATION):
            pairs = list(self._losses(course, directions, drawn, deviations, source))
            losses.append(torch.stack([loss for loss, _ in pairs]))  # (K, n)
            without.append(torch.stack([nothing for _, nothing in pairs]))
        course.on_share(1.0)
        means = [torch.cat(rows, dim=1).mean(dim=1).clamp(min=1e-12) for rows in (losses, without)]
        return means[0].tolist(), means[1].tolist()

    def _scores(self, course: Course, drawn: Drawn, codes: Tensor) -> Tensor:
        """Return the scores (n, K) of the concepts, with gradients if the codes have them."""
        scores = self.scorer.score(course.render(drawn, codes))
        return scores[:, sent(torch.tensor(self._columns), scores.device)].float()


def _moved(course: Course, drawn: Drawn, direction: Tensor, amounts: Tensor) -> Tensor:
    """Return the codes (n, L, D) of samples moved by amounts (n,), as far from the mean of w as before."""
    centre = 0.0 if course.generator.space == "z" else course.codes_of_w.mean(dim=0)
    start = drawn.w - centre
    target = start + course.spread * amounts[:, None] * direction
    target = start.norm(dim=1, keepdim=True) * target / target.norm(dim=1, keepdim=True)
    return course.moved(drawn.codes, target - start, torch.ones_like(amounts))
