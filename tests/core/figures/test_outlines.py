"""Regions of pictures are outlined on both sides of their border, and all else is dim."""

from __future__ import annotations

import numpy as np
from ganstrata.core.figures.outlines import OUTLINE, outlined


def test_the_border_is_two_pixels_wide_and_the_inside_untouched():
    picture = np.full((1, 8, 8, 3), 100, np.uint8)
    region = np.zeros((1, 8, 8), dtype=bool)
    region[0, 2:7, 2:7] = True
    found = outlined(picture, region)[0]
    yellow = (found == np.array(OUTLINE)).all(axis=-1)
    inner = np.zeros((8, 8), dtype=bool)
    inner[3:6, 3:6] = True
    outer = np.zeros((8, 8), dtype=bool)
    outer[1:8, 1:8] = True
    outer[[1, 1, 7, 7], [1, 7, 1, 7]] = False  # corners touch no side of the region
    assert (yellow == (outer & ~inner)).all()
    assert (found[inner] == 100).all()
    assert (found[0] == 45).all()


def test_a_region_that_is_everything_or_nothing_has_no_border():
    picture = np.full((2, 4, 4, 3), 200, np.uint8)
    region = np.stack([np.ones((4, 4), bool), np.zeros((4, 4), bool)])
    found = outlined(picture, region)
    assert (found[0] == 200).all()
    assert (found[1] == 90).all()
