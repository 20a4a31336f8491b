"""Make picture files of every format and colour mode, and damaged or lying ones."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

OPTIONAL = {"WEBP": "webp", "JPEG2000": "jpg_2000"}
FORMATS = ["PNG", "JPEG", "GIF", "TIFF", "BMP", "PPM", *(k for k, v in OPTIONAL.items() if features.check(v))]


def colours(height: int = 40, width: int = 60, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random colours (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encoded(kind: str, image: Image.Image | NDArray[Any] | None = None, **options: Any) -> bytes:
    """The file of an image."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(colours() if image is None else image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(number: int) -> Image.Exif:
    """EXIF data that say an orientation."""
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that claims a size, with these chunks after its header."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def damaged(rng: np.random.Generator) -> tuple[str, bytes]:
    """A picture file of some format with some bytes changed, cut out or added, and the format."""
    kind = str(rng.choice(FORMATS))
    content = bytearray(encoded(kind, colours(12, 9)))
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(len(content)))
        how = rng.integers(3)
        if how == 0:
            content[at] = int(rng.integers(256))
        elif how == 1:
            del content[at : at + int(rng.integers(1, 20))]
        else:
            content[at:at] = rng.integers(0, 256, int(rng.integers(1, 20)), dtype=np.uint8).tobytes()
        content = content or bytearray(b"\0")
    return kind, bytes(content)
