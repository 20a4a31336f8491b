"""Read strokes of any colour, painted on a picture, for editing in colour space."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...figures.pictures import Pixels
from ..annotation.masks import read_rgba


class ColourStrokes(NamedTuple):
    """Hold the wanted picture (H, W, 3) in [0, 1], and its painted pixels (H, W), bool."""

    target: NDArray[np.float32]
    painted: NDArray[np.bool_]


def read_colour_strokes(path: Path, picture: Pixels, *, resize: bool = False) -> ColourStrokes:
    """Read strokes painted on a picture: on a transparent layer, or on a copy that was saved whole.

    Args:
        path: a PNG of the size of the picture, transparent where nothing is painted; half transparent
            strokes mix with the picture.
        picture: the picture (H, W, 3).
        resize: whether to change another size to this one, each pixel to the nearest.

    Raises:
        UserError: it is missing, no PNG, damaged, or of another size, or nothing is painted.
    """
    rgba = read_rgba(path, (picture.shape[0], picture.shape[1]), resize=resize)
    alpha = rgba[..., 3:] / np.float32(255.0)
    painted = (rgba[..., 3] > 0) & (rgba[..., :3] != picture).any(axis=-1)
    if not painted.any():
        raise UserError(
            f"{path}: nothing is painted on it: every pixel is transparent, or as in the picture. "
            "Paint on a transparent layer above picture.png, or on a copy of it"
        )
    target = alpha * (rgba[..., :3] / np.float32(255.0)) + (1.0 - alpha) * (picture / np.float32(255.0))
    return ColourStrokes(target.astype(np.float32), painted)
