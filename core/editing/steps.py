"""How far each part goes at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .directions import EditPart
from .request import EditRequest

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strip:
    """The same pictures at a series of steps.

    Attributes:
        name: for people.
        mode: one of the modes of an EditRequest.
        parts: what is moved, together.
        distances: of each part at each step, (P, T): how far, or how far from the boundary in mode absolute.
        search: how the distances were found, of each part; empty if they were given.
    """

    name: str
    mode: str
    parts: tuple[EditPart, ...]
    distances: Floats
    search: tuple[dict[str, Any], ...] = ()

    @property
    def layers(self) -> tuple[int, ...]:
        """All layers that are moved."""
        return tuple(sorted({layer for part in self.parts for layer in part.layers}))

    @property
    def labels(self) -> tuple[str, ...]:
        """A word or number over each step."""
        if self.mode == "jitter":
            return tuple(f"draw {t + 1}" for t in range(self.distances.shape[1]))
        digits = 1 if all(abs(value * 10 - round(value * 10)) < 1e-9 for value in self.distances.flat) else 2
        return tuple(" ".join(signed(value, digits) for value in column) for column in self.distances.T)


def positions(ask: EditRequest, start: float, end: float, steps: int) -> Floats:
    """Distances from start to end; the options go before the run's config.

    Raises:
        UserError: the same distance twice.
    """
    start, end = start if ask.start is None else ask.start, end if ask.end is None else ask.end
    steps = steps if ask.steps is None else ask.steps
    if ask.mode == "jitter":
        return np.full(steps, end)
    if steps == 1:
        return np.array([end])
    if start == end:
        raise UserError(
            f"--start and --end are both {start:g}: {steps} steps would show the same; give --steps 1, or another end"
        )
    return np.linspace(start, end, steps)


def strips_of(parts: tuple[EditPart, ...], where: Floats, mode: str) -> list[Strip]:
    """One strip per part, or one of all of them in mode joint.

    A part with an amount of its own is there at the last step, and in proportion before.

    Raises:
        UserError: an amount, but the last step is 0, so that nothing is in proportion to it.
    """
    for part in parts:
        if part.amount is not None and where[-1] == 0.0:
            raise UserError(
                f"{part.boundary.name}:{part.amount:g} is the distance at the last step, but --end is 0; give another --end, or no amount"
            )
    rows = [where if part.amount is None else where * (part.amount / where[-1]) for part in parts]
    if mode == "joint":
        return [Strip(" and ".join(part.name for part in parts), mode, parts, np.stack(rows))]
    return [Strip(part.name, mode, (part,), row[None]) for part, row in zip(parts, rows, strict=True)]


def signed(value: float, digits: int = 1) -> str:
    """A distance with its sign.

    >>> signed(2.5), signed(-1.0), signed(0.0)
    ('+2.5', '−1.0', '0.0')
    """
    rounded = round(value, digits) + 0.0
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else ''}{abs(rounded):.{digits}f}"
