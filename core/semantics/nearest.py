"""Bring labels and strokes to another size, each pixel from the nearest, since classes cannot be averaged."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from .heads import Size

T = TypeVar("T", bound=np.generic)


def nearest(count: int, wanted: int) -> NDArray[np.int64]:
    """Return, for each of `wanted` pixels of a line, the one of `count` pixels in which its middle lies.

        i -> floor((i + 1/2) count / wanted)

    This is `nearest-exact` of torch. A middle on an edge belongs to the pixel after it.

    >>> nearest(2, 4).tolist(), nearest(4, 2).tolist(), nearest(3, 2).tolist()
    ([0, 0, 1, 1], [1, 3], [0, 2])
    """
    return (2 * np.arange(wanted, dtype=np.int64) + 1) * count // (2 * wanted)


def nearest_pixels(values: NDArray[T], size: Size) -> NDArray[T]:
    """Return pixels (h, w, ...) at another size (H, W, ...)."""
    rows, columns = (nearest(count, wanted) for count, wanted in zip(values.shape[:2], size, strict=True))
    return np.asarray(values[rows][:, columns])


def nearest_planes(values: Tensor, size: Size) -> Tensor:
    """Return planes (..., h, w) at another size (..., H, W), on their device."""
    rows, columns = (
        sent(nearest(count, wanted), values.device)
        for count, wanted in zip(values.shape[-2:], size, strict=True)
    )
    return values[..., rows, :][..., columns]
