"""Compute shares of whole numbers without floating-point error.

In floating point 0.28 * 100 is 28.000000000000004, whose ceiling would be 29.
"""

from __future__ import annotations

import math

TOLERANCE = 1e-9  # rounding error of a share, relative to the total


def floor_share(share: float, total: int) -> int:
    """Return a share of a total, rounded down.

    >>> floor_share(0.29, 100), floor_share(0.299, 100)
    (29, 29)
    """
    return _whole(share, total) if _is_whole(share, total) else math.floor(share * total)


def ceil_share(share: float, total: int) -> int:
    """Return a share of a total, rounded up.

    >>> ceil_share(0.28, 100), ceil_share(0.281, 100)
    (28, 29)
    """
    return _whole(share, total) if _is_whole(share, total) else math.ceil(share * total)


def _whole(share: float, total: int) -> int:
    return round(share * total)


def _is_whole(share: float, total: int) -> bool:
    return abs(share * total - _whole(share, total)) <= TOLERANCE * max(total, 1)
