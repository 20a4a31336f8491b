"""Shares of whole numbers, without what floating point adds to them: 0.28 of 100 is 28.000000000000004."""

from __future__ import annotations

import math

FINE = 1e-9  # of the total: what rounding of a share may come to


def floor_share(share: float, total: int) -> int:
    """The whole part of a share of a total.

    >>> floor_share(0.29, 100), floor_share(0.299, 100)
    (29, 29)
    """
    return _whole(share, total) if _is_whole(share, total) else math.floor(share * total)


def ceil_share(share: float, total: int) -> int:
    """A share of a total, rounded up.

    >>> ceil_share(0.28, 100), ceil_share(0.281, 100)
    (28, 29)
    """
    return _whole(share, total) if _is_whole(share, total) else math.ceil(share * total)


def _whole(share: float, total: int) -> int:
    return round(share * total)


def _is_whole(share: float, total: int) -> bool:
    return abs(share * total - _whole(share, total)) <= FINE * max(total, 1)
