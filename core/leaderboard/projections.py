"""Project samples on directions: how far along each they lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..plugins.records import Boundaries

Floats = NDArray[np.floating]


def projections(
    w: Floats,
    codes: Floats | None,
    normal: Floats,
    layers: Sequence[int] | None = None,
    offset: Floats | float = 0.0,
) -> NDArray[np.float64]:
    """Compute the signed distance of samples from a hyperplane, averaged over the layers that it edits.

    Args:
        w: (N, D).
        codes: (N, L, D) where styles are mixed, else None: every layer has w.
        normal: n (D,), or one per layer (L, D).
        layers: layers that count, of a normal per layer; None for all.
        offset: b, or one per layer (L,).

    Returns:
        (N,).

    >>> w = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> projections(w, None, np.array([1.0, 0.0]), offset=0.5).tolist()
    [1.5, 3.5]
    >>> projections(w, None, np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [1.5, 3.5]
    """
    if normal.ndim == 1:
        return np.asarray(w @ normal + float(np.mean(offset)), dtype=np.float64)
    chosen = list(range(len(normal)) if layers is None else layers)
    source = np.broadcast_to(w[:, None], (len(w), *normal.shape)) if codes is None else codes
    along = np.einsum("nld,ld->nl", source[:, chosen], normal[chosen])
    return np.asarray(
        (along + np.broadcast_to(np.asarray(offset), (len(normal),))[chosen]).mean(axis=1), dtype=np.float64
    )


def all_projections(w: Floats, codes: Floats | None, boundaries: Boundaries) -> NDArray[np.float64]:
    """Return the signed distances of samples from every boundary, (N, B)."""
    return np.stack([projections(w, codes, b.normal, b.layers, b.offset) for b in boundaries], axis=1)
