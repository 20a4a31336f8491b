"""Select the samples that a boundary is learnt from, and measure its accuracy (method A.2, A.4)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import DataError
from ..messages import quantity
from ..plugins.base import PluginConfig
from ..rounding import ceil_share, floor_share

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]


class Extremes(PluginConfig):
    """Represent the config of learners that separate the highest scores from the lowest."""

    positives: int | float = Field(
        default=2000, gt=0, description="highest scores: a count, or a share up to 0.5"
    )
    negatives: int | float = Field(
        default=2000, gt=0, description="lowest scores: a count, or a share up to 0.5"
    )
    train_share: float = Field(
        default=0.7, gt=0.0, lt=1.0, description="of the selected samples; the others measure accuracy"
    )

    def check(self, samples: int) -> None:
        """Check before a run that this number of samples supplies the positives and negatives.

        Raises:
            DataError: there are too few samples.
        """
        count_of(self.positives, samples, "positives", "every concept")
        count_of(self.negatives, samples, "negatives", "every concept")


@dataclass(frozen=True)
class Selection:
    """Hold the row numbers of each part of the samples; labels are 1 for positives and 0 for negatives.

    Attributes:
        train: rows to learn from.
        train_labels: labels of `train`.
        held_out: selected rows that measure accuracy.
        held_out_labels: labels of `held_out`.
        rest: rows that were not selected.
        rest_labels: labels of `rest`, 1 above the midpoint of the highest and the lowest score.
        requested: counts of positives and negatives from the config; within classes fewer may be selected.
    """

    train: Rows
    train_labels: NDArray[np.int64]
    held_out: Rows
    held_out_labels: NDArray[np.int64]
    rest: Rows
    rest_labels: NDArray[np.int64]
    requested: tuple[int, int]


def count_of(requested: int | float, available: int, what: str, concept: str) -> int:
    """Return a count of samples from a count or a share of them.

    Args:
        requested: a whole number, or a float up to 0.5 for a share.
        available: number of samples.
        what: `positives` or `negatives`, for messages.
        concept: its name, for messages.

    Raises:
        DataError: fewer than 2 or more than half of the samples, or a number above 1 that is not whole.

    Example:
        >>> count_of(0.25, 400, "positives", "colour/red"), count_of(30, 400, "positives", "colour/red")
        (100, 30)
    """
    share = isinstance(requested, float) and requested <= 1.0
    if not share and requested != int(requested):
        raise DataError(
            f"{concept}: {requested:g} {what} were requested; give a whole number, or a share up to 0.5"
        )
    count = floor_share(requested, available) if share else int(requested)
    if count < 2 or count > available // 2:
        change = "raise" if count < 2 <= available // 2 else "lower"
        raise DataError(
            f"{concept}: {requested:g} {what} were requested, but there are {quantity(available, 'sample')} "
            f"with a score, so 2 to {available // 2} are possible; "
            f"{change} boundary.with.{what} or raise synthesis.samples"
        )
    return count


def select_extremes(
    scores: Floats, extremes: Extremes, *, concept: str, seed: int, classes: Rows | None = None
) -> Selection:
    """Select the samples with the highest and the lowest scores, split into train and held-out parts.

    Args:
        scores: (N,); samples whose score is NaN are left out.
        extremes: how many to select, and the share to train on.
        concept: its name, for messages; it also seeds the split.
        seed: seed of the split.
        classes: classes of a conditional generator (N,). Each class then supplies positives and negatives in
            proportion to its size, and in the same proportion to each other, so that the class says nothing
            about the label. Classes that are too small supply what they can.

    Raises:
        DataError: there are too few samples, or the highest scores equal the lowest.
    """
    defined = np.flatnonzero(~np.isnan(scores))
    positives = count_of(extremes.positives, len(defined), "positives", concept)
    negatives = count_of(extremes.negatives, len(defined), "negatives", concept)
    requested = (positives, negatives)
    order = defined[np.argsort(-scores[defined], kind="stable")]
    if classes is not None:
        high, low = _within_classes(scores, order, classes, positives, negatives, concept)
        positives, negatives = len(high), len(low)
    else:
        high, low = order[:positives], order[len(order) - negatives :]
    if classes is None and scores[high[-1]] <= scores[low[0]]:
        value = float(scores[low[0]])
        same = int((scores[defined] == value).sum())
        raise overlap(concept, positives, negatives, same, len(defined), value)
    train, train_labels, held_out, held_out_labels = split_extremes(
        high, low, extremes.train_share, concept, seed
    )
    unselected = ~np.isnan(scores)
    unselected[high], unselected[low] = False, False
    rest = np.flatnonzero(unselected)
    midpoint = (float(scores[defined].max()) + float(scores[defined].min())) / 2.0
    return Selection(
        train=train,
        train_labels=train_labels,
        held_out=held_out,
        held_out_labels=held_out_labels,
        rest=rest,
        rest_labels=(scores[rest] > midpoint).astype(np.int64),
        requested=requested,
    )


def split_extremes(
    high: Rows, low: Rows, train_share: float, concept: str, seed: int
) -> tuple[Rows, NDArray[np.int64], Rows, NDArray[np.int64]]:
    """Split positives and negatives, each with the highest score first, at random into two parts.

    Args:
        high: rows of the positives.
        low: rows of the negatives.
        train_share: share of each to train on.
        concept: its name, which seeds the split.
        seed: seed of the split.

    Returns:
        Rows to train on with their labels, and held-out rows with theirs.
    """
    rng = np.random.default_rng([seed, zlib.crc32(concept.encode())])
    cut_high, cut_low = ceil_share(train_share, len(high)), ceil_share(train_share, len(low))
    high, low = rng.permutation(high), rng.permutation(low)
    return (
        np.concatenate([high[:cut_high], low[:cut_low]]),
        np.repeat([1, 0], [cut_high, cut_low]),
        np.concatenate([high[cut_high:], low[cut_low:]]),
        np.repeat([1, 0], [len(high) - cut_high, len(low) - cut_low]),
    )


def overlap(concept: str, positives: int, negatives: int, same: int, defined: int, value: float) -> DataError:
    """Return the error for extremes that overlap.

    Args:
        concept: its name.
        positives: number of the highest scores.
        negatives: number of the lowest scores.
        same: number of samples with the score at which they overlap.
        defined: number of samples with a score.
        value: that score.
    """
    return DataError(
        f"{concept}: the {positives} highest and {negatives} lowest scores overlap: "
        f"{same} of {quantity(defined, 'sample')} score {value:g}; "
        "ask for fewer positives or negatives, or exclude the concept"
    )


def no_class_differs(concept: str, positives: int, negatives: int, sizes: NDArray[np.int64]) -> DataError:
    """Return the error for a concept whose extremes differ in no class.

    Args:
        concept: its name.
        positives: number of positives, shared among the classes.
        negatives: number of negatives.
        sizes: samples with a score in each class (G,).
    """
    return DataError(
        f"{concept}: {positives} positives and {negatives} negatives are shared among "
        f"{quantity(int((sizes > 0).sum()), 'class', 'classes')} of up to "
        f"{quantity(int(sizes.max()), 'sample')}, "
        "and in no class does the highest score differ from the lowest; "
        "draw fewer classes, or raise synthesis.samples"
    )


def _within_classes(
    scores: Floats, order: Rows, classes: Rows, positives: int, negatives: int, concept: str
) -> tuple[Rows, Rows]:
    """Select positives and negatives within each class.

    A class whose highest and lowest scores are equal supplies none.

    Args:
        scores: (N,).
        order: rows with a score, the highest first.
        classes: (N,).
        positives: total, shared among the classes.
        negatives: the same.
        concept: its name, for messages.

    Returns:
        Rows of positives and of negatives, each with the highest score first.

    Raises:
        DataError: no class supplies any.
    """
    members, sizes = np.unique(classes[order], return_counts=True)
    highs, lows = [], []
    for member, many, few in zip(members, *ends(positives, negatives, sizes), strict=True):
        rows = order[classes[order] == member]
        if many and few and scores[rows[many - 1]] > scores[rows[-few]]:
            highs.append(rows[:many])
            lows.append(rows[len(rows) - few :])
    if not highs:
        raise no_class_differs(concept, positives, negatives, sizes)
    high, low = np.concatenate(highs), np.concatenate(lows)
    return high[np.argsort(-scores[high], kind="stable")], low[np.argsort(-scores[low], kind="stable")]


def ends(
    positives: int, negatives: int, sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Compute how many positives and negatives each class supplies.

    Both are in proportion to the size of the class, and in one proportion to each other.

    The smaller of the two totals is shared out first, so that no class supplies positives alone or negatives
    alone. A class never supplies more than it has. Classes of odd size, or many small classes, may supply
    fewer in total than requested.

    Args:
        positives: total.
        negatives: total.
        sizes: samples in each class (G,).

    Returns:
        Positives (G,) and negatives (G,).

    >>> [share.tolist() for share in ends(100, 100, np.full(40, 5))][0][:3]
    [2, 2, 2]
    >>> [share.tolist() for share in ends(6, 3, np.array([10, 10, 1]))]
    [[4, 2, 0], [2, 1, 0]]
    """
    fewer, more = min(positives, negatives), max(positives, negatives)
    few = apportion(fewer, sizes, np.maximum(sizes * fewer // (fewer + more), (sizes > 1).astype(np.int64)))
    many = apportion(more * int(few.sum()) // fewer, few, sizes - few)
    return (many, few) if positives > negatives else (few, many)


def apportion(
    total: int, sizes: NDArray[np.int64], most: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Share out a total in proportion to sizes, by the method of largest remainders; the first wins a tie.

    Args:
        total: number to share out.
        sizes: sizes that the shares are proportional to (G,).
        most: limit of each share (G,). The surplus goes to shares with room, and is lost if none has any.

    Returns:
        Whole numbers (G,).

    >>> apportion(7, np.array([10, 10, 1])).tolist()
    [4, 3, 0]
    >>> apportion(7, np.array([10, 10, 1]), np.array([3, 9, 1])).tolist()
    [3, 4, 0]
    """
    if not sizes.sum():
        return np.zeros_like(sizes)
    most = np.full_like(sizes, total) if most is None else most
    exact = total * sizes / sizes.sum()
    shares: NDArray[np.int64] = np.minimum(np.floor(exact).astype(np.int64), most)
    while left := total - int(shares.sum()):
        room = np.flatnonzero((shares < most) & (sizes > 0))
        if not len(room):
            break
        late = room[np.argsort((shares - exact)[room], kind="stable")][:left]
        shares[late] += 1
    return shares


def accuracy(distances: Floats, labels: NDArray[np.int64]) -> float | None:
    """Compute the share of samples on the correct side of a boundary; None without samples.

    Args:
        distances: signed distances (N,).
        labels: 1 for positives, 0 for negatives (N,).

    >>> accuracy(np.array([0.5, -0.1, 0.2]), np.array([1, 0, 0])) == 2 / 3
    True
    """
    if len(labels) == 0:
        return None
    return float(((distances > 0.0) == (labels == 1)).mean())
