"""Refine codes without leaving those that an encoder knows (in-domain inversion)."""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from ...core.inversion.encoders.chosen import ChosenEncoder
from ...core.plugins.base import owner_of
from ...core.plugins.generator import Generator
from ...core.plugins.inverter import Inversion, InversionTask
from .codes import CodeConfig, Jitter, added, prior_penalty, start_of_one_code
from .descent import Loss, Searching, Variable, descend
from .spaces import codes_standard, in_w_plus


class InDomain(Searching):
    """Move one code per layer, and keep them where an encoder finds them again in their picture.

        loss = distance + weight mean_l,d (c - E(G(c)))^2,   c and E(...) in standard units

    A code is in the domain of the generator if the encoder E, which has seen its samples, gives it back. So
    pictures are reconstructed less, and edits act on them more as on samples.

    Source: Zhu, Shen, Zhao and Zhou, "In-Domain GAN Inversion for Real Image Editing", ECCV 2020, equation 6;
    the weight is 2 there, where codes are as the network has them and pictures are in [-1, 1].
    """

    class Config(CodeConfig):
        """Set the encoder, its weight, steps and rate."""

        checkpoint: str | None = Field(
            default=None,
            description="file of the encoder, or bundled:NAME; by default the one bundled for the generator",
        )
        weight: float = Field(
            default=0.01, ge=0.0, le=1e6, description="weight of the distance from what the encoder gives"
        )

    config: Config
    step = "refine"

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self._chosen = ChosenEncoder(config.checkpoint, "in_domain", "refine with `w+`")

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without gradients, or for which there is no encoder.

        Raises:
            UserError: says what is missing.
        """
        super().check_generator(generator)
        self.checkpoint = self._chosen.of(generator).sha256

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return codes whose pictures are nearer, and which the encoder finds in them.

        Raises:
            UserError: there is no start, or no encoder, or the pictures give no gradients.
            DataError: a loss is not finite.
        """
        start = start_of_one_code(start, self)
        encoder, standard = self._chosen.of(task.generator), codes_standard(task, start)
        moved = in_w_plus(task, start)
        units, jitter = Variable(moved.units), Jitter(self.config, task)

        def loss(step: int) -> Loss:
            rendering = task.render(moved.found(jitter.added(units.value, step)))
            known = standard.units(encoder(rendering.images, start.condition))
            return Loss(task.distance(rendering), self._penalty(units.value, known))

        losses = descend(self.config, [units], loss, task.on_step, owner_of(self))
        with torch.no_grad():
            return replace(moved.found(units.value), losses=losses)

    def _penalty(self, units: Tensor, known: Tensor) -> Tensor | None:
        """Return what is added to the distance (N,), for codes and what the encoder gives, (N, L, D)."""
        return added(
            prior_penalty(units - known, self.config.weight), prior_penalty(units, self.config.prior)
        )
