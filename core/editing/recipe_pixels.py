"""Write the picture that comes out into a recipe, and hold another one against it.

Pictures are (H, W, C), 8 bits, C channels as the generator's card says.
"""

from __future__ import annotations

import hashlib
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..figures.pictures import Pixels, from_image, png
from ..messages import quantity
from .recipe import ExpectedPixels
from .recipe_values import decoded, encoded

LARGEST_PNG = 3 * 2**18  # bytes of a picture that a recipe holds itself; a larger one has its digest there


class Difference(NamedTuple):
    """Hold how far a picture is from that of its recipe.

    Attributes:
        pixels: number of pixels that differ; None if the recipe does not hold the picture itself.
        of: number of all pixels.
        most: largest difference of a channel, of 255 levels; None where `pixels` is.
    """

    pixels: int | None
    of: int
    most: int | None

    @property
    def in_words(self) -> str:
        """A sentence that says how much, and whether processors differ that much."""
        if self.pixels is None:
            return (
                f"The picture of {self.of} pixels is not that of the recipe byte by byte. How much it "
                "differs is not known, because the recipe holds only the digest of so large a picture"
            )
        levels = quantity(self.most or 0, "level")
        much = f"{self.pixels} of {self.of} pixels differ from the recipe, by at most {levels} of 255"
        if (self.most or 0) <= 1:
            return f"{much}, as another processor or version of torch rounds them (docs/determinism.md)"
        return (
            f"{much}, which is more than processors differ: the picture was made in another way "
            "(see made_with in the recipe)"
        )


def pixels_of(picture: Pixels) -> ExpectedPixels:
    """Return what a recipe says of a picture (H, W, C) that came out."""
    content = png(picture)
    return ExpectedPixels(
        sha256=hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest(),
        shape=(picture.shape[0], picture.shape[1], picture.shape[2]),
        png=encoded(content) if len(content) <= LARGEST_PNG else None,
    )


def expected(pixels: ExpectedPixels, shape: tuple[int, ...]) -> Pixels | None:
    """Return the picture (H, W, C) that a recipe holds; None if it holds none, or another than it says.

    Nothing is decoded whose header states another size than `shape`.
    """
    if pixels.png is None or tuple(pixels.shape) != shape:
        return None
    try:
        with Image.open(io.BytesIO(decoded(pixels.png)), formats=("PNG",)) as image:
            if image.size != (shape[1], shape[0]):
                return None
            picture = from_image(image)
    except Exception:
        return None
    if picture.shape != shape or picture.dtype != np.uint8:
        return None
    is_as_said = hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest() == pixels.sha256
    return picture if is_as_said else None


def difference(pixels: ExpectedPixels, picture: Pixels) -> Difference | None:
    """Return how far a picture is from that of its recipe; None if it is the same, byte by byte."""
    if (
        tuple(pixels.shape) == picture.shape
        and hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest() == pixels.sha256
    ):
        return None
    count = picture.shape[0] * picture.shape[1]
    other = expected(pixels, picture.shape)
    if other is None:
        return Difference(None, count, None)
    apart = np.abs(picture.astype(np.int16) - other.astype(np.int16))
    return Difference(int((apart > 0).any(axis=-1).sum()), count, int(apart.max()))
