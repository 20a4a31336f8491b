"""Compute how far each part moves at each step of a strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..storage.json_values import JsonObject
from .directions import EditPart
from .range_search import Range
from .request import EditRequest

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strip:
    """Represent the same pictures at a series of T steps.

    Attributes:
        name: name shown to the user.
        mode: one of the modes of an EditRequest.
        parts: P boundaries that are moved along together.
        distances: distance of each part at each step, (P, T): the distance moved, or in mode absolute the
            distance from the boundary.
        search: the range found for each part; empty without a search.
    """

    name: str
    mode: str
    parts: tuple[EditPart, ...]
    distances: Floats
    search: tuple[Range, ...] = ()

    @property
    def layers(self) -> tuple[int, ...]:
        """All layers that are moved."""
        return tuple(sorted({layer for part in self.parts for layer in part.layers}))

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        return {
            "name": self.name,
            "parts": [
                {**part.as_data(), "distances": row.tolist()}
                for part, row in zip(self.parts, self.distances, strict=True)
            ],
            "search": [span.as_data() for span in self.search],
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """A word or number to write over each step."""
        if self.mode == "jitter":
            return tuple(f"draw {t + 1}" for t in range(self.distances.shape[1]))
        if not self.parts:
            return ("as in the recipe",)
        digits = 1 if all(abs(value * 10 - round(value * 10)) < 1e-9 for value in self.distances.flat) else 2
        return tuple(" ".join(signed(value, digits) for value in column) for column in self.distances.T)


def positions(request: EditRequest, start: float, end: float, steps: int) -> Floats:
    """Return the distances (T,) from start to end; options of the request override the run's config.

    Raises:
        UserError: start and end are equal.
    """
    start, end = (
        start if request.start is None else request.start,
        end if request.end is None else request.end,
    )
    steps = steps if request.steps is None else request.steps
    if request.mode == "jitter":
        return np.full(steps, end)
    if steps == 1:
        return np.array([end])
    if start == end:
        raise UserError(
            f"--start and --end are both {start:g}: {steps} steps would show the same; "
            "give --steps 1, or another end"
        )
    return np.linspace(start, end, steps)


def strips_of(parts: tuple[EditPart, ...], where: Floats, mode: str) -> list[Strip]:
    """Return one strip per part, or one of all parts in mode joint.

    A part with an amount of its own reaches it at the last step; its other steps are scaled in proportion.

    Raises:
        UserError: a part has an amount, but the last step is 0.
    """
    for part in parts:
        if part.amount is not None and where[-1] == 0.0:
            raise UserError(
                f"{part.boundary.name}:{part.amount:g} is the distance at the last step, but --end is 0; "
                "give another --end, or no amount"
            )
    rows = [where if part.amount is None else where * (part.amount / where[-1]) for part in parts]
    if mode == "joint":
        return [Strip(" and ".join(part.name for part in parts), mode, parts, np.stack(rows))]
    return [Strip(part.name, mode, (part,), row[None]) for part, row in zip(parts, rows, strict=True)]


def signed(value: float, digits: int = 1) -> str:
    """Write a distance with its sign.

    >>> signed(2.5), signed(-1.0), signed(0.0)
    ('+2.5', '−1.0', '0.0')
    """
    rounded = round(value, digits) + 0.0
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else ''}{abs(rounded):.{digits}f}"
