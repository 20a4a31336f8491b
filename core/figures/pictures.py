"""Convert images to 8 bits, tile them, and read and write PNG and JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Pixels = NDArray[np.uint8]


def to_pixels(images: Tensor) -> Pixels:
    """Convert images (N, 3, H, W) in [0, 1] to 8 bits (N, H, W, 3), rounded to the nearest."""
    scaled = (images.detach().float().clamp(0.0, 1.0) * 255.0 + 0.5).byte()
    return np.asarray(scaled.permute(0, 2, 3, 1).cpu().numpy())


def tile(pictures: Pixels, *, gap: int = 2) -> Pixels:
    """Join pictures (rows, columns, H, W, 3) to one picture, with white gaps of `gap` pixels."""
    rows, columns, height, width, _ = pictures.shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for r in range(rows):
        for c in range(columns):
            y, x = r * (height + gap), c * (width + gap)
            sheet[y : y + height, x : x + width] = pictures[r, c]
    return sheet


def png(picture: Pixels) -> bytes:
    """Encode a picture (H, W, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(picture: Pixels, quality: int = 90) -> bytes:
    """Encode a picture (H, W, 3) as JPEG without colour subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def read_picture(content: bytes) -> Pixels:
    """Decode PNG or JPEG to a picture (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
