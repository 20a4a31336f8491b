"""Read masks that the page sends: PNG in base64 whose grey values are class numbers."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from ...core.errors import UserError
from ...core.figures.pictures import strictly_decoded
from ...core.semantics.annotation.legend import UNKNOWN_INDEX
from ...core.semantics.annotation.masks import SIGNATURE, Labels
from ...core.semantics.heads import Size
from ...core.semantics.teacher import UNKNOWN

MOST_TEXT = 3 << 20  # characters; a mask of 1024 x 1024 pixels has some ten thousand
EncodedMask = Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]


def read_strokes(text: str, classes: int, size: Size, where: str = "the strokes") -> Labels:
    """Return the class of each pixel, (H, W), UNKNOWN where nothing is painted.

    Args:
        text: a PNG in base64; grey with 8 bits, or colours that are grey. 255 means that nothing is painted.
        classes: number of classes.
        size: height and width that it must have, which is checked before it is decoded.
        where: what it is, for messages.

    Raises:
        UserError: it is no such mask, has another size, names no class, or nothing is painted.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UserError(f"{where}: this is not a PNG in base64") from None
    values = _decoded(content, size, where)
    beyond = (values >= classes) & (values != UNKNOWN_INDEX)
    if beyond.any():
        raise UserError(
            f"{where}: a pixel has class {int(values[beyond][0])}; the classes are 0 to {classes - 1}, and "
            f"{UNKNOWN_INDEX} means that nothing is painted"
        )
    if (values == UNKNOWN_INDEX).all():
        raise UserError("nothing is painted yet; choose a class and paint on the picture")
    return np.where(values == UNKNOWN_INDEX, UNKNOWN, values.astype(np.int64))


def _decoded(content: bytes, size: Size, where: str) -> NDArray[np.uint8]:
    """Return the grey values (H, W) of a PNG, whose size is checked before its pixels are decoded."""
    if not content.startswith(SIGNATURE):
        raise UserError(f"{where}: this is not a PNG")
    try:
        with strictly_decoded():
            image = Image.open(io.BytesIO(content), formats=("PNG",))
            found = (image.height, image.width)
            if found == size and image.mode in ("L", "RGB", "RGBA"):
                values = np.asarray(image)  # decodes it
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise UserError(f"{where}: the PNG is damaged ({type(error).__name__})") from None
    if found != size:
        raise UserError(
            f"{where}: it has {found[1]} x {found[0]} pixels (width x height), and the labels have "
            f"{size[1]} x {size[0]}; load the page again"
        )
    if image.mode not in ("L", "RGB", "RGBA"):
        raise UserError(f"{where}: its mode is {image.mode} of Pillow; grey with 8 bits is needed")
    if values.ndim == 2:
        return values
    if (values[..., :1] != values[..., :3]).any() or (values[..., 3:] != 255).any():
        raise UserError(f"{where}: it has colours or transparent pixels; grey with 8 bits is needed")
    return values[..., 0]
