"""Begin with several codes for each picture (mGANprior)."""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.generator import Generator
from ...core.plugins.inverter import Inversion, InversionTask, Mixture
from ...core.randomness import Stream
from ...core.strata.composition import Pass
from ...core.strata.mixtures import check_stratum
from .conditions import required
from .descent import Loss, SearchConfig, Searching, Variable, descend
from .standard import standards


class MultiCode(Searching):
    """Move several codes and the weights with which their feature maps are added, channel by channel.

        picture = G_2(sum over k of a_k G_1(c_k)),   G_1 the strata up to one, G_2 those after it

    The strata after it read the mean of the codes. Codes begin with K samples, the same for all pictures, and
    weights with 1/K. It reconstructs more than one code can, and the earlier the stratum, the more of the
    generator is left to say what pictures look like; edits act on all K codes at once, or on the layers after
    the stratum.

    Source: Gu, Shen and Zhou, "Image Processing Using Multi-Code GAN Prior", CVPR 2020. Different here: Adam
    where the code has SGD, and codes are one per layer in a generator of several layers.
    """

    class Config(SearchConfig):
        """Set how many codes, where they are added, steps and rate."""

        codes: int = Field(default=10, ge=1, le=1000, description="of each picture; the paper: 20 or 30")
        stratum: int | None = Field(
            default=None,
            ge=0,
            description="number of the stratum after which feature maps are added; by default the one in the "
            "middle of those that have one",
        )

    config: Config
    step = "embed"

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without gradients, or without a feature map after the stratum.

        Raises:
            UserError: it is one.
        """
        super().check_generator(generator)
        check_stratum(generator, self._stratum(generator))

    def _stratum(self, generator: Generator) -> int:
        """Return the stratum after which feature maps are added."""
        if self.config.stratum is not None:
            return self.config.stratum
        fit = [s for s, one in enumerate(generator.strata[:-1]) if one.is_feature]
        if not fit:
            raise UserError(
                f"{owner_of(generator)} has one stratum, so there is none after which codes could be mixed"
            )
        return fit[len(fit) // 2]

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return codes and weights whose pictures are nearest.

        Raises:
            UserError: the generator needs a class, and none was given, or the pictures give no gradients.
            DataError: a loss is not finite.
        """
        generator, n, count = task.generator, len(task.pictures), self.config.codes
        condition, stratum = required(task, "multi_code"), self._stratum(generator)
        standard = standards(generator, condition, task.seed).codes  # (1 or N, L, D)
        with torch.no_grad():
            first = self._samples(generator, condition, n, task.seed)  # (N, K, L, D)
            units = Variable((first - standard.mean[:, None]) / standard.sd[:, None])
            channels = self._channels(generator, first[:1, 0], condition, stratum)
        weights = Variable(
            torch.full((n, count, channels), 1.0 / count, device=generator.device), 1.0 / count
        )

        def found() -> Inversion:
            codes = standard.mean[:, None] + standard.sd[:, None] * units.value
            return Inversion(codes.mean(dim=1), condition, mixture=Mixture(codes, weights.value, stratum))

        def loss(step: int) -> Loss:
            return Loss(task.distance(task.render(found())))

        losses = descend(self.config, [units, weights], loss, task.on_step, owner_of(self))
        with torch.no_grad():
            return replace(found(), losses=losses)

    def _samples(self, generator: Generator, condition: Tensor | None, n: int, seed: int) -> Tensor:
        """Return codes (N, K, L, D) of the same K samples for N pictures, each with its condition."""
        z = generator.sample(self.config.codes, seed, 0, Stream.LEARNING).z  # (K, Z)
        if condition is None:
            return generator.broadcast(generator.map(z)).expand(n, -1, -1, -1).clone()
        repeated = [condition[i : i + 1].expand(len(z), *condition.shape[1:]) for i in range(n)]
        return torch.stack([generator.broadcast(generator.map(z, each), each) for each in repeated])

    @staticmethod
    def _channels(generator: Generator, codes: Tensor, condition: Tensor | None, stratum: int) -> int:
        """Return the channels of the feature map after a stratum, counted in a pass of codes (1, L, D)."""
        first = None if condition is None else condition[:1]
        made = Pass(generator, codes, condition=first, features=(stratum,)).rendering
        return made.features[stratum].shape[1]
