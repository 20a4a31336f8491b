"""Convert images to 8 bits, tile them, and read and write PNG and JPEG.

Pictures keep their channels C: 1 (grey), 3 (RGB) or 4 (RGB with alpha).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from torch import Tensor

from ..plugins.colours import over, values_of
from ..plugins.pending import Pending, fetched

Pixels = NDArray[np.uint8]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's modes, by number of channels


def to_pixels(images: Tensor) -> Pixels:
    """Convert images (N, C, H, W) in [0, 1] to 8 bits (N, H, W, C), rounded to the nearest."""
    return np.asarray(_eight_bits(images).cpu().numpy())


def begin_pixels(images: Tensor) -> Pending[Pixels]:
    """Return what `to_pixels` returns, without waiting for it."""
    return fetched(_eight_bits(images))


def _eight_bits(images: Tensor) -> Tensor:
    scaled = (images.detach().float().clamp(0.0, 1.0) * 255.0 + 0.5).byte()
    return scaled.permute(0, 2, 3, 1)


def tile(pictures: Pixels, *, gap: int = 2) -> Pixels:
    """Join pictures (rows, columns, H, W, C) to one picture, with opaque white gaps of `gap` pixels."""
    rows, columns, height, width, channels = pictures.shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for r in range(rows):
        for c in range(columns):
            y, x = r * (height + gap), c * (width + gap)
            sheet[y : y + height, x : x + width] = pictures[r, c]
    return sheet


def opaque(pictures: Pixels, background: str = "#ffffff") -> Pixels:
    """Return pictures (..., C) as RGB (..., 3): grey repeated, alpha composited on a colour, as for scorers.

    >>> opaque(np.uint8([[255, 0, 0, 51], [0, 0, 0, 0]]), "#ffffff").tolist()
    [[255, 204, 204], [255, 255, 255]]
    """
    channels = pictures.shape[-1]
    if channels == 3:
        return pictures
    if channels == 1:
        return pictures.repeat(3, axis=-1)
    ground = np.array(values_of(background), dtype=np.float32) * 255.0
    alpha = pictures[..., 3:].astype(np.float32) / 255.0
    colour = pictures[..., :3].astype(np.float32)
    return np.asarray(over(colour, alpha, ground) + 0.5).astype(np.uint8)


def reduced(pictures: Pixels, longest: int) -> Pixels:
    """Return pictures (..., H, W, C) whose longer side has at most so many pixels; small ones stay.

    >>> reduced(np.zeros((2, 3, 64, 32, 1), np.uint8), 16).shape
    (2, 3, 16, 8, 1)
    """
    height, width, channels = pictures.shape[-3:]
    if max(height, width) <= longest:
        return pictures
    factor = longest / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    flat = pictures.reshape(-1, height, width, channels)
    small = np.stack([from_image(to_image(one).resize(size, Image.Resampling.LANCZOS)) for one in flat])
    return small.reshape(*pictures.shape[:-3], *small.shape[1:])


def to_image(picture: Pixels) -> Image.Image:
    """Return a picture (H, W, C), or (H, W) for grey, as Pillow's image of mode L, RGB or RGBA."""
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)


def from_image(image: Image.Image) -> Pixels:
    """Return an image of mode L, RGB or RGBA as a picture (H, W, C)."""
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def canvas(height: int, width: int, channels: int) -> Image.Image:
    """Return an opaque white image for pictures of so many channels."""
    return Image.new(MODES[channels], (width, height), "white")


def png(picture: Pixels) -> bytes:
    """Encode a picture (H, W, C) as PNG of mode L, RGB or RGBA."""
    buffer = io.BytesIO()
    to_image(picture).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(picture: Pixels, quality: int = 90) -> bytes:
    """Encode a picture (H, W, 3) as JPEG without colour subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def read_picture(content: bytes) -> Pixels:
    """Decode PNG or JPEG to a picture (H, W, 3); alpha is dropped."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def read_stored(content: bytes) -> Pixels:
    """Decode PNG or JPEG to a picture (H, W, C), C as stored; other modes than L and RGBA become RGB."""
    image = Image.open(io.BytesIO(content))
    return from_image(image if image.mode in MODES.values() else image.convert("RGB"))


@contextmanager
def strictly_decoded() -> Iterator[None]:
    """Let Pillow refuse files that end too early in the block, and say nothing of what is merely odd in them.

    A plugin may have told it to fill such pictures with grey, as its own files need it.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
