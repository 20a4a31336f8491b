"""Refine one z."""

from __future__ import annotations

from .codes import CodeConfig, CodeSearch


class Z(CodeSearch):
    """Move one z, by Adam through the whole generator with its mapping network.

    Whatever it finds is a sample that the generator could have drawn, so it reconstructs least and edits as
    samples do. It needs a start that is made of one z, such as that of `best`.
    """

    class Config(CodeConfig):
        """Set steps, rate, noise and prior."""

    config: Config
    space = "z"
