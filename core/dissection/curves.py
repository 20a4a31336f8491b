"""Compare what the best units of a class do to it with what random unit sets do.

Shapes: N pictures, M classes, S sets of units, R random sets of each size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..runs.progress import Progress
from ..semantics.samples import LabelledSamples
from ..statistics import (
    Floats,
    benjamini_hochberg,
    bootstrap_weights,
    interval,
    null_moments,
    null_p_value,
    rank_p_value,
    sample_means,
    skewed_interval,
    widened,
)
from .interventions import Shares, UnitSet, measure_sets, random_orders
from .request import DissectRequest
from .units import RESAMPLINGS, Units

KINDS = ("ablation", "insertion", "causal effect")
FEWEST = 8  # pictures of a place without which nothing is said of it


@dataclass(frozen=True)
class CurvePoint:
    """Hold what setting the best k units of a class does to it.

    Attributes:
        kind: `ablation`: area of the class that is left, relative to before. `insertion`: rise of its share
            in the square. `causal effect`: its share in the square with the units inserted, less that with
            the units ablated.
        label: number of the class.
        units: numbers of the k units.
        value: the number.
        low, high: its 95 % interval over pictures.
        null: mean of the random sets of k units.
        null_low, null_high: mean -+ 2 standard deviations of the random sets.
        p: p value among random sets, one-sided; `rank` where all of them do the same.
        rank: rank among random sets, from 1 / (R + 1) to 1.
        q: p after Benjamini and Hochberg's correction over all points of the kind.
    """

    kind: str
    label: int
    units: tuple[int, ...]
    value: float
    low: float
    high: float
    null: float
    null_low: float
    null_high: float
    p: float
    rank: float
    q: float = np.nan

    def acts(self, rate: float) -> bool:
        """Return whether the units do more than random ones, and more than nothing in other pictures too.

        Random sets are measured on the same pictures, so that q says nothing of other pictures; the interval
        does.
        """
        return self.q < rate and (self.high < 1.0 if self.kind == KINDS[0] else self.low > 0.0)


@dataclass(frozen=True)
class Place:
    """Hold how far a class can be inserted where another class was.

    Attributes:
        label: number of the class that is inserted, by the largest set of its units.
        under: number of the class that covered most of the square before.
        pictures: number of such squares.
        value: rise of the share of the class in the square.
        low, high: its 95 % interval over pictures.
    """

    label: int
    under: int
    pictures: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curves:
    """Hold the curves of one stratum.

    Attributes:
        stratum: number of the stratum.
        counts: sizes of the unit sets.
        points: one per kind, class and size.
        places: where the largest sets insert their class.
        before: mean share of each class in whole pictures, (M,).
    """

    stratum: int
    counts: tuple[int, ...]
    points: tuple[CurvePoint, ...]
    places: tuple[Place, ...]
    before: Floats

    def of(self, kind: str, label: int) -> tuple[CurvePoint, ...]:
        """Return the points of a kind and a class, smallest set first."""
        return tuple(point for point in self.points if (point.kind, point.label) == (kind, label))

    @property
    def labels(self) -> tuple[int, ...]:
        """Numbers of the classes with curves."""
        return tuple(sorted({point.label for point in self.points}))


def best_stratum(units: Units, rate: float) -> int | None:
    """Return the stratum whose units above chance detect most classes, then the one with most such units.

    None if no unit is above chance.
    """
    above = units.above_chance(rate)
    found = []
    for described in units.maps:
        rows = units.rows_of(described.stratum)
        labels = units.label[rows][above[rows]]
        found.append((len(set(labels.tolist())), len(labels), -described.stratum))
    classes, _, stratum = max(found)
    return -stratum if classes else None


def best_units(units: Units, stratum: int, label: int) -> list[int]:
    """Return the units of a stratum, those with the highest IoU with a class first."""
    iou = np.nan_to_num(units.iou[units.rows_of(stratum), label], nan=-1.0)
    return [int(u) for u in np.argsort(-iou, kind="stable")]


def measure_curves(
    samples: LabelledSamples, units: Units, request: DissectRequest, progress: Progress
) -> Curves | None:
    """Measure ablation, insertion and causal effects in one stratum, on new pictures.

    Returns:
        None if no unit of the stratum is above chance, or no sizes are asked for.

    Raises:
        PictureError: a picture is not finite.
    """
    stratum = request.curve_stratum
    stratum = best_stratum(units, request.rate) if stratum is None else stratum
    if stratum is None or not request.counts:
        return None
    rows = units.rows_of(stratum)
    labels = sorted(set(units.label[rows][units.above_chance(request.rate)[rows]].tolist()) - {-1})
    if not labels:
        return None
    counts = tuple(k for k in request.counts if k < len(rows)) or (1,)

    def unit_set(chosen: Sequence[int]) -> UnitSet:
        at = rows[list(chosen)]
        off = units.mean[at] if request.ablate == "mean" else np.zeros(len(at))
        return UnitSet(stratum, tuple(chosen), tuple(off.tolist()), tuple(units.high[at].tolist()))

    ranked = [best_units(units, stratum, m) for m in labels]
    orders = random_orders(len(rows), request.random_sets, samples.seed, stratum).tolist()
    sets = [unit_set(order[:k]) for order in (*ranked, *orders) for k in counts]
    with progress.stage("curves", total=request.curve_samples) as bar:
        shares = measure_sets(samples, sets, request.curve_samples, bar)
    points = curve_points(shares, [one.units for one in sets], labels, len(counts), samples.seed)
    places = [
        place
        for i, m in enumerate(labels)
        for place in places_of(shares.square, shares.square_inserted[(i + 1) * len(counts) - 1], m)
    ]
    return Curves(stratum, counts, tuple(points), tuple(places), shares.before.mean(axis=0))


def curve_points(
    shares: Shares, sets: Sequence[tuple[int, ...]], labels: Sequence[int], sizes: int, seed: int
) -> list[CurvePoint]:
    """Return the points of all kinds and classes.

    Args:
        shares: what every set does: `sizes` sets of each class in turn, then of each random order.
        sets: units of each set.
        labels: numbers of the classes.
        sizes: number of sizes.
        seed: seed of the resamplings.
    """
    weights = bootstrap_weights(len(shares.before), RESAMPLINGS, seed)
    points: list[CurvePoint] = []
    for kind in KINDS:
        found = []
        for i, m in enumerate(labels):
            for k in range(sizes) if kind != KINDS[2] else (sizes - 1,):
                value, low, high = _measured(kind, shares, i * sizes + k, m, weights)
                null = np.array(
                    [_value(kind, shares, s, m) for s in range(len(labels) * sizes + k, len(sets), sizes)]
                )
                sign = -1.0 if kind == KINDS[0] else 1.0
                _, centre, spread = null_moments(null)
                rank = rank_p_value(np.asarray(sign * value), sign * null)
                # Where no random set does anything, no spread is known, and only the rank says something.
                p = null_p_value(np.asarray(sign * value), sign * null, two_sided=False) if spread else rank
                ends = float(centre - 2.0 * spread), float(centre + 2.0 * spread)
                units = sets[i * sizes + k]
                found.append(
                    CurvePoint(kind, m, units, value, low, high, float(centre), *ends, float(p), float(rank))
                )
        q = benjamini_hochberg(np.array([point.p for point in found]))
        points += [replace(point, q=float(each)) for point, each in zip(found, q, strict=True)]
    return points


def _changes(kind: str, shares: Shares, s: int, label: int) -> Floats:
    """Return the change of the share in the square by set s, picture by picture, (N,)."""
    before = shares.square if kind == KINDS[1] else shares.square_ablated[s]
    return np.asarray(shares.square_inserted[s, :, label] - before[:, label])


def _value(kind: str, shares: Shares, s: int, label: int) -> float:
    """Return the number of a kind for set s and a class."""
    if kind != KINDS[0]:
        return float(sample_means(_changes(kind, shares, s, label)))
    before = shares.before[:, label].sum()
    return float(shares.ablated[s, :, label].sum() / before) if before > 0.0 else np.nan


def _measured(kind: str, shares: Shares, s: int, label: int, weights: Floats) -> tuple[float, float, float]:
    """Return the number of a kind for set s and a class, with low and high of its interval."""
    value = _value(kind, shares, s, label)
    if kind != KINDS[0]:
        low, high = skewed_interval(_changes(kind, shares, s, label))
        return value, float(low), float(high)
    before = weights @ shares.before[:, label]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(before > 0.0, weights @ shares.ablated[s, :, label] / before, np.nan)
    low, high = interval(widened(ratios, np.asarray(value), np.asarray(len(shares.before))))
    return value, float(np.maximum(low, 0.0)), float(high)


def places_of(before: Floats, after: Floats, label: int) -> list[Place]:
    """Return how far a class was inserted in squares of each other class, most frequent first.

    Args:
        before: share of each class in the square, (N, M).
        after: the same with the units inserted, (N, M).
        label: number of the class.
    """
    under, change = before.argmax(axis=1), after[:, label] - before[:, label]
    found = []
    for m in range(before.shape[1]):
        at = under == m
        if m != label and at.sum() >= FEWEST:
            low, high = skewed_interval(change[at])
            found.append(Place(label, m, int(at.sum()), float(change[at].mean()), float(low), float(high)))
    return sorted(found, key=lambda place: -place.pictures)
