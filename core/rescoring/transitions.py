"""Count how the classes of pixels change when images are edited (method C; figure 5 of the paper). Pure.

The entry T[a, b] of a transition matrix counts the pixels with label a before and label b after an edit, at
the same place. K samples, M classes, R resamplings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
"""Classes without a shape of their own ("stuff"); all others are objects.

As in SceneParse150, rugs are stuff, and windows and curtains are objects.
"""


def is_stuff(name: str) -> bool:
    """Check whether a class is stuff, by the last word of its name or of one of its synonyms.

    >>> [is_stuff(name) for name in ("left_wall", "floor, flooring", "Floor lamp", "bed")]
    [True, True, False, False]
    """
    synonyms = (re.split(r"[\s_-]+", part.strip().lower()) for part in re.split(r"[,;/]", name))
    return any(words[-1] in STUFF for words in synonyms)


class Entries(NamedTuple):
    """Represent transition matrices of samples in sparse form, one entry per sample and pair that occurs.

    Attributes:
        sample: number of the sample, (E,).
        pair: a M + b for the classes a before and b after, (E,).
        pixels: number of pixels, (E,).
    """

    sample: NDArray[np.int64]
    pair: NDArray[np.int64]
    pixels: NDArray[np.int64]


def count(before: Labels, after: Labels, classes: int, *, start: int = 0) -> Entries:
    """Count the transitions between two label maps of the same samples.

    Args:
        before: labels before the edit, (N, H, W), 0 to M - 1.
        after: labels after the edit, same shape.
        classes: M.
        start: number of the first sample.

    Raises:
        ScoreError: the shapes differ, or a label is out of range.
    """
    if before.shape != after.shape or before.ndim != 3:
        raise ScoreError(
            f"label maps have the shapes {before.shape} and {after.shape}; "
            "both must have the same shape (images, height, width)"
        )
    for labels in (before, after):
        if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ScoreError(
                f"label maps hold labels from {labels.min()} to {labels.max()}; "
                f"{classes} classes have labels from 0 to {classes - 1}"
            )
    pairs = before.reshape(len(before), -1).astype(np.int64) * classes + after.reshape(
        len(after), -1
    )  # (N, H*W)
    counts = [np.unique(row, return_counts=True) for row in pairs]
    return Entries(
        np.repeat(np.arange(start, start + len(pairs), dtype=np.int64), [len(pair) for pair, _ in counts]),
        np.concatenate([pair for pair, _ in counts]),
        np.concatenate([pixels for _, pixels in counts]).astype(np.int64),
    )


def joined(parts: Sequence[Entries]) -> Entries:
    """Join the entries of several batches."""
    return Entries(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def returned(first: Labels, second: Labels, third: Labels) -> NDArray[np.int64]:
    """Count the pixels that one edit (hop) changed, and those that the next one changed back, (N, 2).

    >>> returned(np.array([[[0, 0, 1]]]), np.array([[[1, 1, 1]]]), np.array([[[0, 2, 1]]])).tolist()
    [[2, 1]]
    """
    changed = first != second
    back = changed & (first == third)
    return np.stack([changed.sum(axis=(1, 2)), back.sum(axis=(1, 2))], axis=1)


def share(counts: NDArray[np.int64], weights: Floats) -> tuple[float, float, float]:
    """Return the share of the second count in the first over all samples, and its 95 % bootstrap interval.

    Args:
        counts: whole and part of each sample, (K, 2).
        weights: how often each sample is drawn in each resampling, (R, K).

    Returns:
        sum part / sum whole, low and high. All are NaN if the whole is zero; the interval is NaN also if
        fewer than two samples have a whole above zero.
    """
    whole, part = weights @ counts[:, 0], weights @ counts[:, 1]
    total = int(counts[:, 0].sum())
    if not total:
        return float("nan"), float("nan"), float("nan")
    value = int(counts[:, 1].sum()) / total
    low, high = _share_interval(part, whole, np.array(value), int((counts[:, 0] > 0).sum()))
    return value, float(low), float(high)


def _share_interval(part: Floats, whole: Floats, value: Floats, samples: int) -> tuple[Floats, Floats]:
    """Return the interval, within 0 and 1, of shares.

    Args:
        part: numerator in each resampling, (R, ...).
        whole: denominator in each resampling, broadcast against `part`.
        value: estimate, (...).
        samples: number of samples of the estimate.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        replicates = np.where(whole > 0, part / whole, np.nan)
    low, high = interval(widened(replicates, value, np.array(samples)))
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


