"""Test the check of shapes and its message."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from ganstrata.core.errors import ShapeError
from ganstrata.core.plugins.shapes import check_shape
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_names_take_the_sizes_that_are_there(sizes):
    names = [chr(ord("A") + i) for i in range(len(sizes))]
    assert check_shape(np.zeros(sizes), " ".join(names), where="x") == dict(zip(names, sizes, strict=True))


def test_a_name_stands_for_one_size():
    assert check_shape(torch.zeros(3, 3), "D D", where="x") == {"D": 3}
    with pytest.raises(ShapeError, match=re.escape("covariance: expected (D, D), got (3, 4)")):
        check_shape(torch.zeros(3, 4), "D D", where="covariance")


@pytest.mark.parametrize(
    ("shape", "axes", "sizes", "message"),
    [
        ((8, 512), "N L D", {"L": 14, "D": 512}, "codes: expected (N, L=14, D=512), got (8, 512)"),
        ((8, 14, 128), "N L D", {"L": 14, "D": 512}, "codes: expected (N, L=14, D=512), got (8, 14, 128)"),
        ((2, 1, 4, 4), "N 3 H W", {}, "codes: expected (N, 3, H, W), got (2, 1, 4, 4)"),
        ((), "N", {}, "codes: expected (N), got ()"),
    ],
)
def test_another_shape_is_an_error_that_shows_both(shape, axes, sizes, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        check_shape(np.zeros(shape), axes, where="codes", **sizes)
