"""Measures of edits count what they say, and strokes of colours are read as they were painted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from ganstrata.core.errors import ShapeError, UserError
from ganstrata.core.semantics.painting.colour_strokes import read_colour_strokes
from ganstrata.core.semantics.painting.edit_measures import LabelChange, colour_change, label_change
from PIL import Image


def test_labels_are_counted_in_and_outside_of_the_paint() -> None:
    before = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1]])
    after = torch.tensor([[2, 0, 1, 0], [2, 0, 1, 1]])
    painted = torch.tensor([[True, True, False, False], [True, True, False, False]])
    wanted = torch.full_like(before, 2)
    found = label_change(before, after, painted, wanted)
    assert (found.wanted_before, found.wanted_after, found.elsewhere) == (0.0, 0.5, 0.25)
    assert found.as_data() == {"wanted_before": 0.0, "wanted_after": 0.5, "elsewhere": 0.25}


def test_shares_of_no_pixels_are_undefined() -> None:
    labels = torch.zeros(2, 2, dtype=torch.long)
    everywhere = torch.ones(2, 2, dtype=torch.bool)
    found = label_change(labels, labels, everywhere)
    assert math.isnan(found.wanted_after)
    assert math.isnan(found.elsewhere)
    assert found.as_data() == {"wanted_before": None, "wanted_after": None, "elsewhere": None}


def test_labels_of_other_shapes_are_refused() -> None:
    labels = torch.zeros(2, 2, dtype=torch.long)
    with pytest.raises(ShapeError, match="cannot be compared"):
        label_change(labels, labels[:1], labels > 0)


def test_colours_are_compared_in_percent_and_within_their_range() -> None:
    before, after = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    after[:, :, :2] = 0.3  # half of the painted rows
    before[:, 1, 0], after[:, 1, 0] = 9.0, 0.7  # beyond the range counts as its end
    after[:, 0, 3] = 7.0
    painted = torch.tensor([[[True, True], [False, False]]])
    found = colour_change(before, after, painted)
    assert found.painted == pytest.approx(30.0)
    assert found.elsewhere == pytest.approx(100.0 / 3.0 / 2.0)


def _saved(path: Path, rgba: np.ndarray) -> Path:
    Image.fromarray(rgba).save(path)
    return path


def test_strokes_of_colours_mix_with_the_picture(tmp_path: Path) -> None:
    picture = np.full((2, 3, 3), 100, np.uint8)
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[0, 0] = 200, 0, 0, 255
    rgba[1, 2] = 200, 200, 200, 51
    found = read_colour_strokes(_saved(tmp_path / "s.png", rgba), picture)
    assert found.painted.nonzero()[0].tolist() == [0, 1]
    assert (found.target[0, 0] * 255).round().tolist() == [200, 0, 0]
    assert (found.target[1, 2] * 255).round().tolist() == [120, 120, 120]
    assert (found.target[0, 1] * 255).round().tolist() == [100, 100, 100]


def test_a_copy_of_the_picture_that_was_painted_on_is_read_by_what_differs(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    copy = picture.copy()
    copy[1, 2] = 255 - copy[1, 2]
    found = read_colour_strokes(_saved(tmp_path / "copy.png", copy), picture)
    assert found.painted.nonzero()[0].tolist() == [1]
    with pytest.raises(UserError, match="nothing is painted on it"):
        read_colour_strokes(_saved(tmp_path / "same.png", picture), picture)
    with pytest.raises(UserError, match="is 4 x 4 pixels"):
        read_colour_strokes(tmp_path / "copy.png", picture[:2])
    assert read_colour_strokes(tmp_path / "copy.png", picture[:2], resize=True).target.shape == (2, 4, 3)


@pytest.mark.parametrize(
    ("before", "after", "nothing"), [(0.0, 0.0, True), (0.5, 0.505, True), (0.0, 0.02, False)]
)
def test_an_edit_reached_nothing_if_hardly_a_pixel_became_what_was_painted(
    before: float, after: float, nothing: bool
) -> None:
    assert LabelChange(before, after, 0.1).reached_nothing == nothing
