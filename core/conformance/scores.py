"""Check a scorer's scores of a few pictures: repeatable, and independent of batch and random state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import PluginBroken
from ..plugins.base import owner_of
from ..plugins.records import Rendering
from ..plugins.scorer import Scorer
from ..plugins.scoring import checked_extras, checked_scores
from . import random_state
from .networks import check_evaluation_mode

# Relative and absolute tolerances.
REPEAT_TOLERANCE = 1e-4  # for scores computed twice in the same way
BATCH_TOLERANCE = (
    1e-2  # for scores computed in batches of different sizes, where a pixel may change its class
)


def check_scorers(scorers: Sequence[Scorer], rendering: Rendering) -> None:
    """Refuse scorers whose scores depend on more than the picture.

    The pictures are scored together, the last one alone, and alone again. As in a run, what scorers share is
    computed once for all of them, anew each time.

    Args:
        scorers: on the device of the pictures.
        rendering: two or more pictures, with the features that the scorers read.

    Raises:
        ScoreError: a scorer's concepts do not allow its scores.
        PluginBroken: scores depend on chance or on the batch, or a scorer writes into its input.
    """
    last = len(rendering.images) - 1
    whole = rendering if rendering.precision == "fp32" else rows_of(rendering, slice(None))
    passes = [whole, *(rows_of(rendering, slice(last, None)) for _ in range(2))]
    for scorer in scorers:
        owner = owner_of(scorer)
        check_evaluation_mode(scorer)
        with torch.inference_mode(), random_state.unchanged(owner, "scoring"):
            together, alone, again = (checked_scores(scorer, rows) for rows in passes)
            if scorer.extras:
                checked_extras(scorer, passes[0])
        compare(scorer, alone, again)
        compare(scorer, together[last:], alone, across_batches=True)


def scores_of(scorer: Scorer, rendering: Rendering, rows: slice) -> NDArray[np.float32]:
    """Return scores (rows, C) of some pictures, computed without the cache that scorers share."""
    return checked_scores(scorer, rows_of(rendering, rows))


def rows_of(rendering: Rendering, rows: slice) -> Rendering:
    """Return some rows, to be scored in float32: in lower precision scores differ more than is compared."""
    features = {s: x[rows] for s, x in rendering.features.items()}
    index = None if rendering.index is None else rendering.index[rows]
    finite = None if rendering.finite is None else rendering.finite[rows]
    return Rendering(
        rendering.images[rows],
        features,
        index,
        finite=finite,
        composed=True,
        pictures=None if rendering.pictures is rendering.images else rendering.pictures[rows],
    )


def compare(
    scorer: Scorer,
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    *,
    across_batches: bool = False,
    fault: str = "",
) -> None:
    """Refuse scores that differ although the pictures are the same.

    Args:
        scorer: the scorer.
        a: scores (N, C).
        b: scores (N, C) of the same pictures, computed again.
        across_batches: whether the two were computed in different batches.
        fault: what the scorer does if they differ; by default told from `across_batches`.

    Raises:
        PluginBroken: they differ.
    """
    tolerance = BATCH_TOLERANCE if across_batches else REPEAT_TOLERANCE
    same = np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not same.all():
        row, j = np.argwhere(~same)[0]
        fault = fault or (
            "scores a picture differently in a batch than alone"
            if across_batches
            else "gives the same picture another score when it is scored again"
        )
        raise PluginBroken(
            f"{owner_of(scorer)} {fault}; scores may depend on the picture only: "
            f"'{scorer.concepts[j].name}' is {a[row, j]:.4g} first and {b[row, j]:.4g} then "
            f"({tolerance:g} is allowed)"
        )
