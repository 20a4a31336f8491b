"""Refine with one code per layer (Image2StyleGAN)."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from ...core.plugins.base import owner_of
from ...core.plugins.inverter import Inversion, InversionTask
from .codes import Jitter, NoisyConfig, code_penalty, required_start
from .descent import Loss, Searching, Variable, descend
from .standard import standards


class WPlus(Searching):
    """Move one code per layer, by Adam through the generator.

    With the codes c_l of the layers in standard units (mean 0 and standard deviation 1 over samples),

        loss = distance + spread mean_l,d (c_l - mean_l c)^2 + prior mean_l,d c_l^2

    A code per layer reaches pictures that no sample has, and the further it goes, the less are edits worth
    that were learnt from samples: `spread` keeps the codes of the layers together, `prior` keeps them near
    the mean.
    Of a generator without w, the codes are one z per layer.

    Source: Abdal, Qin and Wonka, "Image2StyleGAN", ICCV 2019; the rate as in Karras et al. 2020, appendix D.
    """

    class Config(NoisyConfig):
        """Set steps, rate and penalties."""

        spread: float = Field(
            default=0.0,
            ge=0.0,
            le=1e6,
            description="weight of the mean squared distance of the layers' codes from their mean",
        )
        prior: float = Field(
            default=0.0,
            ge=0.0,
            le=1e6,
            description="weight of the mean squared distance of the codes from the mean of all samples",
        )

    config: Config
    step = "refine"

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return codes whose pictures are nearer.

        Raises:
            UserError: the pictures give no gradients, or there is no start.
            DataError: a loss is not finite.
        """
        start = required_start(start, self)
        standard = standards(task.generator, start.condition, task.seed).codes
        units = Variable(standard.units(start.codes))  # (N, L, D)
        jitter = Jitter(self.config, task)

        def loss(step: int) -> Loss:
            tried = replace(start, codes=standard.values(jitter.added(units.value, step)))
            distance = task.distance(task.render(tried))
            return Loss(distance, code_penalty(units.value, self.config.spread, self.config.prior))

        losses = descend(self.config, [units], loss, task.on_step, owner_of(self))
        return replace(start, codes=standard.values(units.value), latent=None, space="w+", losses=losses)
