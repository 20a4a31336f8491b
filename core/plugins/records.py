"""Records that travel between stages and plugins. Shapes: N samples, L layers, D code size, C concepts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

T = TypeVar("T")

LEVELS = ("layout", "category", "attribute", "colour", "object")
"""Levels of abstraction, in the order in which reports show them."""

SPACES = ("z", "w", "w+", "s")
"""Latent spaces a boundary may lie in."""


@dataclass(frozen=True)
class ModelCard:
    """What a generator is and where it comes from.

    Attributes:
        family: name of the architecture.
        resolution: of its pictures in pixels, the longer side.
        layers: L, how many layers of codes it has.
        code_size: D, numbers in the code of a layer.
        latent_size: Z, numbers in a latent z.
        licence: of the weights.
        source: where they come from, in words.
        sha256: of the checkpoint's file; empty if there is none. A run that is continued with another one is refused.
        weights: of the weights themselves, whatever file they are in (core.checkpoints.digest). The fingerprint, by which
            boundaries know their generator, is made of it; without it of sha256, and without that of the plugin's config.
        truncation: in words.
    """

    family: str
    resolution: int
    layers: int
    code_size: int
    latent_size: int
    licence: str = "unknown"
    source: str = "unknown"
    sha256: str = ""
    weights: str = ""
    truncation: str = "none"


@dataclass(frozen=True)
class Stratum:
    """One layer of the network, as the core sees it.

    Attributes:
        name: as in the network.
        reads: the layer whose code it takes, or None.
        size: of its output in pixels.
        margin: pixels beyond the picture on every side (StyleGAN3).
        is_feature: whether State.x after it is a feature map worth reading; False for ToRGB.
        style_width: how many style channels its affine gives, if it has one.
    """

    name: str
    reads: int | None
    size: int
    margin: int = 0
    is_feature: bool = True
    style_width: int | None = None


@dataclass(frozen=True)
class Latents:
    """Samples of the network's own prior: z (N, Z), condition or None, absolute index (N,)."""

    z: torch.Tensor
    condition: torch.Tensor | None
    index: torch.Tensor


@dataclass(frozen=True)
class Inputs:
    """What a pass begins with: number of samples, condition, absolute index (N,), seed of fresh noise."""

    n: int
    condition: torch.Tensor | None
    index: torch.Tensor
    noise: int = 0


@dataclass(frozen=True)
class State:
    """What flows from one stratum to the next. Every tensor has one row per sample.

    Attributes:
        x: feature map (N, C, H, W), or None before the first.
        rgb: running RGB (N, 3, H, W) of skip generators, or None.
        kept: whatever else later strata need.
    """

    x: torch.Tensor | None
    rgb: torch.Tensor | None = None
    kept: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def with_x(self, x: torch.Tensor) -> State:
        """The same state with another feature map."""
        return replace(self, x=x)


@dataclass(frozen=True)
class Concept:
    """One thing a scorer scores.

    Attributes:
        name: unique within its scorer.
        level: one of LEVELS.
        least: smallest standard deviation that counts as variation; None for raw margins, where it
            is a tenth of the median spread of the scorer's concepts.
        threshold: a score above it means "present"; None where that has no meaning.
        may_be_undefined: whether a score may be NaN.
    """

    name: str
    level: str
    least: float | None = 0.02
    threshold: float | None = 0.5
    may_be_undefined: bool = False

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"concept '{self.name}': level '{self.level}' is none of {', '.join(LEVELS)}")


class Rendering:
    """Images with the features a scorer asked for, and a store for what scorers share.

    Attributes:
        images: (N, 3, H, W), RGB, nominally in [0, 1], never clamped.
        features: State.x after the strata that were asked for, by number of the stratum.
        index: which of a run's samples these are, (N,), where they are probing samples, unedited; None
            elsewhere. What people said of pictures can only be looked up by it.
        finite: which pictures the generator made without NaN and infinity, (N,); None where all are. The
            others are grey, and have no scores.
        composed: whether the core composed the pictures, and vouches for their kind, shape and finiteness.
    """

    def __init__(
        self,
        images: torch.Tensor,
        features: Mapping[int, torch.Tensor] | None = None,
        index: torch.Tensor | None = None,
        *,
        finite: torch.Tensor | None = None,
        composed: bool = False,
    ) -> None:
        self.images = images
        self.features = dict(features or {})
        self.index, self.finite, self.composed = index, finite, composed
        self._once: dict[Hashable, Any] = {}

    def once(self, key: Hashable, function: Callable[[], T]) -> T:
        """Compute something once for all scorers; key = kind, checkpoint hash, preprocessing.

        >>> rendering, calls = Rendering(None), []
        >>> [rendering.once("features", lambda: calls.append(1) or 7) for _ in range(3)], len(calls)
        ([7, 7, 7], 1)
        """
        if key not in self._once:
            self._once[key] = function()
        result: T = self._once[key]
        return result


@dataclass(frozen=True)
class Boundary:
    """A concept's linear boundary in a latent space; n.w + b is a signed distance.

    Attributes:
        concept: the concept's id, `alias/name`.
        level: the concept's level.
        normal: unit normal (D,), or one per layer (L, D).
        offset: b, or one per layer (L,).
        space: one of SPACES.
        generator: fingerprint of the generator whose space it is.
        layers: the layers it is meant for, or None for all.
        given: concepts that the direction was made to leave alone.
        facts: training counts, accuracies and settings, for people.
    """

    concept: str
    level: str
    normal: NDArray[np.float32]
    offset: NDArray[np.float32]
    space: str
    generator: str
    layers: tuple[int, ...] | None = None
    given: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The concept, and what it is conditioned on: `a/x` or `a/x|a/y,a/z`."""
        return self.concept if not self.given else f"{self.concept}|{','.join(self.given)}"


class Boundaries(tuple[Boundary, ...]):
    """Boundaries in a fixed order, to be found by name."""

    __slots__ = ()

    def __new__(cls, boundaries: Iterable[Boundary] = ()) -> Boundaries:
        """From any boundaries, in their order."""
        return super().__new__(cls, boundaries)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(b.name for b in self)

    def of(self, name: str) -> Boundary:
        """The boundary of one concept, or of one with conditions.

        Raises:
            KeyError: there is none; the message lists those there are.
        """
        for boundary in self:
            if boundary.name == name:
                return boundary
        raise KeyError(f"no boundary for '{name}'; there are {', '.join(self.names) or 'none'}")


@dataclass(frozen=True)
class Match:
    """A generator plugin's claim that a checkpoint is its own: how sure (0 to 1), and why."""

    confidence: float
    reason: str
