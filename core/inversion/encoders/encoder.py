"""Hold a trained encoder: its network, the unit of its codes, their generator, facts of its training.

Shapes: N pictures of H x W pixels, L layers, D code size, R rows of codes, V numbers in a row, Y classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from ...device import sent
from ...errors import MismatchError
from ...plugins.base import owner_of
from ...plugins.generator import Generator
from ...plugins.shapes import check_shape
from ...semantics.extractor import MadeFor
from ...strata.code_spaces import CodeSpace
from .network import Architecture, Encoded, Network


class PictureEncoder(Protocol):
    """Answer pictures with codes of one generator, whoever trained the network."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file of the network; "" if it was read from none."""
        ...

    def __call__(self, pictures: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return codes (N, L, D) of pictures (N, 3, H, W) in [0, 1], with gradients if switched on.

        `condition` is that of the pictures, where it is known.
        """
        ...

    def condition(self, pictures: Tensor) -> Tensor | None:
        """Return the class (N,) of each picture, or None for a generator without classes."""
        ...

    def latent(self, pictures: Tensor) -> tuple[Tensor, Literal["z", "w"]] | None:
        """Return the z (N, Z) or w (N, D) of which all layers' codes are made, if they are made of one."""
        ...


@dataclass(frozen=True)
class Encoder:
    """Hold a trained encoder.

    Attributes:
        architecture: of the network.
        network: maps pictures (N, 3, H, W) in [0, 1] to codes in standard units.
        mean: mean of w (V,) in these units; None in spaces of z.
        sd: standard deviation of each entry of w (V,).
        made_for: the generator of the codes.
        classes: numbers of the classes that it tells; empty without.
        facts: how it was trained, and measured quality: plain data for reports.
        sha256: SHA-256 of the file that it was read from; "" if it was read from none.
    """

    architecture: Architecture
    network: Network
    mean: Tensor | None
    sd: Tensor | None
    made_for: MadeFor
    classes: tuple[int, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def check_generator(self, generator: Generator, source: str = "the encoder") -> None:
        """Refuse a generator other than the one of the codes.

        Args:
            generator: the generator.
            source: the encoder's file, for messages.

        Raises:
            MismatchError: it is another; the message names what differs.
        """
        if generator.fingerprint != self.made_for.fingerprint:
            raise MismatchError(
                f"{source} was trained for another generator than {owner_of(generator)}: "
                f"{'; '.join(self.made_for.differences(generator)[:3])}. "
                "Train one for this generator with `ganstrata encoder train`"
            )

    def for_generator(self, generator: Generator, source: str = "the encoder") -> FittedEncoder:
        """Return the encoder as a function of pictures.

        Raises:
            MismatchError: it is of another generator.
        """
        self.check_generator(generator, source)
        return FittedEncoder(self, generator)


@dataclass(frozen=True)
class FittedEncoder:
    """Answer pictures with codes of a generator.

    Attributes:
        encoder: the encoder.
        generator: the generator that it is for, built.
    """

    encoder: Encoder
    generator: Generator

    @property
    def sha256(self) -> str:
        """SHA-256 of the encoder's file; "" if it was read from none."""
        return self.encoder.sha256

    def variables(self, pictures: Tensor) -> Tensor:
        """Return codes (N, R, V) in standard units of pictures (N, 3, H, W) in [0, 1]."""
        a = self.encoder.architecture
        check_shape(pictures, "N 3 H W", where="pictures passed to an encoder", H=a.height, W=a.width)
        encoded: Encoded = self.encoder.network(pictures)
        return encoded.variables()

    def space(self, condition: Tensor | None = None) -> CodeSpace:
        """Return the space of the codes."""
        encoder = self.encoder
        mean, sd = (
            None if part is None else part.to(self.generator.device) for part in (encoder.mean, encoder.sd)
        )
        return CodeSpace(self.generator, encoder.architecture.space, condition, mean, sd)

    def __call__(self, pictures: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return codes (N, L, D) of pictures (N, 3, H, W) in [0, 1], with gradients if switched on.

        Args:
            pictures: of the generator's size.
            condition: of the pictures; None for what the network tells.

        Raises:
            ShapeError: the pictures have another shape.
        """
        if condition is None:
            condition = self.condition(pictures)
        return self.space(condition).codes(self.variables(pictures))

    @torch.no_grad()
    def condition(self, pictures: Tensor) -> Tensor | None:
        """Return the likeliest class (N,) of each picture; None without classes."""
        if not self.encoder.classes:
            return None
        logits = self.encoder.network(pictures).classes  # (N, Y)
        return sent(torch.tensor(self.encoder.classes), logits.device)[logits.argmax(1)]

    def latent(self, pictures: Tensor) -> tuple[Tensor, Literal["z", "w"]] | None:
        """Return z (N, Z) or w (N, D) of pictures if the space has one code per picture, else None."""
        if self.encoder.architecture.space not in ("z", "w"):
            return None
        space, values = self.space(), self.variables(pictures)[:, 0]
        if space.mean is None or space.sd is None:
            return values, "z"
        return space.mean + space.sd * values, "w"
