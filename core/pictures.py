"""Images as pixels: 8-bit conversion, strips and grids as PNG or JPEG."""

from __future__ import annotations

import io
import re
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Pixels = NDArray[np.uint8]

LONGEST = 150  # characters of a file name that are taken from a name


def to_pixels(images: Tensor) -> Pixels:
    """Images (N, 3, H, W) in [0, 1] to 8 bits (N, H, W, 3), rounded to the nearest."""
    scaled = (images.detach().float().clamp(0.0, 1.0) * 255.0 + 0.5).byte()
    return np.asarray(scaled.permute(0, 2, 3, 1).cpu().numpy())


def tile(pictures: Pixels, *, gap: int = 2) -> Pixels:
    """Pictures (rows, columns, H, W, 3) as one, white between them."""
    rows, columns, height, width, _ = pictures.shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for r in range(rows):
        for c in range(columns):
            y, x = r * (height + gap), c * (width + gap)
            sheet[y : y + height, x : x + width] = pictures[r, c]
    return sheet


def png(picture: Pixels) -> bytes:
    """A picture (H, W, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(picture: Pixels, quality: int = 90) -> bytes:
    """A picture (H, W, 3) as JPEG without colour subsampling, for pages."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def read_picture(content: bytes) -> Pixels:
    """PNG or JPEG as (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def file_stem(name: str) -> str:
    """A concept's or boundary's name as part of a file name; names that differ keep different files.

    >>> file_stem("attribute/daylight|attribute/indoor_lighting")
    'attribute.daylight_given_attribute.indoor_lighting'
    """
    words = name.replace("/", ".").replace("|", "_given_").replace(",", "_and_")
    safe = re.sub(r"[^A-Za-z0-9._+-]", "_", words)[:LONGEST]
    return safe if safe == words else f"{safe}-{zlib.crc32(name.encode()):08x}"
