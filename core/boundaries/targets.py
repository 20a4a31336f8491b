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

Floats = NDArray[np.float32]


def with_targets(
    boundaries: Boundaries,
    latents: Floats,
    scores: Floats,
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
    found = []
    for boundary in boundaries:
        if boundary.concept:
            found.append(boundary)
            continue
        r = correlations(distances(boundary, latents), scores)  # (C,)
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


def correlations(values: NDArray[np.float64], scores: Floats) -> NDArray[np.float64]:
    """Return Pearson's correlation of values (N,) with each column of scores (N, C), without undefined pairs.

    It is 0 where either does not vary.

    >>> correlations(np.array([0.0, 1.0, 2.0]), np.array([[1.0, 5.0], [0.0, 5.0], [-1.0, 5.0]]))
    array([-1.,  0.])
    """
    known = ~np.isnan(scores)
    x, y = _about_means(values[:, None], known), _about_means(scores, known)
    size = np.sqrt(np.square(x).sum(axis=0) * np.square(y).sum(axis=0))
    return np.where(size > 0.0, (x * y).sum(axis=0) / np.where(size > 0.0, size, 1.0), 0.0)


def _about_means(values: NDArray[np.floating], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return columns (N, C), or one for all, without their means and from -1 to 1; 0 where not known.

    A column whose numbers differ by no more than rounding is 0. What that is depends on their size.
    """
    whole = np.where(known, values, 0.0).astype(np.float64)
    apart = np.where(known, whole - whole.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)
    most, size = np.abs(apart).max(axis=0, initial=0.0), np.abs(whole).max(axis=0, initial=0.0)
    varies = most > 1e-12 * size
    return np.where(varies, apart / np.where(varies, most, 1.0), 0.0)


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
