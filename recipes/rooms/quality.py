"""Measure how far two sets of pictures are apart, in pure functions of scores and features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ks_distance(a: Array, b: Array) -> float:
    """Return the largest difference of two empirical distribution functions (Kolmogorov-Smirnov), in [0, 1].

    Args:
        a: scores of one set (N,); NaN entries are left out.
        b: scores of the other (M,).

    Returns:
        the distance; NaN if a set has no defined score.
    """
    a, b = (np.sort(x[~np.isnan(x)]) for x in (np.asarray(a, np.float64), np.asarray(b, np.float64)))
    if not len(a) or not len(b):
        return float("nan")
    both = np.concatenate([a, b])
    below_a = np.searchsorted(a, both, side="right") / len(a)
    below_b = np.searchsorted(b, both, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


class Kid(NamedTuple):
    """Hold the kernel Inception distance over subsets."""

    mean: float
    sd: float


def kernel(x: Array, y: Array) -> Array:
    """Compute the cubic polynomial kernel (x.y / d + 1)^3 of rows, (N, M)."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def squared_mmd(x: Array, y: Array) -> float:
    """Estimate the squared maximum mean discrepancy without bias; near 0, also below, for equal sets."""
    n, m = len(x), len(y)
    within_x, within_y = kernel(x, x), kernel(y, y)
    first = (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
    second = (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    return float(first + second - 2.0 * kernel(x, y).mean())


def kid(x: Array, y: Array, *, subsets: int = 50, size: int = 1000, seed: int = 0) -> Kid:
    """Return mean and sd of the squared MMD over random subsets (Binkowski et al. 2018, section 4).

    Args:
        x: features (N, D).
        y: features (M, D).
        subsets: number of pairs of subsets.
        size: size of a subset, at most N and M.
        seed: seed of the draw.
    """
    rng = np.random.default_rng(seed)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    size = min(size, len(x), len(y))
    values = [
        squared_mmd(x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)])
        for _ in range(subsets)
    ]
    return Kid(float(np.mean(values)), float(np.std(values)))


class Neighbours(NamedTuple):
    """Hold the share of generated pictures in the manifold of rendered ones, and the reverse."""

    precision: float
    recall: float


def _squared_distances(x: Array, y: Array) -> Array:
    """Return squared distances (N, M), never below zero."""
    return np.maximum((x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2.0 * x @ y.T, 0.0)


def _radii(x: Array, k: int, block: int) -> Array:
    """Return the squared distance of each row to its k-th nearest other row (N,)."""
    # Rank 0 is the row itself.
    return np.concatenate(
        [
            np.partition(_squared_distances(x[i : i + block], x), k, axis=1)[:, k]
            for i in range(0, len(x), block)
        ]
    )


def _covered(x: Array, manifold: Array, radii: Array, block: int) -> float:
    """Return the share of rows of x that lie in a ball around a row of a manifold."""
    inside = [
        (_squared_distances(x[i : i + block], manifold) <= radii[None]).any(axis=1)
        for i in range(0, len(x), block)
    ]
    return float(np.concatenate(inside).mean())


def precision_recall(generated: Array, rendered: Array, *, k: int = 3, block: int = 500) -> Neighbours:
    """Compute improved precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2).

    A set's manifold is the union of balls around its features that reach to the k-th nearest
    neighbour within the set. Features are (N, D) and (M, D), each of more than k rows.
    """
    # Distances are differences of large numbers: the common mean goes first.
    centre = np.asarray(rendered, np.float64).mean(0)
    generated, rendered = (
        np.asarray(generated, np.float64) - centre,
        np.asarray(rendered, np.float64) - centre,
    )
    return Neighbours(
        precision=_covered(generated, rendered, _radii(rendered, k, block), block),
        recall=_covered(rendered, generated, _radii(generated, k, block), block),
    )


def shows(
    shares: Array, names: tuple[str, ...], category: str, *, least: float = 0.02, part: float = 0.002
) -> NDArray[np.bool_]:
    """Return whether the segmentation shows a category's furniture over `least` of the picture (N,).

    Args:
        shares: share of the picture of each class (N, M).
        names: names of the classes.
        category: bedroom needs a bed, living_room a sofa, dining_room a table with chairs.
        least: minimum share of the furniture together.
        part: minimum share of table and of chairs.
    """
    wanted = FURNITURE[category]
    columns = shares[:, [names.index(name) for name in wanted]]
    enough: NDArray[np.bool_] = (columns.sum(axis=1) > least) & (
        columns > (part if len(wanted) > 1 else least)
    ).all(axis=1)
    return enough


FURNITURE = {"bedroom": ("bed",), "living_room": ("sofa",), "dining_room": ("table", "chair")}
