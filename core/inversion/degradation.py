"""Describe how given pictures were degraded, so that a generator can restore them.

The search looks for codes whose picture, degraded the same way, is the given one. The generator supplies what
the degradation lost.

    min over codes of d(A(G(codes)), y)

with A the degradation and y the given picture. For colourising A is grey, for super-resolution it averages
down, for inpainting it keeps the known pixels, for denoising it is nothing: then y is G's picture plus noise,
whose most likely picture under normal noise is that of the least squared error. What keeps a search from
fitting the noise too is the generator itself, and to stop where the squared error has come down to the
variance of the noise (the discrepancy principle): `floor`.

Source: Gu, Shen and Zhou 2020, "Image Processing Using Multi-Code GAN Prior", section 3.3; Morozov 1966, "On
the solution of functional equations by the method of regularization".

Shapes: N pictures, H x W the generator's size, h x w that of the given pictures.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..device import sent
from ..errors import DataError, nearest
from ..messages import shown
from ..randomness import Stream, Use, normals
from .filling import filled

Luma = Literal["BT.601", "BT.709"]
Filter = Literal["area", "bilinear", "bicubic"]
WEIGHTS: Mapping[str, tuple[float, float, float]] = {
    "BT.601": (0.299, 0.587, 0.114),  # of Pillow and most programs
    "BT.709": (0.2126, 0.7152, 0.0722),
}
"""Weights of red, green and blue in grey, by the recommendation of the ITU that states them."""


class Degradation(ABC):
    """Represent what was done to the given pictures."""

    @property
    def floor(self) -> float:
        """Mean squared error that the true picture has after it: the variance of noise; 0 without."""
        return 0.0

    @property
    def compares_features(self) -> bool:
        """Whether feature maps of degraded pictures tell how alike they are. Those of noise do not."""
        return True

    @property
    @abstractmethod
    def name(self) -> str:
        """Name for tables, with all that numbers depend on."""

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) to degraded ones (N, 3, h, w), with gradients."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of degraded pictures of this size. Default: the same.

        Raises:
            DataError: pictures of this size cannot be degraded.
        """
        return height, width

    def whole(self, given: Tensor, known: Tensor | None, height: int, width: int) -> Tensor:
        """Return the nearest whole pictures (N, 3, H, W) of given ones (N, 3, h, w), from which to start.

        Args:
            given: in [0, 1].
            known: weights of their pixels (N, 1, h, w); None if all are known.
            height: H.
            width: W.
        """
        return given if known is None else filled(given, known)

    def spoilt(self, images: Tensor, index: Sequence[int], seed: int = 0) -> Tensor:
        """Return pictures as they would be given, to try the restoration: degraded, with noise if it has any.

        Args:
            images: (N, 3, H, W) in [0, 1].
            index: number of each picture, on which its noise depends.
            seed: of the noise.
        """
        return self(images)


