"""Masks as the page sends them, and pictures as it receives them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UNPAINTED = 255


def received(message: bytes) -> tuple[dict[str, Any], Image.Image]:
    """Return header and picture of a binary message."""
    end = 4 + int.from_bytes(message[:4], "big")
    return json.loads(message[4:end]), Image.open(io.BytesIO(message[end:]))


def blank(size: int = 8) -> NDArray[np.uint8]:
    return np.full((size, size), UNPAINTED, np.uint8)


def encoded(mask: NDArray[np.uint8], mode: str = "L") -> str:
    buffer = io.BytesIO()
    Image.fromarray(mask).convert(mode).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def picture_bytes(question: int, row: int) -> bytes:
    """A small picture of a strip of a study."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 24, 3), (20 * question, 60 * row, 90), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
