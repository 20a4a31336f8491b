"""Lay out the style channels of a generator in one vector, space s, and split a direction in it by stratum.

The style of a stratum is what its affine map makes of a code (Wu, Lischinski and Shechtman 2021, StyleSpace).
Space s joins the styles of all strata that have one, in the order of the strata: (S,), S = sum of their C_s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..plugins.contracts import Generator


def style_strata(generator: Generator) -> tuple[tuple[int, int], ...]:
    """Return number and style width C_s of every stratum with a style, in order."""
    return tuple(
        (s, stratum.style_width)
        for s, stratum in enumerate(generator.strata)
        if stratum.style_width is not None and stratum.reads is not None
    )


def split_styles(
    vector: NDArray[np.floating], strata: Sequence[tuple[int, int]]
) -> dict[int, NDArray[np.float32]]:
    """Split a direction in s by stratum, without the strata at which it is 0.

    Args:
        vector: (S,).
        strata: from `style_strata`.

    Returns:
        Number of the stratum -> (C_s,).

    Example:
        >>> split_styles(np.array([0.0, 0.0, 1.0]), [(0, 2), (3, 1)])
        {3: array([1.], dtype=float32)}
    """
    ends = np.cumsum([width for _, width in strata])
    pieces = np.split(np.asarray(vector, dtype=np.float32), ends[:-1])
    return {s: piece for (s, _), piece in zip(strata, pieces, strict=True) if np.any(piece)}
