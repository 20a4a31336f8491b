"""How near two results must be where docs/determinism.md promises no equal bits.

Equal bits (`torch.equal`, `np.array_equal`, equal bytes) may be asked for where numbers are copied, stored
and read; where integers, picks and random draws are compared; and where the same operations are done on the
same numbers in the same shapes, laid out alike in memory: the same run twice, a run that was continued, an
edit that restarts and a full pass, one network out of two files.

Everything else is asked for with the functions below: rows of one batch, batches of several sizes, strides
that differ, gradients on and off, a sum taken in another order, and whatever somebody else computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TOLERANCE = 1e-5  # of the greatest number that is wanted, or of 1: what docs/determinism.md says of float32
LEVEL = 1  # of 256: numbers that differ by rounding may fall on either side of the middle between two levels


def assert_near(
    actual: Tensor | NDArray[Any], expected: Tensor | NDArray[Any], tolerance: float = TOLERANCE
) -> None:
    """Raise AssertionError unless shapes, types and NaNs are the same and values differ by rounding."""
    one, other = (torch.as_tensor(value).detach() for value in (actual, expected))
    scale = (
        max(1.0, float(other.double().abs().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).max()))
        if other.numel()
        else 1.0
    )
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance * scale, equal_nan=True)


def assert_pictures_near(actual: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    """Raise AssertionError unless pictures of 256 levels have one shape and differ by at most a level."""
    assert actual.dtype == expected.dtype == np.uint8
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual.astype(int), expected.astype(int), rtol=0.0, atol=LEVEL)
