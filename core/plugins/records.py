"""Define the records that stages and plugins exchange.

Shapes: N samples, L layers, D code size, Z latent size, C concepts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

LEVELS = ("layout", "category", "attribute", "colour", "object")
"""Levels of abstraction, in the order in which reports show them."""

UNKNOWN = "unknown"


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
    """Hold samples of the network's prior.

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
    """Hold the inputs of a pass besides the codes.

    Attributes:
        n: number of samples.
        condition: conditions (N, ...), or None.
        index: indices of the samples in their stream, (N,).
        noise: seed of fresh noise, for `ganstrata.normals`.
        maps: stratum -> noise (N, 1, h, w) that takes the place of the generator's own, see
            `Generator.noise_map`.
    """

    n: int
    condition: torch.Tensor | None
    index: torch.Tensor
    noise: int = 0
    maps: Mapping[int, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Hold the state between two strata. Every tensor has one row per sample.

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
    """Represent one quantity that a scorer scores.

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
    """Hold images with the feature maps that scorers read, and a cache that scorers share.

    Attributes:
        images: pictures (N, 3, H, W), RGB, nominally in [0, 1], never clamped: what scorers read.
        pictures: the generator's own pictures (N, C, H, W), grey or with alpha; `images` if they are RGB.
        features: State.x after the strata that scorers read, by number of the stratum.
        index: indices of the samples, (N,), if they are unedited probing samples; else None. The scorer
            `table` looks scores up by it.
        finite: which pictures are finite, (N,); None if all are. The others are replaced by grey pictures and
            have no scores.
        composed: whether the core made the pictures, so that their type, shape and finiteness are known.
        precision: of the run that the pictures are of: fp32, bf16 or fp16; see `in_precision`.
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
        doubt: Callable[[], None] | None = None,
        precision: str = "fp32",
    ) -> None:
        self.images = images
        self.pictures = images if pictures is None else pictures
        self.features = dict(features or {})
        self.index, self.finite, self.composed = index, finite, composed
        self._once: dict[Hashable, Any] = {}
        self._doubt, self.precision = doubt, precision

    def in_precision(self) -> AbstractContextManager[object]:
        """Return a context in which torch computes in the precision of the run, where that is safe.

        A scorer whose network tolerates it computes its features there, and their scores outside, in float32.
        Other scorers stay in float32, whatever the run's precision is.
        """
        from ..device import autocast  # it imports torch, which a plugin's module need not

        return autocast(self.images.device, self.precision)

    @property
    def settled(self) -> bool:
        """Whether it is known that the pictures are finite, except those that `finite` marks as not.

        Only the CPU is waited for to know it.
        """
        return self._doubt is None

    def settle(self) -> None:
        """Wait until it is known.

        Raises:
            PictureError: a picture is not finite.
        """
        doubt, self._doubt = self._doubt, None
        if doubt is not None:
            doubt()

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
class Match:
    """Represent a plugin's claim that it can read a checkpoint.

    Attributes:
        confidence: from 0 to 1.
        reason: why, in words.
    """

    confidence: float
    reason: str
