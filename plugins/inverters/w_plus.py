"""Refine with one code per layer (Image2StyleGAN)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from .codes import CodeConfig, CodeSearch, added, prior_penalty, spread_penalty


class WPlusConfig(CodeConfig):
    """Set steps, rate, noise and penalties."""

    spread: float = Field(
        default=0.0,
        ge=0.0,
        le=1e6,
        description="weight of the mean squared distance of the layers' codes from their mean, in standard "
        "deviations",
    )


class WPlus(CodeSearch):
    """Move one code per layer, by Adam through the generator.

    With the codes c_l of the layers in standard units (mean 0 and standard deviation 1 over samples),

        loss = distance + spread mean_l,d (c_l - mean_l c)^2 + prior mean_l,d c_l^2

    A code per layer reaches pictures that no sample has, and the further it goes, the less are edits worth
    that were learnt from samples: `spread` keeps the codes of the layers together, `prior` keeps them near
    the mean. Of a generator without w, the codes are one z per layer.

    Source: Abdal, Qin and Wonka, "Image2StyleGAN", ICCV 2019; the rate as in Karras et al. 2020, appendix D.
    """

    class Config(WPlusConfig):
        """Set steps, rate, noise and penalties."""

    config: Config
    space = "w+"

    def penalty(self, units: Tensor) -> Tensor | None:
        """Return what is added to the distance (N,); None for nothing."""
        return added(prior_penalty(units, self.config.prior), spread_penalty(units, self.config.spread))
