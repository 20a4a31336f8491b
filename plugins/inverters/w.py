"""Refine one w."""

from __future__ import annotations

from .codes import CodeConfig, CodeSearch


class W(CodeSearch):
    """Move one w, which all layers take, by Adam through the generator.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, appendix D;
    with noise maps that move too, it is the step `noise` with `codes: w`.
    """

    class Config(CodeConfig):
        """Set steps, rate, noise and prior."""

    config: Config
    space = "w"
