"""Check shapes that are written as text, such as "N L D"."""

from __future__ import annotations

from typing import Protocol

from ..errors import ShapeError


class HasShape(Protocol):
    """A tensor or an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        ...


def check_shape(array: HasShape, axes: str, *, where: str, **sizes: int) -> dict[str, int]:
    """Check an array's shape and return the size of each named axis.

    Args:
        array: tensor or array.
        axes: one word per axis: a name, which stands for one size throughout, or a number.
        where: description of the array, for the message.
        **sizes: known sizes of named axes.

    Raises:
        ShapeError: the shape differs.

    Example:
        >>> import numpy as np
        >>> check_shape(np.zeros((2, 10, 128)), "N L D", where="codes", L=10)
        {'L': 10, 'N': 2, 'D': 128}
        >>> check_shape(np.zeros((8, 512)), "N L D", where="codes passed to render", L=14, D=512)
        Traceback (most recent call last):
        ...
        ganstrata.core.errors.ShapeError: codes passed to render: expected (N, L=14, D=512), got (8, 512)
    """
    names = axes.split()
    known = dict(sizes)
    shape = tuple(array.shape)
    fits = len(shape) == len(names)
    if fits:
        for name, size in zip(names, shape, strict=True):
            wanted = int(name) if name.isdigit() else known.setdefault(name, size)
            fits = fits and wanted == size
    if not fits:
        wanted_axes = ", ".join(f"{n}={sizes[n]}" if n in sizes else n for n in names)
        raise ShapeError(f"{where}: expected ({wanted_axes}), got {shape}")
    return known
