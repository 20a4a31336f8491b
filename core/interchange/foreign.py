"""Represent a direction as a file of another program holds it, before it becomes a boundary of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Floats = NDArray[np.float64]
LONGEST = 10_000_000  # numbers of all directions of a file, at most; 18 layers of 512 have about ten thousand
MOST = 20_000  # directions of a file, at most
UNIT = 1e-4  # tolerance for the length of a unit normal in single precision


@dataclass(frozen=True)
class ForeignBoundary:
    """Hold a direction as stored in a file, with what the file says about it.

    Attributes:
        normal: unit normal (D,), or one per layer (L, D), float64.
        length: length of the stored normal; of several, the one farthest from 1.
        layers: layers that it is meant for, as written in the file, or None.
        kind: level that the file names, or None.
        container: storage format, in words.
        sha256: SHA-256 of the file, in hex.
        name: its name in the file; a number for one of several; empty for the only one.
        numbered: whether `name` is a number among several directions of the file, or of the name before it.
        space: latent space that the format implies or the file names, or None.
        generator: fingerprint that the file names, or empty.
        given: names of the concepts on which it is conditioned.
        offset: offset that the file holds, (,) or (L,); None if it has none.
        facts: further facts to keep.
        slope: unit vector of the shape of the normal along which the concept rises, if the file holds one.
        target: target concept of a direction that was found without labels, empty if unknown; None for
            others.
    """

    normal: Floats
    length: float
    layers: str | None
    kind: str | None
    container: str
    sha256: str
    name: str = ""
    numbered: bool = False
    space: str | None = None
    generator: str = ""
    given: tuple[str, ...] = ()
    offset: Floats | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    slope: Floats | None = None

    @property
    def was_unit(self) -> bool:
        """Whether the stored normal had length 1, to single precision."""
        return abs(self.length - 1.0) <= UNIT


def normalised(rows: NDArray[Any], where: str | Path) -> tuple[Floats, float]:
    """Return unit normals and the stored length that is farthest from 1.

    Args:
        rows: a direction (D,), or one per layer (L, D).
        where: file and key, for messages.

    Raises:
        DataError: a direction has no length, or one that is not finite.
    """
    values = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(values, axis=-1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < 1e-12).any():
        raise DataError(
            f"{where}: its normal has a length of {float(lengths.min()):g}, so it is not a direction"
        )
    return values / lengths, float(lengths.ravel()[np.abs(lengths - 1.0).argmax()])
