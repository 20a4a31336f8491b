"""Normalise the hyperplanes of a learner, and measure their accuracies while the samples are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.boundaries.cuts import Cuts
from ...core.boundaries.hyperplane import normalise_hyperplane
from ...core.storage.rows import block_rows, with_columns
from .common import Facts, Hyperplane, LinearFit, Samples

BLOCK_COLUMNS = 16  # boundaries evaluated in one matrix product

Mask = NDArray[np.bool_]
Parts = Callable[[slice, Mask], tuple[Mask, Mask]]
"""Maps rows, and which of them are extremes (n, C), to which are held out and which measure the rest."""


def as_fits(
    hyperplanes: Sequence[Sequence[Hyperplane]], names: Sequence[str], facts: Sequence[Sequence[Facts]] | None
) -> list[list[LinearFit]]:
    """Return hyperplanes as fits with unit normals.

    With v the coefficients and b the intercept, the normal is n = v / |v| and the offset b / |v|, so that
    n.w + b / |v| is the signed distance of w (method A.3).

    Args:
        hyperplanes: by concept and layer, in the coordinates of w.
        names: ids of the concepts, for messages.
        facts: accuracies, by concept and layer; None without.

    Raises:
        DataError: coefficients that are all zero or not finite.
    """
    return [
        [
            _as_fit(plane, name, {} if facts is None else facts[j][layer])
            for layer, plane in enumerate(hyperplanes[j])
        ]
        for j, name in enumerate(names)
    ]


def _as_fit(plane: Hyperplane, name: str, facts: Facts) -> LinearFit:
    """Return a hyperplane as a fit with a unit normal."""
    normal, offset = normalise_hyperplane(plane.coefficients, plane.intercept, concept=name)
    slope = None if plane.slope is None else plane.slope / np.linalg.norm(plane.slope)
    return LinearFit(normal, offset, facts | plane.facts, slope)


def accuracies(
    samples: Samples,
    columns: Sequence[int],
    fits: Sequence[Sequence[LinearFit]],
    cuts: Cuts,
    parts: Parts,
) -> list[list[Facts]]:
    """Measure accuracy on held-out extremes and on the rest, in one pass through the samples.

    Accuracy is the share of samples whose distance has the sign of their label. Labels of the rest are those
    of scores above the midpoint of the highest and the lowest score.

    Args:
        samples: codes and scores.
        columns: the C concepts.
        fits: by concept and layer.
        cuts: of these concepts.
        parts: says which samples are held out.

    Returns:
        Facts by concept and layer.
    """
    names, layers = [samples.names[j] for j in columns], len(samples.layers)
    normals = np.stack([[fit.normal for fit in row] for row in fits]).astype(np.float32)  # (C, L, D)
    offsets = np.array([[fit.offset for fit in row] for row in fits], dtype=np.float32)  # (C, L)
    held_out, rest = np.zeros(len(names), dtype=np.int64), np.zeros(len(names), dtype=np.int64)
    right_held_out, right_rest = (np.zeros((layers, len(names)), dtype=np.int64) for _ in range(2))
    size = block_rows(samples.latents)
    for block, scores, high, low in cuts.selected(with_columns(samples.scores, columns), samples.classes):
        for start in range(block.start, block.stop, size):
            here = slice(start, min(start + size, block.stop))
            within = slice(here.start - block.start, here.stop - block.start)
            positive, selected = high[within], (high | low)[within]
            is_held_out, is_rest = parts(here, selected)
            is_rest = is_rest & ~np.isnan(scores[within])
            held_out, rest = held_out + is_held_out.sum(axis=0), rest + is_rest.sum(axis=0)
            above, codes = scores[within] > cuts.midpoint, samples.latents[here]  # (n, C), (n, L, D)
            for layer in samples.layers:
                side = _distances(codes[:, layer], normals[:, layer]) + offsets[:, layer] > 0.0  # (n, C)
                right_held_out[layer] += ((side == positive) & is_held_out).sum(axis=0)
                right_rest[layer] += ((side == above) & is_rest).sum(axis=0)
    return [
        [
            {
                "positives": int(cuts.counts[0, j]),
                "negatives": int(cuts.counts[1, j]),
                "positives_asked": int(cuts.requested[0, j]),
                "negatives_asked": int(cuts.requested[1, j]),
                "held_out": int(held_out[j]),
                "held_out_accuracy": _share(right_held_out[layer, j], held_out[j]),
                "rest_accuracy": _share(right_rest[layer, j], rest[j]),
            }
            for layer in samples.layers
        ]
        for j in range(len(names))
    ]


def _distances(codes: NDArray[np.float32], normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products (n, C) of codes (n, D) and normals (C, D).

    Always so many columns are multiplied, so that rounding does not depend on the number of concepts.
    """
    products = np.empty((len(codes), len(normals)), dtype=np.float32)
    for start in range(0, len(normals), BLOCK_COLUMNS):
        some = normals[start : start + BLOCK_COLUMNS]
        block = np.zeros((codes.shape[1], BLOCK_COLUMNS), dtype=np.float32)
        block[:, : len(some)] = some.T
        products[:, start : start + BLOCK_COLUMNS] = (codes @ block)[:, : len(some)]
    return products


def _share(right: int, count: int) -> float | None:
    """Return a share, or None without samples."""
    return float(right) / float(count) if count else None