@dataclass(frozen=True)
class Transition:
    """Represent the pixels that change from class `source` to class `target` in one edit (hop).

    Attributes:
        hop: number of the edit in the sequence, from 1.
        source: class before the edit.
        target: class after the edit; the same as `source` for pixels that stay.
        pixels: number of pixels over all samples.
        of_picture: their share of all pixels.
        of_source: their share of the pixels that were `source`.
        low, high: 95 % bootstrap interval of `of_source`; NaN where fewer than two samples have the class.
        samples: number of samples with any pixel of `source` before the edit.
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
    """Return all transitions of a hop that occur, the largest first.

    The share is sum_k T_k[a, b] / sum_k sum_b' T_k[a, b'], so a sample counts in proportion to its pixels of
    class a. The interval resamples whole samples, because the pixels of an image are not independent.

    Args:
        entries: transitions of all samples.
        names: names of the classes, (M,).
        weights: how often each sample is drawn in each resampling, (R, K).
        hop: number of the edit, from 1.
    """
    from scipy.sparse import csr_array  # takes long to import, and is needed here alone

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
        of_a = source == a
        of_source[of_a] = totals[of_a] / totals[of_a].sum()
        drawn = resampled[:, of_a].sum(axis=1, keepdims=True)
        low[of_a], high[of_a] = _share_interval(
            resampled[:, of_a], drawn, of_source[of_a], int(occurs[:, a].sum())
        )
    order = np.argsort(-totals, kind="stable")
    all_pixels = float(totals.sum())
    return [
        Transition(
            hop=hop,
            source=names[source[p]],
            target=names[pairs[p] % classes],
            pixels=int(totals[p]),
            of_picture=float(totals[p] / all_pixels),
            of_source=float(of_source[p]),
            low=float(low[p]),
            high=float(high[p]),
            samples=int(occurs[:, source[p]].sum()),
        )
        for p in order
    ]


LEAST_SAMPLES = 8  # fewest samples with a class for it to be reported
LEAST_SHARE = 0.002  # smallest share of the image for a class or a transition to be reported


def staying(rows: Sequence[Transition], kinds: Sequence[str]) -> list[Transition]:
    """Return how much of each class keeps its label in one hop, the largest share first.

    Args:
        rows: transitions of one hop.
        kinds: names of the classes. Those below LEAST_SAMPLES or LEAST_SHARE are left out.
    """
    unchanged = []
    for name in kinds:
        flows = [row for row in rows if row.source == name]
        if (
            not flows
            or flows[0].samples < LEAST_SAMPLES
            or sum(row.of_picture for row in flows) < LEAST_SHARE
        ):
            continue
        same = next((row for row in flows if row.target == name), None)
        unchanged.append(
            same or Transition(flows[0].hop, name, name, 0, 0.0, 0.0, 0.0, 0.0, flows[0].samples)
        )
    return sorted(unchanged, key=lambda row: -row.of_source)


def mapped(rows: Sequence[Transition], kinds: Sequence[str]) -> list[Transition]:
    """Return the transitions of one hop between different classes of `kinds`, the largest first."""
    known = set(kinds)
    flows = [row for row in rows if row.source != row.target and row.source in known and row.target in known]
    return sorted(
        (row for row in flows if row.of_picture >= LEAST_SHARE and row.samples >= LEAST_SAMPLES),
        key=lambda row: -row.pixels,
    )
