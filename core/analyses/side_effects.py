"""How far concepts move that were not meant to: squares of effects, free of noise, against random directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rescoring.effects import null_means
from ..rescoring.results import Effects, concept_units


@dataclass(frozen=True)
class SideEffect:
    """How far concepts move that were not meant to, in sd units: root mean square with its interval, and that of random directions.

    Attributes:
        value, low, high: of the concepts of one level, or of all levels but one.
        random: of random directions at the same layers.
        concepts: how many there are.
        beyond: how many of them move further than chance has it.
    """

    value: float
    low: float
    high: float
    random: float
    concepts: int
    beyond: int


def side_effect(
    rescored: Effects, pairs: Sequence[tuple[int, int]], at: int, beyond: NDArray[np.bool_]
) -> SideEffect:
    """Root mean square of the effects of pairs (boundary, concept), free of what noise adds to squares.

    The mean of m^2 - s^2 estimates the mean square of the true effects without bias, m being a mean
    change and s its standard error. The interval takes the errors of all pairs as if they went
    together: it is too wide rather than too narrow, however concepts hang together.
    """
    effects = rescored
    unit = concept_units([rescored.concepts[j] for _, j in pairs])
    i, j = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    mean, error = effects.mean[i, at, 0, j] / unit, effects.error[i, at, 0, j] / unit
    known = ~(np.isnan(mean) | np.isnan(error))
    if not known.any():
        return SideEffect(np.nan, np.nan, np.nan, np.nan, 0, 0)
    square = (mean**2 - error**2)[known]
    spread = np.sqrt(4.0 * mean**2 * error**2 + 2.0 * error**4)[known]
    middle, half = float(square.mean()), 1.96 * float(spread.mean())
    value, low, high = (float(np.sqrt(max(v, 0.0))) for v in (middle, middle - half, middle + half))
    return SideEffect(
        value,
        low,
        high,
        _random(rescored, sorted({int(c) for c in j}), at),
        int(known.sum()),
        int(beyond[i, at, j][known].sum()),
    )


def _random(rescored: Effects, columns: Sequence[int], at: int) -> float:
    """The same of random directions on these concepts."""
    unit = concept_units([rescored.concepts[j] for j in columns])
    part = rescored.null[:, at, columns]  # (R, n, 5)
    means = null_means(part)
    with np.errstate(invalid="ignore", divide="ignore"):
        error2 = (part[..., 2] / part[..., 0] - means**2) / (part[..., 0] - 1.0)
        square = (means**2 - error2) / unit**2
    known = square[np.isfinite(square)]  # one sample alone has no error
    return float(np.sqrt(max(float(known.mean()), 0.0))) if len(known) else float("nan")
