"""What becomes of each class of pixels when a picture is edited: transition counts and shares (method C, paper fig. 5). Pure.

The entry of classes a and b counts the pixels that bear label a before and b after an edit, at the
same place. K samples, M classes, R resamplings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..errors import ScoreError
from ..statistics import interval, widened

Floats = NDArray[np.float64]
Labels = NDArray[np.integer]

STUFF = frozenset(
    {
        *("wall", "floor", "flooring", "ceiling", "rug", "carpet"),
        *("sky", "clouds", "background", "building", "house", "skyscraper", "bridge"),
        *(
            "ground",
            "earth",
            "land",
            "dirt",
            "grass",
            "field",
            "lawn",
            "sand",
            "snow",
            "rock",
            "hill",
            "mountain",
        ),
        *("road", "street", "sidewalk", "pavement", "path", "runway", "tree", "trees", "vegetation"),
        *("water", "sea", "ocean", "river", "lake", "waterfall"),
    }
)
"""What has no shape of its own; all other classes are objects. Rugs are stuff, windows and curtains are objects, as in SceneParse150."""


def is_stuff(name: str) -> bool:
    """Whether a class is stuff by its name: its last word, or that of one of its synonyms.

    >>> [is_stuff(name) for name in ("left_wall", "floor, flooring", "Floor lamp", "bed")]
    [True, True, False, False]
    """
    synonyms = (re.split(r"[\s_-]+", part.strip().lower()) for part in re.split(r"[,;/]", name))
    return any(words[-1] in STUFF for words in synonyms)


class Entries(NamedTuple):
    """Pixels by sample and pair of classes; only what occurs. The pair of a and b is a M + b."""

    sample: NDArray[np.int64]
    pair: NDArray[np.int64]
    pixels: NDArray[np.int64]


def count(before: Labels, after: Labels, classes: int, *, start: int = 0) -> Entries:
    """Transitions between label maps (N, H, W) of the same samples, numbered from `start`.

    Raises:
        ScoreError: maps of different shapes, or labels that are no classes.
    """
    if before.shape != after.shape or before.ndim != 3:
        raise ScoreError(
            f"label maps have the shapes {before.shape} and {after.shape}; the same (images, height, width) was expected"
        )
    for labels in (before, after):
        if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ScoreError(
                f"label maps hold labels from {labels.min()} to {labels.max()}; there are {classes} classes, from 0"
            )
    pairs = before.reshape(len(before), -1).astype(np.int64) * classes + after.reshape(
        len(after), -1
    )  # (N, H*W)
    found = [np.unique(row, return_counts=True) for row in pairs]
    return Entries(
        np.repeat(np.arange(start, start + len(pairs), dtype=np.int64), [len(pair) for pair, _ in found]),
        np.concatenate([pair for pair, _ in found]),
        np.concatenate([pixels for _, pixels in found]).astype(np.int64),
    )


def joined(parts: Sequence[Entries]) -> Entries:
    """Entries of several batches as one."""
    return Entries(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def returned(first: Labels, second: Labels, third: Labels) -> NDArray[np.int64]:
    """Of each sample, the pixels that one hop changed, and those of them that the next changed back, (N, 2).

    >>> returned(np.array([[[0, 0, 1]]]), np.array([[[1, 1, 1]]]), np.array([[[0, 2, 1]]])).tolist()
    [[2, 1]]
    """
    changed = first != second
    back = changed & (first == third)
    return np.stack([changed.sum(axis=(1, 2)), back.sum(axis=(1, 2))], axis=1)


def share(counts: NDArray[np.int64], weights: Floats) -> tuple[float, float, float]:
    """The share of the second count in the first (K, 2) over all samples, and its 95 % bootstrap interval.

    NaN where there is none; the interval also where fewer than two samples have any of the first.
    """
    whole, part = weights @ counts[:, 0], weights @ counts[:, 1]
    total = int(counts[:, 0].sum())
    if not total:
        return float("nan"), float("nan"), float("nan")
    value = int(counts[:, 1].sum()) / total
    low, high = _share_interval(part, whole, np.array(value), int((counts[:, 0] > 0).sum()))
    return value, float(low), float(high)


def _share_interval(part: Floats, whole: Floats, value: Floats, samples: int) -> tuple[Floats, Floats]:
    """Interval, within 0 and 1, of shares (...) from resampled counts (R, ...) that rest on so many samples."""
    with np.errstate(invalid="ignore", divide="ignore"):
        replicates = np.where(whole > 0, part / whole, np.nan)
    low, high = interval(widened(replicates, value, np.array(samples)))
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


@dataclass(frozen=True)
class Transition:
    """What became of class `source` in one hop: the part of it that is `target` afterwards.

    Attributes:
        hop: which of the edits in turn, from 1.
        pixels: of all samples together.
        of_picture: their share of all pixels.
        of_source: their share of the pixels that were `source`; low and high are its 95 % bootstrap interval,
            NaN where fewer than two samples have any.
        samples: how many have any pixel of `source` before the hop.
    """

    hop: int
    source: str
    target: str
    pixels: int
    of_picture: float
    of_source: float
    low: float
    high: float
    samples: int


def transitions(entries: Entries, names: Sequence[str], weights: Floats, *, hop: int) -> list[Transition]:
    """All transitions of a hop that occur, the largest first.

    Shares are of the pixels of all samples, so a sample counts by how much of the class it shows;
    the interval resamples whole samples, because the pixels of one picture are not independent.

    Args:
        entries: of all samples.
        names: of the classes, (M,).
        weights: how often each sample is drawn in each resampling, (R, K).
        hop: which edit, from 1.
    """
    classes, samples = len(names), weights.shape[1]
    pairs, column = np.unique(entries.pair, return_inverse=True)  # (P,)
    table = csr_array(
        (entries.pixels.astype(np.float64), (entries.sample, column)), shape=(samples, len(pairs))
    )
    source = pairs // classes
    totals = np.asarray(table.sum(axis=0)).ravel()  # (P,)
    resampled = np.asarray((table.T @ weights.T).T)  # (R, P)
    occurs = np.zeros((samples, classes), dtype=bool)
    occurs[entries.sample, entries.pair // classes] = True
    of_source, low, high = (np.empty(len(pairs)) for _ in range(3))
    for a in np.unique(source):
        mine = source == a
        of_source[mine] = totals[mine] / totals[mine].sum()
        drawn = resampled[:, mine].sum(axis=1, keepdims=True)
        low[mine], high[mine] = _share_interval(
            resampled[:, mine], drawn, of_source[mine], int(occurs[:, a].sum())
        )
    order = np.argsort(-totals, kind="stable")
    everything = float(totals.sum())
    return [
        Transition(
            hop=hop,
            source=names[source[p]],
            target=names[pairs[p] % classes],
            pixels=int(totals[p]),
            of_picture=float(totals[p] / everything),
            of_source=float(of_source[p]),
            low=float(low[p]),
            high=float(high[p]),
            samples=int(occurs[:, source[p]].sum()),
        )
        for p in order
    ]


LEAST_SAMPLES = 8  # in which a class must occur for anything to be said of it
LEAST_SHARE = 0.002  # of the picture, for a class or a flow to be worth a word


def staying(rows: Sequence[Transition], kinds: Sequence[str]) -> list[Transition]:
    """How much of each of these classes keeps its label in one hop, what stays most first.

    Args:
        rows: of one hop.
        kinds: names of classes; those too small or too rare to tell are left out.
    """
    found = []
    for name in kinds:
        mine = [row for row in rows if row.source == name]
        if not mine or mine[0].samples < LEAST_SAMPLES or sum(row.of_picture for row in mine) < LEAST_SHARE:
            continue
        same = next((row for row in mine if row.target == name), None)
        found.append(same or Transition(mine[0].hop, name, name, 0, 0.0, 0.0, 0.0, 0.0, mine[0].samples))
    return sorted(found, key=lambda row: -row.of_source)


def mapped(rows: Sequence[Transition], kinds: Sequence[str]) -> list[Transition]:
    """The flows of one hop from one of these classes to another, the largest share of the picture first."""
    known = set(kinds)
    flows = [row for row in rows if row.source != row.target and row.source in known and row.target in known]
    return sorted(
        (row for row in flows if row.of_picture >= LEAST_SHARE and row.samples >= LEAST_SAMPLES),
        key=lambda row: -row.pixels,
    )