@dataclass(frozen=True)
class Grey(Degradation):
    """Lose colours: grey r R + g G + b B, repeated in red, green and blue.

    Attributes:
        luma: recommendation that states the weights r, g, b.

    >>> Grey()(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).flatten().tolist()
    [0.29899999499320984, 0.29899999499320984, 0.29899999499320984]
    """

    luma: Luma = "BT.601"

    @property
    def name(self) -> str:
        """Return the weights' name."""
        return f"grey ({self.luma})"

    def __call__(self, images: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) to grey ones (N, 3, H, W)."""
        weights = sent(torch.tensor(WEIGHTS[self.luma], dtype=images.dtype), images.device).view(1, 3, 1, 1)
        return (images * weights).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Mask(Degradation):
    """Lose pixels. Which are left says the mask of known pixels, which goes with the given pictures."""

    @property
    def name(self) -> str:
        """Return that a mask is used."""
        return "a mask"

    def __call__(self, images: Tensor) -> Tensor:
        """Return the pictures as they are: the distance leaves out unknown pixels."""
        return images


@dataclass(frozen=True)
class Downsample(Degradation):
    """Lose resolution: height and width are divided by a factor, with a filter that averages (antialiasing).

    Attributes:
        factor: a whole number, 2 or more.
        filter: area (means of blocks), bilinear or bicubic (a = -1/2, as in Pillow).

    Raises:
        DataError: the factor is smaller.
    """

    factor: int
    filter: Filter = "bicubic"

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise DataError(
                f"downsample: the factor is {self.factor}; a whole number of 2 or more was expected"
            )

    @property
    def name(self) -> str:
        """Return the factor and the filter."""
        return f"downsampling {self.factor} times ({self.filter})"

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width, divided by the factor.

        Raises:
            DataError: it does not divide them.
        """
        if height % self.factor or width % self.factor:
            raise DataError(
                f"downsample: {self.factor} does not divide the generator's {height} x {width} px "
                "(height x width); give a factor that divides both"
            )
        return height // self.factor, width // self.factor

    def __call__(self, images: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) to (N, 3, H / factor, W / factor)."""
        height, width = self.size(int(images.shape[-2]), int(images.shape[-1]))
        if self.filter == "area":
            return F.avg_pool2d(images, self.factor)
        return F.interpolate(
            images, size=(height, width), mode=self.filter, antialias=True, align_corners=False
        )

    def whole(self, given: Tensor, known: Tensor | None, height: int, width: int) -> Tensor:
        """Return the given pictures enlarged (bicubic), within [0, 1]."""
        given = given if known is None else filled(given, known)
        enlarged = F.interpolate(given, size=(height, width), mode="bicubic", align_corners=False)
        return enlarged.clamp(0.0, 1.0)


@dataclass(frozen=True)
class Noise(Degradation):
    """Add normal noise, independent at every pixel and channel.

    Attributes:
        deviation: standard deviation in units of the range [0, 1], such as 0.1 for 25 of 255 levels.

    Raises:
        DataError: it is not between 0 and 1.
    """

    deviation: float

    def __post_init__(self) -> None:
        if not 0.0 < self.deviation <= 1.0:
            raise DataError(
                f"noise: the standard deviation is {self.deviation}; a number above 0 and at most 1 was "
                "expected, in units of the range of pictures: 0.1 is 25 of 255 levels"
            )

    @property
    def floor(self) -> float:
        """Variance of the noise."""
        return self.deviation**2

    @property
    def compares_features(self) -> bool:
        """Return that they do not."""
        return False

    @property
    def name(self) -> str:
        """Return the standard deviation."""
        return f"noise ({self.deviation:g})"

    def __call__(self, images: Tensor) -> Tensor:
        """Return the pictures as they are: the noise of the given ones is unknown, and no part of them."""
        return images

    def spoilt(self, images: Tensor, index: Sequence[int], seed: int = 0) -> Tensor:
        """Return pictures with noise, not clamped, so that its variance is what `floor` says."""
        count = images[0].numel()
        rows = [
            torch.from_numpy(normals(seed, Stream.EDITING, Use.PIXELS, range(i, i + 1), count)) for i in index
        ]
        noise = torch.cat(rows).to(images.dtype).view(images.shape)
        return images + self.deviation * sent(noise, images.device)


@dataclass(frozen=True)
class Composed(Degradation):
    """Apply several degradations, first to last; noise comes last.

    Raises:
        DataError: there are none, or noise is followed by something else.
    """

    parts: tuple[Degradation, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise DataError("a composition of degradations needs at least one")
        noisy = [k for k, part in enumerate(self.parts) if part.floor]
        if noisy and noisy != [len(self.parts) - 1]:
            raise DataError(
                f"degradations {self.name}: noise must come once and last, since its variance is that of the "
                "given picture"
            )

    @property
    def floor(self) -> float:
        """Variance of the noise of the last part."""
        return self.parts[-1].floor

    @property
    def compares_features(self) -> bool:
        """Whether all parts do."""
        return all(part.compares_features for part in self.parts)

    @property
    def name(self) -> str:
        """Return the names in order."""
        return ", then ".join(part.name for part in self.parts)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size after all parts."""
        for part in self.parts:
            height, width = part.size(height, width)
        return height, width

    def __call__(self, images: Tensor) -> Tensor:
        """Apply all parts in order."""
        for part in self.parts:
            images = part(images)
        return images

    def whole(self, given: Tensor, known: Tensor | None, height: int, width: int) -> Tensor:
        """Undo the parts from last to first, as far as each can."""
        sizes = [(height, width)]
        for part in self.parts[:-1]:
            sizes.append(part.size(*sizes[-1]))
        for part, size in zip(reversed(self.parts), reversed(sizes), strict=True):
            given, known = part.whole(given, known, *size), None  # what was unknown is filled by the first
        return given

    def spoilt(self, images: Tensor, index: Sequence[int], seed: int = 0) -> Tensor:
        """Apply all parts in order, with noise."""
        for part in self.parts:
            images = part.spoilt(images, index, seed)
        return images


NAMES = ("grey", "mask", "downsample", "noise")


def degradation_named(text: str) -> Degradation:
    """Return the degradation that a text names: parts joined by `+`, each with its values after colons.

    `grey`, `grey:BT.709`, `mask`, `downsample:4`, `downsample:4:area`, `noise:0.1`, `grey+downsample:4`.

    Raises:
        DataError: a part has no such name, or its values do not fit.

    >>> degradation_named("grey+downsample:4").name
    'grey (BT.601), then downsampling 4 times (bicubic)'
    """
    parts = tuple(_part(part.strip()) for part in text.split("+"))
    return parts[0] if len(parts) == 1 else Composed(parts)


def _part(text: str) -> Degradation:
    name, *values = text.split(":")
    made: Degradation | None = None
    if name == "mask" and not values:
        made = Mask()
    elif name == "grey" and (not values or values[0] in WEIGHTS) and len(values) <= 1:
        made = Grey(*values)  # type: ignore[arg-type]
    elif name == "downsample" and values and _is_whole(values[0]) and len(values) <= 2:
        if len(values) == 1 or values[1] in get_args(Filter):
            made = Downsample(int(values[0]), *values[1:])  # type: ignore[arg-type]
    elif name == "noise" and len(values) == 1 and _is_number(values[0]):
        made = Noise(float(values[0]))
    if made is None:
        raise DataError(
            f"degradation {shown(text)} is unknown.{nearest(name, NAMES) if name not in NAMES else ''} Write "
            "grey or grey:BT.709, mask, downsample:4 or downsample:4:area (bilinear, bicubic), noise:0.1, or "
            "several with a + between them"
        )
    return made


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
