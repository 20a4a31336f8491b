"""Where StyleGAN3's picture is put: moved, turned, or by any affine map of the plane."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Row = tuple[float, float, float]


class Movement(BaseModel):
    """A turn about the centre of the picture, then a shift."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    translate: tuple[float, float] = Field(default=(0.0, 0.0), description="to the right and down, in picture widths")
    rotate: float = Field(default=0.0, description="degrees, counter-clockwise")


def _affine(matrix: tuple[Row, Row, Row]) -> tuple[Row, Row, Row]:
    if matrix[2] != (0.0, 0.0, 1.0):
        raise ValueError("the last row of input_transform must be [0, 0, 1]: it moves points of the plane")
    if abs(np.linalg.det(np.array(matrix))) < 1e-6:
        raise ValueError("input_transform cannot be inverted: it squeezes the plane onto a line")
    return matrix


Matrix = Annotated[tuple[Row, Row, Row], AfterValidator(_affine)]


def matrix_of(movement: Movement) -> NDArray[np.float64]:
    """Where each point of the picture goes, (3, 3); the origin is the centre, x points right, y down."""
    angle = math.radians(movement.rotate)
    right, down = movement.translate
    return np.array([[math.cos(angle), math.sin(angle), right], [-math.sin(angle), math.cos(angle), down], [0.0, 0.0, 1.0]])


def lookup(movement: Movement | tuple[Row, Row, Row]) -> NDArray[np.float64]:
    """Which point of the unmoved picture is seen at each point, (3, 3): the inverse."""
    matrix = matrix_of(movement) if isinstance(movement, Movement) else np.array(movement)
    found: NDArray[np.float64] = np.linalg.inv(matrix)
    return found
