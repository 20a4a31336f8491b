"""Give directions that were found without labels a target concept, and match those found again (method A).

A direction without labels means nothing by itself. Re-scoring measures its effect on every concept; what must
be known before that is which concept it is judged by, because that concept must not be chosen by the same
samples. So its target is the concept whose scores correlate best with the signed distances of the probing
samples, and verification samples play no part in the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..plugins.boundary import Boundaries, Boundary
from ..plugins.records import Concept
from ..probing.column_moments import ColumnMoments
from ..storage.rows import Rows, blocks

Floats = NDArray[np.float32]
ROUNDING = 1e-12


def with_targets(
    boundaries: Boundaries,
    latents: Rows,
    scores: Rows,
    concepts: Sequence[Concept],
) -> Boundaries:
    """Return the boundaries, each direction without labels with its target and in its positive sense.

    The target of a direction is the concept j with the largest |r_j|, where r_j is Pearson's correlation of
    its signed distances with the scores of j; with r_j < 0 the direction is turned round. The facts
    `target_correlation` and `target_among` store |r_j| and the number of concepts.

    Args:
        boundaries: learnt boundaries and directions without labels; those that have a concept stay.
        latents: w (N, D), codes (N, L, D), or styles (N, S), in the space of the directions.
        scores: (N, C), NaN where a concept is undefined.
        concepts: concepts of the C columns.

    Raises:
        DataError: no score varies together with anything, so there is nothing to judge a direction by.
    """
    if all(boundary.concept for boundary in boundaries):
        return boundaries
    if not concepts:
        raise DataError("no concept varies, so directions without labels cannot be judged")
    without = [boundary for boundary in boundaries if not boundary.concept]
    table = iter(correlations(DistanceRows(without, latents), scores))
    found = []
    for boundary in boundaries:
        if boundary.concept:
            found.append(boundary)
            continue
        r = next(table)  # (C,)
        j = int(np.abs(r).argmax())
        sign = np.float32(-1.0 if r[j] < 0.0 else 1.0)
        chosen = {"target_correlation": round(float(abs(r[j])), 6), "target_among": len(concepts)}
        found.append(
            replace(
                boundary,
                concept=concepts[j].name,
                level=concepts[j].level,
                normal=sign * boundary.normal,
                offset=sign * boundary.offset,
                facts={**boundary.facts, **chosen},
            )
        )
    return Boundaries(found)


def ways_of_choice(boundaries: Sequence[Boundary]) -> NDArray[np.int64]:
    """Return from how many concepts and senses each boundary's own concept was chosen, (B,).

    It is 2 C for the target of a direction without labels, chosen among C concepts, and 1 for a boundary that
    was learnt from the scores of its concept. Any direction moves the best of many concepts further than a
    random direction moves one that was named beforehand, so tests of targets have to count the choice.
    """
    return np.array([max(2 * int(b.facts.get("target_among", 0)), 1) for b in boundaries], dtype=np.int64)


def distances(boundary: Boundary, latents: Floats) -> NDArray[np.float64]:
    """Return n.x + b of each sample (N,), averaged over the boundary's layers where it has one per layer.

    Args:
        boundary: in the space of the latents.
        latents: w (N, D), codes (N, L, D), or styles (N, S); codes of which w is asked are averaged over the
            layers.
    """
    normal, offset = boundary.normal.astype(np.float64), np.asarray(boundary.offset, dtype=np.float64)
    if normal.ndim == 2:
        layers = list(range(len(normal)) if boundary.layers is None else boundary.layers)
        by_layer = latents if latents.ndim == 3 else latents[:, None].repeat(len(normal), axis=1)
        products = np.einsum("nld,ld->nl", by_layer[:, layers], normal[layers])  # (N, layers)
        return np.asarray((products + np.broadcast_to(offset, len(normal))[layers]).mean(axis=1))
    if latents.ndim == 3:
        layers = list(range(latents.shape[1]) if boundary.layers is None else boundary.layers)
        latents = latents[:, layers].mean(axis=1)
    return np.asarray(latents.astype(np.float64) @ normal + float(offset))


class DistanceRows:
    """Represent the signed distances of samples from B boundaries as a table (N, B), computed when read."""

    def __init__(self, boundaries: Sequence[Boundary], latents: Rows) -> None:
        self._boundaries, self._latents = boundaries, latents
        self.shape = (latents.shape[0], len(boundaries))

    def __getitem__(self, rows: slice) -> NDArray[np.float64]:
        """Return the distances of consecutive samples, (n, B)."""
        block = self._latents[rows]
        return np.stack([distances(boundary, block) for boundary in self._boundaries], axis=1)


def correlations(values: Rows, scores: Rows) -> NDArray[np.float64]:
    """Return Pearson's correlations of columns of values (N, B) with columns of scores (N, C), (B, C).

    Undefined pairs are left out. A correlation is 0 where either does not vary. Both tables are read twice,
    block by block.

    >>> correlations(np.array([[0.0], [1.0], [2.0]]), np.array([[1.0, 5.0], [0.0, 5.0], [-1.0, 5.0]]))
    array([[-1.,  0.]])
    """
    sizes = values.shape[1], scores.shape[1]
    x_at, y_at = ColumnMoments(sizes[0]), ColumnMoments(sizes[1])
    x_size, y_size = (np.zeros(size) for size in sizes)
    for _, (x, y) in blocks(values, scores):
        x_at.add(x)
        y_at.add(y)
        x_size = np.maximum(x_size, np.abs(x).max(axis=0))
        y_size = np.fmax(y_size, np.fmax.reduce(np.abs(y), axis=0))
    # Divided by their spread, numbers of any size can be squared.
    x_sd = np.sqrt(x_at.squares / np.maximum(x_at.count, 1))
    y_sd = np.sqrt(y_at.squares / np.maximum(y_at.count, 1))
    number, sum_x, sum_y, xx, yy, xy = (np.zeros(sizes) for _ in range(6))
    for _, (x, y) in blocks(values, scores):
        known = ~np.isnan(y)
        u = (x - x_at.mean) / np.where(x_sd > 0.0, x_sd, 1.0)  # (n, B)
        v = np.where(known, (y - y_at.mean) / np.where(y_sd > 0.0, y_sd, 1.0), 0.0)  # (n, C)
        one = known.astype(np.float64)
        number += one.sum(axis=0)
        sum_x += u.T @ one
        sum_y += v.sum(axis=0)
        xx += np.square(u).T @ one
        yy += np.square(v).sum(axis=0)
        xy += u.T @ v
    count = np.maximum(number, 1.0)
    xx, yy, xy = xx - sum_x**2 / count, yy - sum_y**2 / count, xy - sum_x * sum_y / count
    # Numbers that differ by no more than rounding, which depends on their size, do not vary.
    varies = (x_sd > ROUNDING * x_size)[:, None] & (y_sd > ROUNDING * y_size) & (xx > ROUNDING) & (yy > 0.0)
    return np.where(varies, xy / np.sqrt(np.where(varies, xx * yy, 1.0)), 0.0)


def matched(again: Boundaries, before: Boundaries) -> Boundaries:
    """Return directions found again under the names, targets and senses of those found before.

    Pairs are chosen so that the sum of their |cosine| is largest (Kuhn, Naval Research Logistics Quarterly 2,
    1955), because a component of a resample may come at another rank. A normal per layer counts as one long
    vector. Boundaries with a concept of their own keep their names.

    Args:
        again: found in a resample.
        before: found in all samples.
    """
    from scipy.optimize import linear_sum_assignment  # takes long to import, and is needed here alone

    wanted = [boundary for boundary in before if boundary.direction and not boundary.given]
    found = [boundary for boundary in again if boundary.direction]
    others = [boundary for boundary in again if not boundary.direction]
    if not wanted or not found:
        return Boundaries(others)
    cosine = _rows(found) @ _rows(wanted).T
    pairs = zip(*linear_sum_assignment(-np.abs(cosine)), strict=True)
    named = []
    for i, j in pairs:
        sign = np.float32(-1.0 if cosine[i, j] < 0.0 else 1.0)
        normal, offset = sign * found[i].normal, sign * found[i].offset
        named.append(replace(wanted[j], normal=normal, offset=offset, facts=found[i].facts))
    return Boundaries([*others, *named])


def _rows(boundaries: Sequence[Boundary]) -> NDArray[np.float64]:
    """Return the normals as unit rows, (B, D) or (B, L D)."""
    rows = np.stack([boundary.normal.reshape(-1).astype(np.float64) for boundary in boundaries])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
