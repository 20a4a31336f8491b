"""How near two numbers must be where docs/determinism.md promises no equal bits.

Equal bits (`torch.equal`, `np.array_equal`, equal bytes) may be asked for where the same operations are done on the same numbers, in batches of
the same shape and in memory laid out alike; where numbers are copied, stored and read; and where integers, picks and random draws are compared.
Everything else is asked for with `assert_near`: rows of one batch or batches of several sizes, weights folded in another order,
codes in a view or with other strides, gradients on and off, and what somebody else computed.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

TOLERANCE = 1e-5  # of the greatest number that is wanted, or of 1: what docs/determinism.md says of float32


def assert_near(found: Tensor | NDArray[Any], wanted: Tensor | NDArray[Any], tolerance: float = TOLERANCE) -> None:
    """Raise AssertionError unless both have the same shape and type, NaN in the same places, and differ by rounding alone."""
    one, other = (torch.as_tensor(value).detach() for value in (found, wanted))
    scale = max(1.0, float(other.double().abs().nan_to_num(nan=0.0).max())) if other.numel() else 1.0
    torch.testing.assert_close(one, other, rtol=0.0, atol=tolerance * scale, equal_nan=True)
