"""Outline a region of a picture, and dim what is outside of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pictures import Pixels

OUTLINE = (255, 216, 0)
DIM = 0.45  # brightness outside of the region


def outlined(pictures: Pixels, regions: NDArray[np.bool_]) -> Pixels:
    """Return pictures (N, H, W, 3) with a region (N, H, W) each: outlined in yellow, dim outside.

    The line is one pixel wide on either side of the region's border.

    >>> picture = np.full((1, 1, 3, 3), 200, np.uint8)
    >>> outlined(picture, np.array([[[True, False, False]]]))[0, 0].tolist()
    [[255, 216, 0], [255, 216, 0], [90, 90, 90]]
    """
    border = np.zeros_like(regions)
    for axis in (1, 2):
        differs = np.diff(regions, axis=axis)
        ends: list[tuple[int, int]] = [(0, 0)] * 3
        for end in ((0, 1), (1, 0)):
            ends[axis] = end
            border |= np.pad(differs, ends)
    shown = np.where(regions[..., None], pictures, (pictures * DIM + 0.5).astype(np.uint8))
    return np.where(border[..., None], np.array(OUTLINE, np.uint8), shown).astype(np.uint8)
