"""Define the boundary of a concept, and directions found without labels, which are boundaries too.

Shapes: L layers, D code size, S style channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError, nearest
from ..messages import listed, visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .generator import Generator

SPACES = ("z", "w", "w+", "s")
"""Latent spaces in which a boundary may lie."""
STYLES = "s"
"""The space of style channels, where edits move styles and not codes."""


@dataclass(frozen=True)
class Boundary:
    """Represent the hyperplane of a concept in a latent space. n.w + b is the signed distance of w from it.

    A direction that was found without labels is one too, with a name of its own: see `unlabelled`.

    Attributes:
        concept: id of the concept, `alias/name`. That of a direction found without labels is its target, the
            concept whose scores correlate best with the distances of the samples; empty until that is known.
        level: level of the concept; empty without a concept.
        normal: unit normal n (D,), one per layer (L, D), or in s (S,).
        offset: offset b, or one per layer (L,).
        space: latent space, one of SPACES.
        generator: fingerprint of the generator.
        layers: layers to edit, or None for all.
        given: names of the concepts on which the direction is conditioned, so that it leaves them unchanged.
        facts: training counts, accuracies and settings, for reports.
        direction: the own name of a direction that was found without labels, such as `sefa/0`; else empty.
        slope: unit vector of the shape of the normal along which the learner found that the concept rises,
            where the normal is another one; None where it is the normal. What keeps the concept is orthogonal
            to it.
    """

    concept: str
    level: str
    normal: NDArray[np.float32] = field(repr=False)
    offset: NDArray[np.float32] = field(repr=False)
    space: str
    generator: str
    layers: tuple[int, ...] | None = None
    given: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    direction: str = ""
    slope: NDArray[np.float32] | None = field(default=None, repr=False)

    @classmethod
    def unlabelled(
        cls,
        name: str,
        normal: NDArray[np.floating],
        generator: Generator,
        *,
        offset: float | NDArray[np.floating] = 0.0,
        space: str | None = None,
        layers: Iterable[int] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Boundary:
        """Create a direction that was found without labels, from a vector of any length but 0.

        Stage `learn` gives it a target: the concept whose scores correlate best with the distances n.w + b of
        the probing samples. It turns the direction round if that correlation is negative.

        Args:
            name: name of the direction, such as `sefa/0`.
            normal: vector (D,), or one per layer (L, D); it is divided by its length.
            generator: the generator in whose latent space the direction lies.
            offset: b, or one per layer (L,), for the given length of the vector. 0 by default.
            space: latent space; None for that of the generator's codes, or w+ for a vector per layer.
            layers: layers that the direction moves; None for all.
            facts: numbers and settings, for reports.

        Raises:
            ValueError: a vector is 0 or not finite.
        """
        vectors = np.asarray(normal, dtype=np.float64)
        lengths = np.linalg.norm(vectors, axis=-1)
        if not np.isfinite(lengths).all() or not np.all(lengths > 0.0):
            raise ValueError(f"the direction '{name}' has a vector that is 0 or not finite")
        chosen = None if layers is None else tuple(sorted({int(layer) for layer in layers}))
        return cls(
            concept="",
            level="",
            normal=(vectors / lengths[..., None]).astype(np.float32),
            offset=np.asarray(np.asarray(offset) / lengths, dtype=np.float32),
            space=space or ("w+" if vectors.ndim == 2 else generator.space),
            generator=generator.fingerprint,
            layers=chosen,
            facts=dict(facts or {}),
            direction=name,
        )

    @property
    def to_keep(self) -> NDArray[np.float32]:
        """Return the slope or else the normal, to which directions that keep the concept are orthogonal."""
        return self.normal if self.slope is None else self.slope

    @property
    def unconditional_name(self) -> str:
        """Return the direction's own name or else the concept, without conditions."""
        return self.direction or self.concept

    @property
    def name(self) -> str:
        """Return the name with the concepts it is conditioned on, as `a/x` or `a/x|a/y,a/z`."""
        name = self.unconditional_name
        return name if not self.given else f"{name}|{','.join(self.given)}"


class Boundaries(tuple[Boundary, ...]):
    """Hold boundaries in a fixed order, with access by name."""

    __slots__ = ()

    def __new__(cls, boundaries: Iterable[Boundary] = ()) -> Boundaries:
        """Create from an iterable of boundaries."""
        return super().__new__(cls, boundaries)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the boundaries, in order."""
        return tuple(b.name for b in self)

    def of(self, name: str) -> Boundary:
        """Return the boundary with this name.

        Raises:
            UserError: there is none; the message lists the names.
        """
        for boundary in self:
            if boundary.name == name:
                return boundary
        raise UserError(
            f"no boundary for '{visible(name)}'.{nearest(name, self.names)} "
            f"There are {', '.join(self.names) or 'none'}"
        )

    def __repr__(self) -> str:
        """Return the number of boundaries and their first names, not the normals."""
        return f"{type(self).__name__}({len(self)}: {listed(self.names)})"
