"""Read which pixels of a picture are known from a picture of them, and fit it as the picture was fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import UserError
from ..messages import visible
from ..storage.disk import read_bytes
from .colour_modes import to_rgb
from .decoding import decode
from .fit import Fit, cropped

BLACK = "#000000"  # what is transparent in a mask is unknown
WHITE, DARK = 255, 15  # grey values: known, and next to black; as near to white counts as white
EDGES = 0.1  # share of grey pixels, as at soft edges, above which something is said
Size = tuple[int, int]  # width and height in pixels


def read_mask(path: Path) -> Image.Image:
    """Read a mask as an image of mode L: white is known, black and transparent pixels are not.

    Raises:
        DataError: it is not a picture, or damaged.
        UserError: it cannot be read.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        raise UserError(f"mask {visible(str(path))} cannot be read: {error.strerror or error}") from None
    image, _ = to_rgb(decode(content, path).image, BLACK, visible(str(path)))
    if image.mode == "F":
        return Image.fromarray((np.asarray(image).clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    grey: Image.Image = image.convert("L")
    return grey


def remarks_on(mask: Image.Image, name: str) -> tuple[str, ...]:
    """Return what is odd about a mask of mode L: that it hides nothing, or is grey where it should not be.

    >>> remarks_on(Image.new("L", (2, 2), 128), "hole.png")
    ('mask hole.png: 100 % of its pixels are neither white nor black, and count in part',)
    """
    values = np.asarray(mask)
    if bool((values == WHITE).all()):
        return (f"mask {name} is white, so that all pixels are known",)
    grey = float(((values > DARK) & (values < WHITE - DARK)).mean())
    if grey <= EDGES:
        return ()
    return (f"mask {name}: {100 * grey:.0f} % of its pixels are neither white nor black, and count in part",)


def fitted_mask(mask: Image.Image, name: str, size: Size, fit: Fit, *, resize: bool) -> Tensor:
    """Return which pixels of a fitted picture are known, (1, H, W) in [0, 1].

    A pixel that is known in part has the share of its area, as the picture itself is averaged.

    Args:
        mask: of mode L, of the size of the picture before it was fitted.
        name: name of its file, for messages.
        size: that size.
        fit: how the picture was fitted.
        resize: whether a mask of another size is brought to the size of the picture first.

    Raises:
        UserError: it has another size, or leaves no pixel known.
    """
    if mask.size != size:
        if not resize:
            raise UserError(
                f"mask {name} has {mask.size[0]} x {mask.size[1]} px (width x height), and its picture "
                f"{size[0]} x {size[1]} px. Give a mask of the size of the picture, or --resize-mask"
            )
        mask = mask.resize(size, Image.Resampling.NEAREST)
    left, top, across, down = fit.placed
    small = cropped(mask, fit).resize((across, down), Image.Resampling.BOX)
    known = torch.zeros(1, fit.height, fit.width)
    known[0, top : top + down, left : left + across] = torch.from_numpy(
        np.asarray(small, dtype=np.float32) / np.float32(255.0)
    )
    if not bool(known.any()):
        raise UserError(
            f"mask {name} leaves no pixel of its picture known; white is known, black is to be made up"
        )
    return known
