"""Compute conditional directions, which keep other concepts unchanged (method C)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..config.schema import Condition
from ..errors import DataError
from ..plugins.boundary import Boundaries, Boundary
from ..strata.moves import conditioned


def conditional_directions(boundaries: Boundaries, conditions: Sequence[Condition]) -> list[Boundary]:
    """Compute the conditional directions of those conditions whose concepts all have boundaries.

    The normal n' is that of `conditioned`. The offset is b' = b / (n.n'), so both hyperplanes meet the line
    through the origin along n' at one point.

    Args:
        boundaries: one for all layers per concept.
        conditions: a concept to edit and the concepts to keep.

    Raises:
        DataError: a boundary has a normal per layer, or lies in the span of its conditions.
    """
    directions = []
    for condition in conditions:
        if not {condition.edit, *condition.keep} <= set(boundaries.names):
            continue
        primal = boundaries.of(condition.edit)
        if primal.normal.ndim != 1:
            raise DataError(
                f"conditions: '{condition.edit}' has one boundary per layer; a conditional direction "
                "needs one for all layers"
            )
        normal = conditioned(
            primal.normal,
            [boundaries.of(name).to_keep for name in condition.keep],
            name=condition.edit,
            names=condition.keep,
        )
        cosine = float(normal @ primal.normal.astype(np.float64))
        directions.append(
            replace(
                primal,
                normal=normal.astype(np.float32),
                offset=np.asarray(float(primal.offset) / cosine, dtype=np.float32),
                given=tuple(condition.keep),
                facts={"cosine_with_unconditional": cosine},
            )
        )
    return directions
