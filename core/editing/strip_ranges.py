"""Say how far the strips of a run show that a score follows its direction."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..runs.run import Run
from ..statistics import sample_means
from ..storage.csv_tables import name_in
from .range_search import REACHED, STALLED, SearchLimits
from .stage import TABLE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StripRange:
    """Hold how far the mean score of a strip rises without a stop on both sides of 0.

    Attributes:
        low, high: first and last step of the rise; both 0 where it does not rise at 0.
        below, above: why it ends there.
        samples: pictures of the strip.
    """

    low: float
    high: float
    below: str
    above: str
    samples: int


StripRanges = Mapping[tuple[str, str], StripRange]
"""By boundary and layer set."""


def strip_range(steps: Sequence[float], scores: Floats, limits: SearchLimits | None = None) -> StripRange:
    """Find how far the mean score rises: walk from 0 to both sides while it does.

    From one step to the next it rises if its slope, the mean of the samples' changes per unit of distance, is
    above 0 and at least `limits.slope` of the steepest slope. Strips have too few samples for an interval.

    Args:
        steps: signed distances (T,), ascending. What lies beyond 0 is looked at on each side.
        scores: (N, T); NaN where a sample has none.
        limits: of which `slope` counts.

    Example:
        >>> found = strip_range([-2.0, -1.0, 0.0, 1.0, 2.0], np.array([[0.0, 0.0, 1.0, 2.0, 3.0]]))
        >>> found.low, found.below, found.high, found.above
        (-1.0, 'the score no longer moves', 2.0, 'the end of what was tried')
    """
    limits = limits or SearchLimits()
    slopes = sample_means((np.diff(scores, axis=1) / np.diff(steps)).T)  # (T - 1,)
    steepest = np.nanmax(slopes, initial=0.0)
    with np.errstate(invalid="ignore"):
        rises = (slopes > 0.0) & (slopes >= limits.slope * steepest)
    parts = list(zip(pairwise(steps), rises, strict=True))  # the one around 0 is of both sides
    high, above = _end([(end, bool(on)) for (_, end), on in parts if end > 0.0])
    low, below = _end([(begin, bool(on)) for (begin, _), on in reversed(parts) if begin < 0.0])
    return StripRange(low, high, below, above, len(scores))


def _end(parts: Sequence[tuple[float, bool]]) -> tuple[float, str]:
    """Return where a walk along parts (their far ends, and whether the score rises in them) ends, and why."""
    at = 0.0
    for end, on in parts:
        if not on:
            return at, STALLED
        at = end
    return at, REACHED


def read_strip_ranges(run: Run) -> StripRanges:
    """Read how far each score rises at each layer set; empty where the run has no strips, or others now."""
    if not run.is_done("edit"):
        return {}
    rows: dict[tuple[str, str], dict[str, dict[float, float]]] = {}
    with (run.path / TABLE).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = name_in(row["boundary"]), name_in(row["layers"])
            score = float(row["score"]) if row["score"] else np.nan
            rows.setdefault(key, {}).setdefault(row["sample"], {})[float(row["amount"])] = score
    found = {}
    for key, samples in rows.items():
        steps = sorted(next(iter(samples.values())))
        if len(steps) > 1:
            found[key] = strip_range(
                steps, np.array([[sample[step] for step in steps] for sample in samples.values()])
            )
    return found
