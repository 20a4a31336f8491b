"""Turn the coefficients of a linear classifier into a boundary with a unit normal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..plugins.boundary import Boundary
from ..plugins.generator import Generator
from ..plugins.records import Concept

Floats = NDArray[np.floating]


def normalise_hyperplane(
    coefficients: Floats, intercept: float, *, concept: str
) -> tuple[NDArray[np.float64], float]:
    """Return the unit normal n (D,) and the offset b of a hyperplane (method A.2).

    For coefficients a and intercept c, `n = a / |a|` and `b = c / |a|`. Then n.w + b is the signed distance
    of w.

    Args:
        coefficients: a (D,).
        intercept: c.
        concept: its name, for the message.

    Raises:
        DataError: the coefficients are all zero or not finite.

    Example:
        >>> normal, offset = normalise_hyperplane(np.array([3.0, 4.0]), 10.0, concept="colour/red")
        >>> normal.tolist(), offset
        ([0.6, 0.8], 2.0)
    """
    length = float(np.linalg.norm(coefficients))
    if not np.isfinite(length) or length == 0.0:
        raise DataError(f"{concept}: the learner found no direction (length of its coefficients: {length:g})")
    return np.asarray(coefficients, dtype=np.float64) / length, float(intercept) / length


def boundary_of(
    concept: Concept,
    normal: Floats,
    offset: Floats | float,
    generator: Generator | None,
    facts: Mapping[str, Any],
    slope: Floats | None = None,
) -> Boundary:
    """Build the boundary of a concept.

    Args:
        concept: gives name and level.
        normal: unit normal (D,), or one per layer (L, D); then the boundary is in w+.
        offset: b, or one per layer (L,).
        generator: gives space and fingerprint; without one the space is w, and the fingerprint is empty.
        facts: numbers about the boundary, such as its held-out accuracy.
        slope: unit vector along which the concept rises, where the normal is another one.
    """
    space = "w+" if np.ndim(normal) == 2 else (generator.space if generator is not None else "w")
    return Boundary(
        concept=concept.name,
        level=concept.level,
        normal=np.asarray(normal, dtype=np.float32),
        offset=np.asarray(offset, dtype=np.float32),
        space=space,
        generator=generator.fingerprint if generator is not None else "",
        facts=dict(facts),
        slope=None if slope is None else np.asarray(slope, dtype=np.float32),
    )
