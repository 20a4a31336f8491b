"""Masks of the page are read if they fit, and refused before they are decoded if they do not."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from ganstrata import UserError
from ganstrata.app.views.strokes import read_strokes
from masks_of_pages import blank, encoded
from PIL import Image


def painted() -> Any:
    mask = blank()
    mask[2:4, 5] = 1
    return mask


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_grey_values_are_classes(mode: str):
    read = read_strokes(encoded(painted(), mode), 2, (8, 8))
    assert np.argwhere(read == 1).tolist() == [[2, 5], [3, 5]]
    assert (read == -1).sum() == 62


def png_of_size(width: int, height: int) -> str:
    """A small file that says that it is a large picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return base64.b64encode(content).decode()


def coloured() -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), (1, 2, 3), np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def transparent() -> str:
    colours = np.repeat(painted()[..., None], 4, axis=2)
    colours[..., 3] = 255
    colours[0, 0, 3] = 254
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def palette() -> str:
    buffer = io.BytesIO()
    Image.fromarray(painted()).convert("P").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no base64!", "not a PNG in base64"),
        (base64.b64encode(b"GIF89a").decode(), "this is not a PNG"),
        (base64.b64encode(base64.b64decode(encoded(painted()))[:40]).decode(), "PNG is damaged"),
        (base64.b64encode(base64.b64decode(encoded(painted()))[:60]).decode(), "PNG is damaged"),
        (png_of_size(50_000, 50_000), r"PNG is damaged|50000 x 50000"),
        (png_of_size(3000, 3000), r"has 3000 x 3000 pixels .* labels have 8 x 8"),
        (encoded(blank(4)), "has 4 x 4 pixels"),
        (encoded(np.full((8, 8), 2, np.uint8)), "has class 2; the classes are 0 to 1"),
        (encoded(blank()), "nothing is painted yet"),
        (coloured(), "has colours"),
        (transparent(), "transparent pixels"),
        (palette(), "grey with 8 bits is needed"),
    ],
)
def test_what_is_no_mask_is_refused(text: str, words: str):
    with pytest.raises(UserError, match=words):
        read_strokes(text, 2, (8, 8))
