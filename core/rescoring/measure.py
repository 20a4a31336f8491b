"""Moves a batch of samples along a direction at some layers, and scores it again (method B)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..randomness import Stream
from ..strata.composition import Pass
from ..strata.moves import edit_direction, move
from ..strata.scored import ScoredGenerator
from .effects import FIELDS, SIGNS, sums_of

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Baseline:
    """A batch of samples as they are, ready to be edited.

    Attributes:
        rendered: the pass, with the states at which edits restart.
        codes: (N, L, D).
        scores: (N, C).
    """

    rendered: Pass
    codes: Tensor
    scores: Scores


def baseline_of(
    scored: ScoredGenerator, start: int, stream: Stream, sets: Collection[Sequence[int]]
) -> Baseline:
    """Draw, render and score one batch of the fixed grid.

    Args:
        scored: the generator with its scorers.
        start: absolute index of the first sample.
        stream: whose samples these are.
        sets: layer sets that will be moved.
    """
    latents, _, codes = scored.draw(start, stream)
    rendered = scored.render(codes, latents.condition, latents.index, stream, sets)
    return Baseline(rendered, codes, scored.score(rendered.rendering))


def scores_along(
    scored: ScoredGenerator,
    baseline: Baseline,
    normal: NDArray[np.floating],
    amount: float,
    layers: Sequence[int],
) -> Scores:
    """Score a batch again after a step along a unit normal n at the layers S.

    c'_l = c_l + amount scale_l n for l in S, and c_l elsewhere; scale is the generator's layer_scale.

    Args:
        scored: the generator with its scorers.
        baseline: the batch.
        normal: (D,), or (L, D) with one per layer.
        amount: length of the step in units of w.
        layers: S.

    Returns:
        Scores (N, C).
    """
    field = edit_direction(normal, layers, scored.generator.layer_scale)  # (L, D)
    return scored.score(baseline.rendered.edited(move(baseline.codes, field, amount), layers))


def changes_along(
    scored: ScoredGenerator,
    baseline: Baseline,
    normal: NDArray[np.floating],
    step: float,
    sets: Sequence[Sequence[int]],
    *,
    column: int | None,
    count: int,
) -> tuple[NDArray[np.float64], Scores]:
    """Sum up how scores change when a batch is moved along a direction at each layer set.

    delta_k = s(c_k + step scale n) - s(c_k), of sample k, for every concept; and the same backwards for the direction of a concept.

    Args:
        scored: the generator with its scorers.
        baseline: the batch.
        normal: (D,), or (L, D) with one per layer.
        step: lambda, in units of w.
        sets: S layer sets.
        column: of the direction's own concept; None for a null direction, which has none and is moved forwards alone.
        count: how many samples of the batch count, the first ones.

    Returns:
        Sums of effects.FIELDS (S, 2, C, 5), and changes of the own concept (S, 2, count); NaN where nothing was moved.
    """
    sums = np.full((len(sets), 2, baseline.scores.shape[1], len(FIELDS)), np.nan)
    own = np.full((len(sets), 2, count), np.nan, dtype=np.float32)
    for s, layers in enumerate(sets):
        for k, sign in enumerate(SIGNS if column is not None else SIGNS[:1]):
            edited = scores_along(scored, baseline, normal, sign * step, layers)
            sums[s, k] = sums_of(baseline.scores[:count], edited[:count])
            if column is not None:
                own[s, k] = edited[:count, column] - baseline.scores[:count, column]
    return sums, own
