"""Turns linear classifiers into boundaries: unit normal, signed distance, origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..plugins.contracts import Generator
from ..plugins.records import Boundary, Concept

Floats = NDArray[np.floating]


def normalise_hyperplane(
    coefficients: Floats, intercept: float, *, concept: str
) -> tuple[NDArray[np.float64], float]:
    """Normal (D,) of length one and offset, so that n.w + b is a signed distance.

    Raises:
        DataError: the coefficients are all zero or not finite: nothing was learnt.

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
) -> Boundary:
    """A boundary in the space the latents came from: w+ for one normal per layer (L, D)."""
    space = "w+" if np.ndim(normal) == 2 else (generator.space if generator is not None else "w")
    return Boundary(
        concept=concept.name,
        level=concept.level,
        normal=np.asarray(normal, dtype=np.float32),
        offset=np.asarray(offset, dtype=np.float32),
        space=space,
        generator=generator.fingerprint if generator is not None else "",
        facts=dict(facts),
    )
