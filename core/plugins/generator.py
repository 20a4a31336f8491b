"""Define the contract of generators.

Shapes: N samples, L layers, D code size, Z latent size, C_s style channels of stratum s.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..randomness import Stream, Use, normals
from .base import ConfigT, Plugin
from .checked_methods import checked_broadcast, checked_map, checked_sample
from .config_contents import canonical_text
from .held_tensors import parameters_of
from .prior_codes import PriorCode
from .records import Inputs, Latents, Match, ModelCard, State, Stratum
from .shapes import check_shape

if TYPE_CHECKING:
    from ..checkpoints import Part
    from ..checkpoints.detect import Examined


class Generator(Plugin[ConfigT]):
    """Represent a pretrained network as a stack of strata, which the core runs one after the other.

    A subclass must define `card`, `strata`, `stratum` and `finish`. By default the prior is normal, there is
    no mapping network and no condition, and w is copied to every layer.

    Attributes:
        card: the network's identity and sizes.
        strata: the network's strata, first to last.
        prior_codes: coordinates of z with a meaning of their own, as InfoGAN has them; none by default.
        judges_range: whether to check the range of the first pictures when the generator is built. False if
            the range is known from the architecture, or lies far outside [0, 1] by design.
    """

    noun = "generator"
    relief = "give a smaller synthesis.batch_size, fewer engine.workers, or another device"
    guarded = (
        "card", "strata", "fingerprint", "space", "layer_scale", "groups", "sample", "map", "broadcast",
        "begin", "stratum", "finish", "style", "style_weights", "prior_codes", "noise_map", "tunable",
        "classes",
    )  # fmt: skip
    card: ModelCard
    strata: tuple[Stratum, ...]
    prior_codes: tuple[PriorCode, ...] = ()
    judges_range: bool = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap sample(), map() and broadcast(), so that their results are checked."""
        super().__init_subclass__(**kwargs)
        for name, checked in (
            ("sample", checked_sample),
            ("map", checked_map),
            ("broadcast", checked_broadcast),
        ):
            if name in cls.__dict__:
                setattr(cls, name, checked(cls.__dict__[name]))

    @cached_property
    def fingerprint(self) -> str:
        """Identifier of the latent space, 16 hex digits. A boundary fits only generators with its own."""
        checkpoint = (
            self.card.weights
            or self.card.sha256
            or f"{type(self).__module__}.{type(self).__qualname__} {canonical_text(self.config)}"
        )
        return hashlib.sha256(f"{self.card.family} {checkpoint}".encode()).hexdigest()[:16]

    @property
    def space(self) -> str:
        """Return the space of the codes that map() returns, "w", or "z" without a mapping network."""
        return "z" if type(self).map is Generator.map else "w"

    @property
    def classes(self) -> int:
        """Return the number Y of classes, if a condition may also be weights of them (N, Y). Default: 0."""
        return 0

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """Return the factors (L,) by which truncation shrinks a step in w at each layer; 1 without it."""
        return np.ones(self.card.layers, dtype=np.float32)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Layers of each named group, bottom to top; None for the default cuts at 1/7, 3/7 and 6/7 of L."""
        return None

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw samples start .. start + n - 1 of a stream; each depends on (seed, stream, its index) only."""
        z = normals(seed, stream, Use.LATENT, range(start, start + n), self.card.latent_size)
        return Latents(sent(z, self.device), None, torch.arange(start, start + n))

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map latents z (N, Z) to w (N, D). Default: w = z.

        Raises:
            ShapeError: z or the result has another shape; also in subclasses.
        """
        check_shape(z, "N Z", where="z passed to map", Z=self.card.latent_size)
        return z

    def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """Expand w (N, D) to codes (N, L, D), with truncation if there is any. Default: a copy per layer.

        The condition is that of the samples, which the mean of a truncation may depend on. It is passed by
        keyword to a plugin whose method has an argument of the name `condition`, and to no other.

        Raises:
            ShapeError: w or the result has another shape; also in subclasses.
        """
        check_shape(w, "N D", where="w passed to broadcast", D=self.card.code_size)
        return w[:, None].expand(-1, self.card.layers, -1)

    def begin(self, inputs: Inputs) -> State:
        """Return the state before the first stratum. Default: empty."""
        return State(None)

    @abstractmethod
    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply stratum s to a state.

        Args:
            s: number of the stratum, from 0.
            state: the state before it, which must not be modified.
            code: code (N, D) of the layer that it reads; None if it reads none.
            style: style (N, C_s) to use in place of the output of its affine map.
        """

    @abstractmethod
    def finish(self, state: State) -> Tensor:
        """Return the pictures (N, C, H, W) of the last state, nominally in [0, 1].

        C is card.channels: 3 for RGB, 1 for grey, 4 for RGB with alpha (not multiplied into the colours).
        """

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Return the style (N, C_s) that the affine map of stratum s computes from codes (N, D), or None."""
        return None

    def style_weights(self, s: int) -> Tensor | None:
        """Return the weights (C_s, D) of stratum s's affine map, for closed-form factorisation, or None."""
        return None

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the noise (N or 1, 1, h, w) that stratum s adds, unscaled, or None if it adds none.

        A stratum with such noise must take that of `inputs.maps` instead, if there is any. Default: None.
        """
        return None

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """Return the tensors by name that may be tuned for a picture, as pivotal tuning does.

        Others take their place for the time of a pass, wherever an attribute of the plugin or of its modules
        holds them. So a plugin may not compute with what it made of them before, and need not be told.

        Default: the parameters of the modules that are attributes of the plugin.
        """
        return parameters_of(self)

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        """Return a Match if a checkpoint with these tensors and settings is of this plugin, else None."""
        return None

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Examine a part of a checkpoint that recognise() matched, for `model inspect` and `model convert`.

        Tensors that do not fit are listed in the result and raise no error. None means that the plugin does
        not support these commands.
        """
        return None
