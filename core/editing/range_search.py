"""Find how far an edit may go: while its score still moves and the rest of the picture stays (method C)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..statistics import mean_interval, null_moments
from ..storage.json_values import JsonObject

Floats = NDArray[np.float64]

REACHED, STALLED, CLIPPED, SPOILT = (
    "the end of what was tried",
    "the score no longer moves",
    "pixels are cut off",
    "other scores move too far",
)


@dataclass(frozen=True)
class SearchLimits:
    """Hold the limits beyond which an edit has gone too far.

    Attributes:
        slope: share of the steepest slope below which the score counts as constant.
        clipped: share of values outside [0, 1] allowed beyond that of the unedited picture.
        others: mean change of the other concepts, in their sd, allowed beyond that of random directions.
    """

    slope: float = 0.1
    clipped: float = 0.05
    others: float = 0.5


@dataclass(frozen=True)
class Coarse:
    """Hold what happens to K samples at T steps, which ascend and include 0.

    Attributes:
        steps: signed distances (T,).
        scores: scores of the boundary's own concept, (K, T); NaN where undefined.
        clipped: share of values outside [0, 1], (K, T).
        others: mean absolute change of the other concepts in their sd, (T,).
        null: `others` for R random directions, (R, T).
        null_scores: change of the own concept along them, (R, T); NaN where it has no score.
    """

    steps: Floats
    scores: Floats
    clipped: Floats
    others: Floats
    null: Floats
    null_scores: Floats


class CurvePoint(NamedTuple):
    """Hold what a search measured at one step.

    Attributes:
        step: signed distance.
        score, low, high: mean score with its 95 % interval; NaN where it is unknown.
        clipped, others: means of those of `Coarse`.
        others_limit: largest `others` that is allowed.
    """

    step: float
    score: float
    low: float
    high: float
    clipped: float
    others: float
    others_limit: float


@dataclass(frozen=True)
class Range:
    """Represent the range of an edit.

    Attributes:
        low, high: first and last step.
        below, above: why it ends there.
        curve: what was measured at each step.
        limits: limits of the search.
    """

    low: float
    high: float
    below: str
    above: str
    curve: tuple[CurvePoint, ...]
    limits: SearchLimits

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        rows = [
            {name: round(value, 6) if np.isfinite(value) else None for name, value in point._asdict().items()}
            for point in self.curve
        ]
        return {
            "low": self.low,
            "high": self.high,
            "below": self.below,
            "above": self.above,
            "limits": asdict(self.limits),
            "curve": rows,
        }


class NoRangeError(DataError):
    """Say that a score moves in neither direction.

    Attributes:
        below, above: why the search ended at 0 on each side.
    """

    def __init__(self, name: str, below: str, above: str) -> None:
        super().__init__(
            f"{name}: no range was found. Going down: {below}; going up: {above}. "
            "Its score does not follow its direction here: "
            "try other layers, or give --start and --end without --search"
        )
        self.below, self.above = below, above


def find_range(coarse: Coarse, limits: SearchLimits | None = None, *, name: str = "the boundary") -> Range:
    """Walk from 0 to both sides until a limit is reached.

    From one step to the next the score moves if its slope, the mean of the samples' changes per unit of
    distance, is above 0 with its 95 % interval, above |mean| + 2 sd of random directions, and at least
    `limits.slope` of the steepest slope. A side whose first step fails ends at 0.

    Raises:
        NoRangeError: the score moves in neither direction.
    """
    limits = limits or SearchLimits()
    steps, zero = coarse.steps, int(np.flatnonzero(coarse.steps == 0.0)[0])
    gaps = np.diff(steps)
    slope, slope_low = _slopes(coarse.scores, gaps)
    null = np.diff(coarse.null_scores, axis=1) / gaps  # (R, T - 1)
    _, centre, spread = null_moments(null)
    noise = np.abs(centre) + 2.0 * spread
    with np.errstate(invalid="ignore"):
        steepest = np.nanmax(slope, initial=0.0)
        moves = (slope_low > 0.0) & (slope > noise) & (slope >= limits.slope * steepest)
    clipped = coarse.clipped.mean(axis=0)
    _, centre, spread = null_moments(coarse.null)
    allowed = centre + 2.0 * spread + limits.others

    def walk(direction: int) -> tuple[int, str]:
        at = zero
        while 0 <= at + direction < len(steps):
            following = at + direction
            if not moves[min(at, following)]:
                return at, STALLED
            if clipped[following] - clipped[zero] > limits.clipped:
                return at, CLIPPED
            if coarse.others[following] > allowed[following]:  # false where no other concept has a score
                return at, SPOILT
            at = following
        return at, REACHED

    (first, below), (last, above) = walk(-1), walk(1)
    if first == last:
        raise NoRangeError(name, below, above)
    mean, low, high = _means(coarse.scores)
    columns = (steps, mean, low, high, clipped, coarse.others, allowed)
    curve = tuple(CurvePoint(*(float(column[t]) for column in columns)) for t in range(len(steps)))
    return Range(float(steps[first]), float(steps[last]), below, above, curve, limits)


def even_steps(span: Range, count: int) -> Floats:
    """Return steps (count,) from low to high between which the mean score rises by equal amounts.

    The mean score is made monotone by isotonic regression, which pools neighbours that fall, and
    interpolated between the coarse steps by a monotone cubic (Fritsch and Carlson, 1980).
    """
    from scipy.interpolate import PchipInterpolator  # takes long to import, and is needed here alone
    from scipy.optimize import isotonic_regression

    if count == 1:
        return np.array([span.high])
    steps, scores = np.array(
        [(point.step, point.score) for point in span.curve if span.low <= point.step <= span.high]
    ).T
    rising = PchipInterpolator(steps, isotonic_regression(scores).x)
    fine = np.linspace(span.low, span.high, 2001)
    # A tiny slope keeps the inverse defined where pooling has left a flat stretch.
    values = np.maximum.accumulate(rising(fine)) + 1e-9 * (scores.max() - scores.min()) * np.linspace(
        0.0, 1.0, len(fine)
    )
    wanted = np.linspace(values[0], values[-1], count)
    return np.concatenate([[span.low], np.interp(wanted[1:-1], values, fine), [span.high]])


def _slopes(scores: Floats, gaps: Floats) -> tuple[Floats, Floats]:
    """Return the mean slope between neighbouring steps and the low end of its interval, (T - 1,)."""
    mean, low, _ = _means(np.diff(scores, axis=1) / gaps)
    return mean, low


def _means(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the mean over samples of values (K, T) and its 95 % interval (low, high), without NaN."""
    count = (~np.isnan(values)).sum(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, np.nansum(values, axis=0) / count, np.nan)
        variance = np.where(count > 1, np.nansum((values - mean) ** 2, axis=0) / (count - 1.0), np.nan)
        low, high = mean_interval(mean, np.sqrt(variance / count), count)
    return mean, low, high
