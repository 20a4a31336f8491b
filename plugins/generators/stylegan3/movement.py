"""Transform the image of a StyleGAN3 by a shift and a rotation, or by an affine matrix."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from ....core.plugins.strict_numbers import StrictNumbers

Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]

# Beyond this range float32 cannot resolve positions within the image.
Shift = Annotated[float, Field(ge=-1000.0, le=1000.0)]


class Movement(StrictNumbers):
    """Describe a rotation about the centre of the image, then a shift."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    translate: tuple[Shift, Shift] = Field(
        default=(0.0, 0.0), description="to the right and down, in image widths"
    )
    rotate: float = Field(default=0.0, ge=-360.0, le=360.0, description="degrees, counter-clockwise")


def check(matrix: Matrix) -> None:
    """Check that a matrix is an affine map of the plane that can be inverted.

    Raises:
        ValueError: it is projective or singular.
    """
    if matrix[2] != (0.0, 0.0, 1.0):
        raise ValueError("the last row must be [0, 0, 1], as in every affine map")
    if abs(np.linalg.det(np.array(matrix))) < 1e-6:
        raise ValueError("the matrix cannot be inverted: it maps the plane onto a line or a point")


def matrix_of(movement: Movement) -> NDArray[np.float64]:
    """Return the matrix (3, 3) that maps points of the image; the origin is the centre, x right, y down."""
    angle = math.radians(movement.rotate)
    right, down = movement.translate
    return np.array(
        [
            [math.cos(angle), math.sin(angle), right],
            [-math.sin(angle), math.cos(angle), down],
            [0.0, 0.0, 1.0],
        ]
    )


def lookup(movement: Movement | Matrix) -> NDArray[np.float64]:
    """Return the inverse matrix (3, 3), from points of the transformed image to points of the original."""
    matrix = matrix_of(movement) if isinstance(movement, Movement) else np.array(movement)
    inverse: NDArray[np.float64] = np.linalg.inv(matrix)
    return inverse
