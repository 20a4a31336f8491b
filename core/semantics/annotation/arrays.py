"""Check classes that are painted in memory, as arrays in place of files."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ...errors import UserError
from ..heads import Size
from ..teacher import UNKNOWN
from .masks import Labels


def painted_classes(
    call: str, name: str, painted: ArrayLike, classes: int, size: Size, same_as: str
) -> Labels:
    """Return painted classes (H, W) as whole numbers; UNKNOWN where nothing is painted.

    Args:
        call: the function that was given them, such as `edit_by_painting()`.
        name: of the argument.
        painted: number of the class of each pixel, (H, W).
        classes: number M of classes.
        size: H and W.
        same_as: what has this size, such as `the pictures`.

    Raises:
        UserError: they are not whole numbers, of another size, of no class, or nothing is painted.

    >>> painted_classes("f()", "mask", [[0, -1]], 2, (1, 2), "the pictures").tolist()
    [[0, -1]]
    """
    values = painted.detach().cpu().numpy() if isinstance(painted, Tensor) else np.asarray(painted)
    if values.shape != size or not np.issubdtype(values.dtype, np.integer):
        raise UserError(
            f"{call}: `{name}` has the shape {values.shape} and the type {values.dtype}; whole numbers of "
            f"shape {size} are needed, the size of {same_as}"
        )
    if values.min() < UNKNOWN or values.max() >= classes:
        raise UserError(
            f"{call}: `{name}` has values from {values.min()} to {values.max()}; the classes are 0 to "
            f"{classes - 1}, and {UNKNOWN} means that nothing is painted"
        )
    if (values == UNKNOWN).all():
        raise UserError(f"{call}: nothing is painted in `{name}`; every pixel is {UNKNOWN}")
    return values.astype(np.int64)
