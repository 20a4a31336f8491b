"""Select the extremes of many concepts without holding their scores: find where each selection is cut.

The positives of a concept are the scores above a cut, and the first of those equal to it; the negatives are
the scores below another, and the last of those equal to it. So a few numbers per concept (and class) say for
every sample whether it was selected, exactly as `selection.select_extremes` does from an array.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..probing.order_statistics import Counts, cells_at_once, order_statistics
from ..storage.rows import Rows, blocks, with_columns
from .selection import Extremes, count_of, ends, no_class_differs, overlap, split_extremes

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Classes = NDArray[np.int64] | None

HIGH, LOW = 0, 1
MEMORY = 2**26  # bytes of selected rows that are held at a time
ROW_BYTES = 2 * (8 + 4) + 8  # of a selected sample of a concept: row and score, twice, and its label


@dataclass(frozen=True)
class Cuts:
    """Hold the cuts of C concepts in each of G classes, or in all samples (G = 1).

    Attributes:
        members: the classes, (G,); None for one cut for all samples.
        value: lowest score of the positives and highest of the negatives, (2, G, C); NaN where a class
            supplies none.
        taken: how many of the scores equal to the cut are selected, (2, G, C).
        equal: how many there are, (2, G, C).
        counts: number of positives and of negatives of each concept, (2, C).
        requested: the same, as the config asks for.
        midpoint: between the highest and the lowest score, (C,).
    """

    members: NDArray[np.int64] | None
    value: Floats
    taken: Counts
    equal: Counts
    counts: Counts
    requested: Counts
    midpoint: NDArray[np.float64]

    def portions(self) -> Iterator[list[int]]:
        """Yield the concepts in portions whose selected rows fit into memory together."""
        return portions((ROW_BYTES * self.counts.sum(axis=0)).tolist(), MEMORY)

    def of(self, columns: Sequence[int]) -> Cuts:
        """Return the cuts of some concepts."""
        chosen = list(columns)
        return Cuts(
            self.members,
            self.value[..., chosen],
            self.taken[..., chosen],
            self.equal[..., chosen],
            self.counts[:, chosen],
            self.requested[:, chosen],
            self.midpoint[chosen],
        )

    def groups(self, classes: Classes) -> NDArray[np.int64] | None:
        """Return the position of the class of each sample among `members`, (N,)."""
        return None if self.members is None or classes is None else np.searchsorted(self.members, classes)

    def selected(self, scores: Rows, classes: Classes) -> Iterator[tuple[slice, Floats, Mask, Mask]]:
        """Yield blocks of scores (n, C) with which of them are positives and which negatives, (n, C) each.

        Args:
            scores: (N, C), those that the cuts were made from.
            classes: (N,), the same.
        """
        groups, seen = self.groups(classes), np.zeros(self.taken.shape, dtype=np.int64)
        # Of the scores equal to a cut, the first are positives and the last are negatives.
        first = np.stack([np.zeros_like(self.taken[LOW]), self.equal[LOW] - self.taken[LOW]])
        for here, (block,) in blocks(scores):
            group = None if groups is None else groups[here]
            cut = self.value if group is None else self.value[:, group]  # (2, 1 or n, C)
            ends = block > cut[HIGH], block < cut[LOW]
            for end in (HIGH, LOW):
                row, column = np.nonzero(block == cut[end])
                cell = column if group is None else column + block.shape[1] * group[row]
                rank = _ranks(cell, seen[end].reshape(-1))
                start, taken = first[end].reshape(-1)[cell], self.taken[end].reshape(-1)[cell]
                ends[end][row, column] = (rank >= start) & (rank < start + taken)
            yield here, block, *ends


def _ranks(cell: NDArray[np.int64], seen: Counts) -> NDArray[np.int64]:
    """Return how many entries of the same cell come before each, and add their numbers to those `seen`."""
    order = np.argsort(cell, kind="stable")
    ordered = cell[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    sizes = np.diff(starts, append=len(ordered))
    rank = np.empty(len(cell), dtype=np.int64)
    rank[order] = np.arange(len(cell)) - np.repeat(starts, sizes) + seen[ordered]
    seen[ordered[starts]] += sizes
    return rank


def cuts_of(scores: Rows, extremes: Extremes, names: Sequence[str], classes: Classes = None) -> Cuts:
    """Find the cuts of each concept, from a few passes through the scores.

    Args:
        scores: (N, C), NaN where a concept is undefined.
        extremes: how many to select.
        names: of the concepts, for messages, (C,).
        classes: classes of a conditional generator (N,), as for `select_extremes`.

    Raises:
        DataError: there are too few samples, or the highest scores equal the lowest.
    """
    members = None if classes is None else np.unique(classes)
    groups = 1 if members is None else len(members)
    at_once = max(cells_at_once(2) // groups, 1)
    parts = []
    for start in range(0, len(names), at_once):
        some = range(start, min(start + at_once, len(names)))
        parts.append(
            _cuts_of(with_columns(scores, some), extremes, [names[j] for j in some], classes, members)
        )
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=-1)
        for name in ("value", "taken", "equal", "counts", "requested", "midpoint")
    }
    return Cuts(members, **joined)


def _cuts_of(
    scores: Rows,
    extremes: Extremes,
    names: Sequence[str],
    classes: Classes,
    members: NDArray[np.int64] | None,
) -> Cuts:
    """Find the cuts of concepts that are few enough for one set of passes."""
    groups, columns = 1 if members is None else len(members), len(names)
    position = None if members is None or classes is None else np.searchsorted(members, classes)
    requested = np.zeros((2, columns), dtype=np.int64)
    wanted = np.zeros((2, groups, columns), dtype=np.int64)  # in each class
    sizes = np.zeros((groups, columns), dtype=np.int64)
    lowest, highest = np.full(columns, np.nan, np.float32), np.full(columns, np.nan, np.float32)

    def read() -> Iterator[tuple[Floats, NDArray[np.int64] | None]]:
        for here, (block,) in blocks(scores):
            np.fmin(lowest, np.fmin.reduce(block, axis=0), out=lowest)
            np.fmax(highest, np.fmax.reduce(block, axis=0), out=highest)
            yield block, None if position is None else position[here]

    def ranks_of(counts: Counts) -> Counts:
        sizes[:] = counts
        for j, name in enumerate(names):
            defined = int(counts[:, j].sum())
            requested[HIGH, j] = count_of(extremes.positives, defined, "positives", name)
            requested[LOW, j] = count_of(extremes.negatives, defined, "negatives", name)
            both = (int(requested[HIGH, j]), int(requested[LOW, j]))
            wanted[:, :, j] = (
                np.stack(ends(*both, counts[:, j])) if classes is not None else requested[:, [j]]
            )
        none = (wanted == 0).any(axis=0)  # (G, C)
        wanted[:, none] = 0
        return np.where(none, -1, np.stack([counts - wanted[HIGH], wanted[LOW] - 1]))

    found = order_statistics(read, groups, columns, ranks_of, 2)
    value, below, equal = found.value.copy(), found.below, found.equal
    with np.errstate(invalid="ignore"):
        apart = value[HIGH] > value[LOW]  # (G, C)
    for j, name in enumerate(names):
        if not apart[:, j].any():
            both = int(requested[HIGH, j]), int(requested[LOW, j])
            if classes is not None:
                raise no_class_differs(name, *both, sizes[:, j])
            raise overlap(name, *both, equal[LOW, 0, j], sizes[0, j], value[LOW, 0, j])
    value[:, ~apart] = np.nan
    wanted[:, ~apart] = 0
    above = sizes - below[HIGH] - equal[HIGH]
    taken = np.where(apart, np.stack([wanted[HIGH] - above, wanted[LOW] - below[LOW]]), 0)
    midpoint = (highest.astype(np.float64) + lowest.astype(np.float64)) / 2.0
    return Cuts(members, value, taken, equal, wanted.sum(axis=1), requested, midpoint)


class Split(NamedTuple):
    """Hold the selected rows of one concept, to train on and held out; labels are 1 for positives, else 0."""

    train: NDArray[np.int64]
    train_labels: NDArray[np.int64]
    held_out: NDArray[np.int64]
    held_out_labels: NDArray[np.int64]


def portions(sizes: Iterable[int], most: int) -> Iterator[list[int]]:
    """Yield the positions of consecutive sizes that add up to `most` or less; one that exceeds it, alone.

    >>> list(portions([2, 2, 5, 1], 4))
    [[0, 1], [2], [3]]
    """
    portion: list[int] = []
    held = 0
    for i, size in enumerate(sizes):
        if portion and held + size > most:
            yield portion
            portion, held = [], 0
        portion.append(i)
        held += size
    if portion:
        yield portion


def splits_of(
    scores: Rows, cuts: Cuts, extremes: Extremes, names: Sequence[str], seed: int, classes: Classes
) -> list[Split]:
    """Collect the selected rows of each concept in one pass, and split them as `select_extremes` does.

    Args:
        scores: (N, C), those that the cuts were made from.
        cuts: of these C concepts.
        extremes: gives the share to train on.
        names: of the concepts; they seed the splits, (C,).
        seed: seed of the splits.
        classes: (N,), as for the cuts.
    """
    rows: tuple[list[list[NDArray[np.int64]]], ...] = tuple([[] for _ in names] for _ in (HIGH, LOW))
    values: tuple[list[list[Floats]], ...] = tuple([[] for _ in names] for _ in (HIGH, LOW))
    for here, block, *ends_of in cuts.selected(scores, classes):
        for end, chosen in enumerate(ends_of):
            column, row = np.nonzero(chosen.T)
            edges = np.searchsorted(column, np.arange(len(names) + 1))
            for j, (first, last) in enumerate(pairwise(edges)):
                if first < last:
                    own = row[first:last]
                    rows[end][j].append(own + here.start)
                    values[end][j].append(block[own, j])
    splits = []
    for j, name in enumerate(names):
        high, low = (_descending(rows[end][j], values[end][j], classes) for end in (HIGH, LOW))
        splits.append(Split(*split_extremes(high, low, extremes.train_share, name, seed)))
    return splits


def _descending(
    parts: Sequence[NDArray[np.int64]], values: Sequence[Floats], classes: Classes
) -> NDArray[np.int64]:
    """Return rows by score, the highest first; equal scores in the order of classes, then of rows."""
    rows, scores = np.concatenate(parts), np.concatenate(values)
    if classes is not None:
        order = np.argsort(classes[rows], kind="stable")
        rows, scores = rows[order], scores[order]
    return np.asarray(rows[np.argsort(-scores, kind="stable")])
