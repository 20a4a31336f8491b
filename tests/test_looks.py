"""The measurements of the example of an own model, on pictures of which they are known."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

LOOKS = runpy.run_path(str(Path(__file__).parents[1] / "examples/own_model/looks.py"))


def stroke(lean: float, width: int = 1) -> torch.Tensor:
    """A stroke from row 4 to row 23, whose top lies `lean` columns per row to the right of its foot."""
    picture = torch.zeros(3, 28, 28)
    for row in range(4, 24):
        column = round(14 + lean * (13.5 - row))
        picture[:, row, column : column + width] = 1.0
    return picture


def test_slant_width_height_and_ink_of_strokes():
    ink, width, height, slant = LOOKS["strokes"](torch.stack([stroke(0.0), stroke(0.5), stroke(0.0, 3)])).T
    assert slant.tolist() == pytest.approx([0.0, 0.5, 0.0], abs=0.02)
    assert ink.tolist() == pytest.approx([20 / 784, 20 / 784, 60 / 784])
    assert width[1] > width[2] > width[0] == 0.0
    assert height.tolist() == pytest.approx([(399 / 12) ** 0.5] * 3, rel=1e-4)  # of twenty rows


def test_light_of_portraits():
    grey = torch.full((3, 32, 32), 0.4)
    hair, left, corner = grey.clone(), grey.clone(), grey.clone()
    hair[:, :4, 8:24] = 0.1
    left[:, 8:24, :16] = 0.9
    corner[:, :8, :4] = 0.8
    scores = LOOKS["portrait"](torch.stack([grey, hair, left, corner]))
    assert scores[0].tolist() == pytest.approx([0.4, 0.4, 0.4, 0.0, 0.0], abs=1e-6)
    assert scores[1, :4].tolist() == pytest.approx([0.1, 0.4, 0.4, 0.0])
    assert scores[2, :4].tolist() == pytest.approx([0.4, 0.4, 0.65, 0.5])
    assert scores[3, :4].tolist() == pytest.approx([0.4, 0.6, 0.4, 0.0])
    assert (scores[1:, 4] > 0.0).all()
