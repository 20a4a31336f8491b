"""Which samples a boundary is learnt from, and how well it does on those left out (method A.2, A.3)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..counts import ceil_share, floor_share
from ..errors import DataError
from ..plugins.base import PluginConfig

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]


class Extremes(PluginConfig):
    """Config of learners that set the highest scores against the lowest."""

    positives: int | float = Field(
        default=2000, gt=0, description="highest scores: a count, or a share up to 0.5"
    )
    negatives: int | float = Field(
        default=2000, gt=0, description="lowest scores: a count, or a share up to 0.5"
    )
    train_share: float = Field(
        default=0.7, gt=0.0, lt=1.0, description="of the chosen; the others measure accuracy"
    )

    def check(self, samples: int) -> None:
        """Refuse numbers that so many samples cannot supply, before any work is done.

        Raises:
            DataError: too many positives or negatives.
        """
        count_of(self.positives, samples, "positives", "every concept")
        count_of(self.negatives, samples, "negatives", "every concept")


@dataclass(frozen=True)
class Selection:
    """Row numbers by part; labels are 1 for positives and 0 for negatives."""

    train: Rows
    train_labels: NDArray[np.int64]
    held_out: Rows
    held_out_labels: NDArray[np.int64]
    rest: Rows
    rest_labels: NDArray[np.int64]  # by the midpoint of the highest and the lowest score
    asked: tuple[int, int]  # positives and negatives that were asked for; within classes there may be fewer


def count_of(asked: int | float, available: int, what: str, concept: str) -> int:
    """A count, from a count or a share of the available samples.

    Raises:
        DataError: more than half of the samples, or none; or a number above 1 that is not whole.

    Example:
        >>> count_of(0.25, 400, "positives", "colour/red"), count_of(30, 400, "positives", "colour/red")
        (100, 30)
    """
    share = isinstance(asked, float) and asked <= 1.0
    if not share and asked != int(asked):
        raise DataError(
            f"{concept}: {asked:g} {what} were asked for; give a whole number, or a share up to 0.5"
        )
    count = floor_share(asked, available) if share else int(asked)
    if count < 2 or count > available // 2:
        change = "raise" if count < 2 <= available // 2 else "lower"
        raise DataError(
            f"{concept}: {asked:g} {what} were asked for, but there are {available} samples with a score, "
            f"so 2 to {available // 2} are possible; {change} boundary.with.{what} or raise synthesis.samples"
        )
    return count


def select(
    scores: Floats, extremes: Extremes, *, concept: str, seed: int, classes: Rows | None = None
) -> Selection:
    """Highest and lowest scores, split into training and held-out parts of equal composition.

    Args:
        scores: (N,); samples whose score is NaN are left out altogether.
        extremes: how many, and how they are split.
        concept: id, for messages, and so that every concept is split in its own way.
        seed: of the split.
        classes: of a conditional generator (N,): every class then supplies positives and negatives in
            proportion to its samples, and in one proportion to each other, so that the class tells nothing
            about the label. Classes too small for their share supply what they can.

    Raises:
        DataError: too few samples, or scores that do not tell the two ends apart.
    """
    defined = np.flatnonzero(~np.isnan(scores))
    positives = count_of(extremes.positives, len(defined), "positives", concept)
    negatives = count_of(extremes.negatives, len(defined), "negatives", concept)
    asked = (positives, negatives)
    order = defined[np.argsort(-scores[defined], kind="stable")]
    if classes is not None:
        high, low = _within_classes(scores, order, classes, positives, negatives, concept)
        positives, negatives = len(high), len(low)
    else:
        high, low = order[:positives], order[len(order) - negatives :]
    if classes is None and scores[high[-1]] <= scores[low[0]]:
        value = float(scores[low[0]])
        same = int((scores[defined] == value).sum())
        raise DataError(
            f"{concept}: the {positives} highest and {negatives} lowest scores are not apart: {same} of {len(defined)} samples "
            f"score {value:g}; ask for fewer positives or negatives, or exclude the concept"
        )
    rng = np.random.default_rng([seed, zlib.crc32(concept.encode())])
    cut_high, cut_low = (
        ceil_share(extremes.train_share, positives),
        ceil_share(extremes.train_share, negatives),
    )
    high, low = rng.permutation(high), rng.permutation(low)
    left = ~np.isnan(scores)
    left[high], left[low] = False, False
    rest = np.flatnonzero(left)
    midpoint = (float(scores[defined].max()) + float(scores[defined].min())) / 2.0
    return Selection(
        train=np.concatenate([high[:cut_high], low[:cut_low]]),
        train_labels=np.repeat([1, 0], [cut_high, cut_low]),
        held_out=np.concatenate([high[cut_high:], low[cut_low:]]),
        held_out_labels=np.repeat([1, 0], [positives - cut_high, negatives - cut_low]),
        rest=rest,
        rest_labels=(scores[rest] > midpoint).astype(np.int64),
        asked=asked,
    )


def _within_classes(
    scores: Floats, order: Rows, classes: Rows, positives: int, negatives: int, concept: str
) -> tuple[Rows, Rows]:
    """Positives and negatives by class; a class whose ends do not differ supplies none.

    Args:
        scores: (N,).
        order: rows with a score, the highest first.
        classes: (N,).
        positives: how many in all, which are shared among the classes.
        negatives: the same.
        concept: for messages.
    """
    found, sizes = np.unique(classes[order], return_counts=True)
    highs, lows = [], []
    for member, many, few in zip(found, *ends(positives, negatives, sizes), strict=True):
        rows = order[classes[order] == member]
        if many and few and scores[rows[many - 1]] > scores[rows[-few]]:
            highs.append(rows[:many])
            lows.append(rows[len(rows) - few :])
    if not highs:
        raise DataError(
            f"{concept}: {positives} positives and {negatives} negatives are shared among {len(found)} classes of up to {int(sizes.max())} samples, "
            "and no class has two ends that differ; draw fewer classes, or raise synthesis.samples"
        )
    high, low = np.concatenate(highs), np.concatenate(lows)
    return high[np.argsort(-scores[high], kind="stable")], low[np.argsort(-scores[low], kind="stable")]


def ends(
    positives: int, negatives: int, sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many positives and how many negatives each class supplies, in proportion to its size and to each other.

    The fewer of the two are shared out first, so that no class has one end alone; both ends of a class
    fit into it. Classes of odd sizes, and many small ones, may supply fewer in all than were asked for.

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
    """Shares of a total in proportion to sizes, by largest remainders; of equal ones the first.

    Args:
        total: to be shared out.
        sizes: in proportion to which.
        most: of each share; what does not fit goes to the others, and is lost where none has room.

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
    """Share of samples on the right side of a boundary; None if there are none.

    >>> accuracy(np.array([0.5, -0.1, 0.2]), np.array([1, 0, 0])) == 2 / 3
    True
    """
    if len(labels) == 0:
        return None
    return float(((distances > 0.0) == (labels == 1)).mean())
