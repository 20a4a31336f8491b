"""Change stored tensors into the form used here, by dropping axes of 1 and equal rows."""

from __future__ import annotations

from torch import Tensor


def first(t: Tensor) -> Tensor:
    """Drop a leading axis of 1."""
    return t[0] if t.shape[:1] == (1,) else t  # compare() reports any other shape


def scalar(t: Tensor) -> Tensor:
    """Return a tensor of one number without axes."""
    return t.reshape(())


def vector(t: Tensor) -> Tensor:
    """Return a bias (1, O, 1, 1) as (O,)."""
    return t[0, :, 0, 0] if t.shape[::2] == (1, 1) and t.shape[3:] == (1,) else t


def mean(t: Tensor) -> Tensor:
    """Return a mean w (D,), (1, D), (L, D) or (1, L, D) as (D,) if all rows are equal, else as (L, D)."""
    rows = t.reshape(-1, t.shape[-1])
    return rows[0] if bool((rows == rows[0]).all()) else rows
