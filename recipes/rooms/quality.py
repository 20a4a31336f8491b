"""How far two sets of pictures lie apart: pure functions of scores and features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ks_distance(a: Array, b: Array) -> float:
    """Largest difference of two empirical distribution functions (Kolmogorov-Smirnov), in [0, 1].

    Args:
        a: scores of one set (N,); NaN entries are left out.
        b: scores of the other (M,).

    Returns:
        The distance; NaN where a set has no score that is defined.
    """
    a, b = (np.sort(x[~np.isnan(x)]) for x in (np.asarray(a, np.float64), np.asarray(b, np.float64)))
    if not len(a) or not len(b):
        return float("nan")
    both = np.concatenate([a, b])
    below_a = np.searchsorted(a, both, side="right") / len(a)
    below_b = np.searchsorted(b, both, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


class Kid(NamedTuple):
    """Kernel Inception distance over subsets."""

    mean: float
    sd: float


def kernel(x: Array, y: Array) -> Array:
    """The cubic polynomial kernel (x.y / d + 1)^3 of rows: (N, M)."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def squared_mmd(x: Array, y: Array) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy; about 0, also below, for equal sets."""
    n, m = len(x), len(y)
    within_x, within_y = kernel(x, x), kernel(y, y)
    first = (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
    second = (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    return float(first + second - 2.0 * kernel(x, y).mean())


def kid(x: Array, y: Array, *, subsets: int = 50, size: int = 1000, seed: int = 0) -> Kid:
    """Mean and standard deviation of the squared MMD over random subsets (Binkowski et al. 2018, section 4).

    Args:
        x: features (N, D).
        y: features (M, D).
        subsets: how many pairs of subsets are drawn.
        size: of a subset, at most N and M.
        seed: of the draw.
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
    """Share of generated pictures in the manifold of rendered ones, and the other way round."""

    precision: float
    recall: float


def _squared_distances(x: Array, y: Array) -> Array:
    """(N, M), never below zero."""
    return np.maximum((x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2.0 * x @ y.T, 0.0)


def _radii(x: Array, k: int, block: int) -> Array:
    """Squared distance of each row to its k-th nearest other row (N,)."""
    # Rank 0 is the row itself.
    return np.concatenate(
        [
            np.partition(_squared_distances(x[i : i + block], x), k, axis=1)[:, k]
            for i in range(0, len(x), block)
        ]
    )


def _covered(x: Array, manifold: Array, radii: Array, block: int) -> float:
    """Share of rows of x that lie in one of the balls around the rows of a manifold."""
    inside = [
        (_squared_distances(x[i : i + block], manifold) <= radii[None]).any(axis=1)
        for i in range(0, len(x), block)
    ]
    return float(np.concatenate(inside).mean())


def precision_recall(generated: Array, rendered: Array, *, k: int = 3, block: int = 500) -> Neighbours:
    """Improved precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2).

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
    """Whether the segmentation shows the furniture of a category over `least` of the picture (N,).

    Args:
        shares: of the picture that each class takes (N, M).
        names: of the classes.
        category: bedroom wants its bed, living_room its sofa, dining_room its table with chairs.
        least: share that the furniture takes together.
        part: share that table and chairs each take at least.
    """
    wanted = FURNITURE[category]
    columns = shares[:, [names.index(name) for name in wanted]]
    enough: NDArray[np.bool_] = (columns.sum(axis=1) > least) & (
        columns > (part if len(wanted) > 1 else least)
    ).all(axis=1)
    return enough


FURNITURE = {"bedroom": ("bed",), "living_room": ("sofa",), "dining_room": ("table", "chair")}
