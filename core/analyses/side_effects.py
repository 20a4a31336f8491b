"""Measure side effects: how far an edit moves other concepts, compared with random directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rescoring.results import Effects, concept_units
from ..rescoring.sums import null_means


@dataclass(frozen=True)
class SideEffect:
    """Hold a side effect: the root mean square change of other concepts, in sd units.

    Attributes:
        value, low, high: the root mean square and its 95 % interval.
        random: the same for random directions at the same layers.
        concepts: number of concepts.
        beyond: number of concepts whose change is significant compared with null directions.
    """

    value: float
    low: float
    high: float
    random: float
    concepts: int
    beyond: int


def side_effect(
    effects: Effects, pairs: Sequence[tuple[int, int]], at: int, beyond: NDArray[np.bool_]
) -> SideEffect:
    """Compute the root mean square effect over pairs (boundary, concept), corrected for noise.

    With mean change m and standard error s of each pair, the mean of m^2 - s^2 is an unbiased estimate of the
    mean square of the true effects, and m^2 - s^2 has variance 4 m^2 s^2 + 2 s^4. The 95 % interval assumes
    that the errors of all pairs are fully correlated, so it is conservative for any correlation of concepts.

    Args:
        effects: effects of the run.
        pairs: positions of boundary and concept.
        at: position of the layer set.
        beyond: significant effects, (B, S, C).

    Returns:
        NaN and 0 concepts if no pair has a known effect and standard error.
    """
    unit = concept_units([effects.concepts[j] for _, j in pairs])
    i, j = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    mean, error = effects.mean[i, at, 0, j] / unit, effects.error[i, at, 0, j] / unit
    known = ~(np.isnan(mean) | np.isnan(error))
    if not known.any():
        return SideEffect(np.nan, np.nan, np.nan, np.nan, 0, 0)
    square = (mean**2 - error**2)[known]
    deviation = np.sqrt(4.0 * mean**2 * error**2 + 2.0 * error**4)[known]
    middle, half = float(square.mean()), 1.96 * float(deviation.mean())
    value, low, high = (float(np.sqrt(max(v, 0.0))) for v in (middle, middle - half, middle + half))
    return SideEffect(
        value,
        low,
        high,
        _random_directions(effects, sorted({(int(effects.kind[b]), int(c)) for b, c in pairs}), at),
        int(known.sum()),
        int(beyond[i, at, j][known].sum()),
    )


def _random_directions(effects: Effects, kinds: Sequence[tuple[int, int]], at: int) -> float:
    """Compute the root mean square effect of random directions, corrected for noise.

    Args:
        effects: effects of the run.
        kinds: pairs of the position of null directions (`Effects.kind`) and a concept.
        at: position of the layer set.
    """
    unit = concept_units([effects.concepts[j] for _, j in kinds])
    sums = np.stack([effects.null[g, :, at, j] for g, j in kinds], axis=1)  # (R, n, 5)
    means = null_means(sums)  # (R, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        error2 = (sums[..., 2] / sums[..., 0] - means**2) / (sums[..., 0] - 1.0)
        square = (means**2 - error2) / unit**2
    known = square[np.isfinite(square)]  # a single sample has no standard error
    return float(np.sqrt(max(float(known.mean()), 0.0))) if len(known) else float("nan")
