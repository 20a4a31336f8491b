"""Define the records that stages and plugins exchange.

Shapes: N samples, L layers, D code size, Z latent size, C concepts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import UserError, nearest
from ..messages import listed, visible

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from .contracts import Generator

T = TypeVar("T")

LEVELS = ("layout", "category", "attribute", "colour", "object")
"""Levels of abstraction, in the order in which reports show them."""

UNKNOWN = "unknown"
SPACES = ("z", "w", "w+", "s")
"""Latent spaces in which a boundary may lie."""
STYLES = "s"
"""The space of style channels, where edits move styles and not codes."""


@dataclass(frozen=True)
class ModelCard:
    """Describe a generator, its sizes and its origin.

    Attributes:
        family: name of the architecture.
        resolution: longer side of its pictures in pixels.
        layers: number of layers L that take a code.
        code_size: length D of the code of a layer.
        latent_size: length Z of a latent z.
        licence: licence of the weights.
        source: origin of the weights, such as a file; reports have it in their title, or else the family.
        sha256: hash of the checkpoint file; empty without one. A run cannot be continued with another file.
        weights: hash of the weights, independent of the file format. The
            generator's fingerprint is made from it, or else from sha256, or else from the plugin's config.
        truncation: the truncation applied, in words.
        height: height of its pictures in pixels; 0 for `resolution`.
        width: width of its pictures in pixels; 0 for `resolution`.
        channels: channels of its pictures: 1 (grey), 3 (RGB) or 4 (RGB with alpha).
        background: colour "#rrggbb" on which pictures with alpha are composited for scorers.
        assumptions: sentences on what was stripped, ignored, converted, made up or assumed to read the
            checkpoint. No stored number depends on them: what they tell of is in `weights` and the config.

    >>> ModelCard("stylegan2", 32, layers=8, code_size=64, latent_size=64, width=16).size_in_words
    '32 x 16 px (height x width)'
    """

    family: str
    resolution: int
    layers: int
    code_size: int
    latent_size: int
    licence: str = "unknown"
    source: str = UNKNOWN
    sha256: str = ""
    weights: str = ""
    truncation: str = "none"
    height: int = 0
    width: int = 0
    channels: int = 3
    background: str = "#ffffff"
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A card that names no side says only how long the longer one is.
        object.__setattr__(self, "_names_sides", (self.height, self.width) != (0, 0))
        for side in ("height", "width"):
            if getattr(self, side) == 0 and not isinstance(getattr(self, side), bool):
                object.__setattr__(self, side, self.resolution)

    @property
    def names_sides(self) -> bool:
        """Whether height or width was given when the card was made."""
        return bool(vars(self)["_names_sides"])

    @property
    def size_in_words(self) -> str:
        """Return the size of the pictures as `64 px` or `1024 x 512 px (height x width)`."""
        return size_in_words(self.resolution, self.height, self.width)

    @property
    def scored_as(self) -> str:
        """Rule by which the core turns the pictures into RGB for scorers, in words."""
        return colours_in_words(self.channels, self.background)


def size_in_words(resolution: int, height: int, width: int, unit: str = "px") -> str:
    """Describe the size of pictures; `height` and `width` are 0 where only the longer side is known.

    >>> size_in_words(1024, 1024, 512), size_in_words(64, 64, 64), size_in_words(64, 0, 0)
    ('1024 x 512 px (height x width)', '64 px', '64 px')
    """
    return f"{resolution} {unit}" if height == width else f"{height} x {width} {unit} (height x width)"


def colours_in_words(channels: int, background: str) -> str:
    """Describe how pictures of 1, 3 or 4 channels become RGB for scorers; see colours.to_rgb.

    >>> colours_in_words(4, "#ffffff")
    'RGB with alpha, composited on #ffffff for scorers'
    """
    return {
        1: "grey, repeated in red, green and blue for scorers",
        4: f"RGB with alpha, composited on {background} for scorers",
    }.get(channels, "RGB")


@dataclass(frozen=True)
class Stratum:
    """Describe one step of the network, usually a convolution with its style.

    Attributes:
        name: name of the module in the network.
        reads: number of the layer whose code it takes, or None.
        size: width of its output in pixels.
        margin: pixels of its output beyond the picture on every side (StyleGAN3).
        is_feature: whether State.x after it is a useful feature map; False for ToRGB.
        style_width: number of style channels of its affine map, or None without one.
        height: height of its output in pixels; 0 for `size`.
    """

    name: str
    reads: int | None
    size: int
    margin: int = 0
    is_feature: bool = True
    style_width: int | None = None
    height: int = 0

    def __post_init__(self) -> None:
        if self.height == 0 and not isinstance(self.height, bool):
            object.__setattr__(self, "height", self.size)


@dataclass(frozen=True)
class Latents:
    """Samples of the network's prior.

    Attributes:
        z: latents (N, Z).
        condition: a row per sample (N, ...), such as class labels (N,) or weights of classes (N, K), or None.
            Its shape but for N and its type must be the same in every call.
        index: indices of the samples in their stream, (N,).
    """

    z: torch.Tensor
    condition: torch.Tensor | None
    index: torch.Tensor


@dataclass(frozen=True)
class Inputs:
    """Inputs of a pass besides the codes.

    Attributes:
        n: number of samples.
        condition: conditions (N, ...), or None.
        index: indices of the samples in their stream, (N,).
        noise: seed of fresh noise, for `ganstrata.normals`.
    """

    n: int
    condition: torch.Tensor | None
    index: torch.Tensor
    noise: int = 0


@dataclass(frozen=True)
class State:
    """State between two strata. Every tensor has one row per sample.

    Attributes:
        x: feature map (N, C, H, W), or None before the first stratum.
        rgb: accumulated picture (N, C, H, W), C channels, of generators with skip connections, or None.
        kept: further tensors that later strata need, by name.
    """

    x: torch.Tensor | None
    rgb: torch.Tensor | None = None
    kept: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def with_x(self, x: torch.Tensor) -> State:
        """Return the state with another feature map."""
        return replace(self, x=x)


@dataclass(frozen=True)
class Concept:
    """One quantity that a scorer scores.

    Attributes:
        name: name, unique within its scorer.
        level: level of abstraction, one of LEVELS.
        least: smallest standard deviation that counts as variation. None for raw margins: a tenth of the
            median standard deviation of the scorer's concepts.
        threshold: score above which the concept is present; None if that has no meaning.
        may_be_undefined: whether a score may be NaN.
    """

    name: str
    level: str
    least: float | None = 0.02
    threshold: float | None = 0.5
    may_be_undefined: bool = False

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"concept '{self.name}': level '{self.level}' is not one of {', '.join(LEVELS)}")


class Rendering:
    """Images with the feature maps that scorers read, and a cache that scorers share.

    Attributes:
        images: pictures (N, 3, H, W), RGB, nominally in [0, 1], never clamped: what scorers read.
        pictures: the generator's own pictures (N, C, H, W), grey or with alpha; `images` if they are RGB.
        features: State.x after the strata that scorers read, by number of the stratum.
        index: indices of the samples, (N,), if they are unedited probing samples; else None. The scorer
            `table` looks scores up by it.
        finite: which pictures are finite, (N,); None if all are. The others are replaced by grey pictures and
            have no scores.
        composed: whether the core made the pictures, so that their type, shape and finiteness are known.
    """

    def __init__(
        self,
        images: torch.Tensor,
        features: Mapping[int, torch.Tensor] | None = None,
        index: torch.Tensor | None = None,
        *,
        finite: torch.Tensor | None = None,
        composed: bool = False,
        pictures: torch.Tensor | None = None,
    ) -> None:
        self.images = images
        self.pictures = images if pictures is None else pictures
        self.features = dict(features or {})
        self.index, self.finite, self.composed = index, finite, composed
        self._once: dict[Hashable, Any] = {}

    def once(self, key: Hashable, function: Callable[[], T]) -> T:
        """Return a value that is computed once for all scorers.

        Args:
            key: identifies the value: its kind, the hash of the checkpoint, the preprocessing.
            function: computes the value if the key is new.

        >>> rendering, calls = Rendering(None), []
        >>> [rendering.once("features", lambda: calls.append(1) or 7) for _ in range(3)], len(calls)
        ([7, 7, 7], 1)
        """
        if key not in self._once:
            self._once[key] = function()
        result: T = self._once[key]
        return result


@dataclass(frozen=True)
class StatedAccuracy:
    """Represent how right a segmenter's labels are where true labels are known, as its makers measured it.

    Attributes:
        measured_on: the pictures, in words.
        pixel_accuracy: share of pixels that have the true label.
        iou: IoU of each class, by name, over the pixels of all pictures.

    >>> StatedAccuracy("500 photographs", 0.9, {"bed": 0.75, "wall": 1.0}).mean_iou
    0.875
    """

    measured_on: str
    pixel_accuracy: float
    iou: Mapping[str, float] = field(repr=False)

    @property
    def mean_iou(self) -> float:
        """Mean of the IoU over classes."""
        return sum(self.iou.values()) / len(self.iou)


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
        """Return the vector to which directions that keep the concept are orthogonal: slope or normal."""
        return self.normal if self.slope is None else self.slope

    @property
    def unconditional_name(self) -> str:
        """Return the name without conditions: the direction's own, or else the concept."""
        return self.direction or self.concept

    @property
    def name(self) -> str:
        """Return the name with the concepts it is conditioned on, as `a/x` or `a/x|a/y,a/z`."""
        name = self.unconditional_name
        return name if not self.given else f"{name}|{','.join(self.given)}"


class Boundaries(tuple[Boundary, ...]):
    """Boundaries in a fixed order, with access by name."""

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


@dataclass(frozen=True)
class Match:
    """A plugin's claim that it can read a checkpoint.

    Attributes:
        confidence: from 0 to 1.
        reason: why, in words.
    """

    confidence: float
    reason: str
