"""Masks, strokes and pages bring pixels to another size by one rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ganstrata.core.semantics.nearest import nearest, nearest_pixels, nearest_planes


@pytest.mark.parametrize(("count", "wanted"), [(8, 8), (3, 2), (4, 2), (5, 13), (13, 5), (64, 100), (1, 7)])
def test_pixels_are_those_whose_middle_is_nearest(count, wanted):
    middles = (np.arange(wanted) + 0.5) * count / wanted
    distances = np.abs(middles[:, None] - (np.arange(count) + 0.5))
    found = nearest(count, wanted)
    assert distances[np.arange(wanted), found] == pytest.approx(distances.min(axis=1))
    line = torch.arange(float(count))[None, None]
    assert found.tolist() == F.interpolate(line, size=wanted, mode="nearest-exact")[0, 0].tolist()


def test_arrays_and_planes_agree():
    values = np.arange(3 * 5).reshape(3, 5)
    found = nearest_pixels(values, (2, 7))
    assert found.tolist() == [values[i][nearest(5, 7)].tolist() for i in (0, 2)]
    planes = nearest_planes(torch.from_numpy(values)[None], (2, 7))
    assert planes[0].tolist() == found.tolist()
    assert nearest_pixels(np.zeros((3, 5, 4)), (2, 7)).shape == (2, 7, 4)


def test_painted_pixels_keep_their_place_at_another_size():
    painted = torch.tensor([[[True, False], [False, False]]])
    assert nearest_planes(painted, (4, 4))[0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
