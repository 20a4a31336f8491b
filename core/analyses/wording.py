"""Write numbers with their intervals, and layer sets, for sentences and printed tables."""

from __future__ import annotations

import numpy as np

from ..rescoring.results import Effects


def constant_sentences(effects: Effects) -> list[str]:
    """Return a sentence that names the constant concepts, whose changes have no unit, if there are any."""
    names = effects.constant
    if not names:
        return []
    return [f"These concepts do not vary here, so their changes have no unit: {', '.join(names)}."]


def bracketed(value: float, low: float, high: float, digits: int = 2) -> str:
    """Format a number with its interval for a sentence or a printed table.

    >>> bracketed(-0.5, -0.75, float("nan"))
    '−0.50 [−0.75, –]'
    """
    shown = [
        "–" if np.isnan(v) else f"{round(v, digits) + 0.0:.{digits}f}".replace("-", "−")
        for v in (value, low, high)
    ]
    return shown[0] if np.isnan(value) else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def plain(value: float, digits: int = 2) -> str:
    """Format a number for a printed table: NaN as a dash, tiny numbers as powers of ten."""
    if np.isnan(value):
        return "–"
    tiny = value != 0.0 and abs(value) < 10.0**-digits
    return (f"{value:.0e}" if tiny else f"{value:.{digits}f}").replace("-", "−")


def in_words(name: str, effects: Effects) -> str:
    """Name a layer set in a sentence: `all layers`, `the upper layers` or `layers 6-7`."""
    return (
        "all layers"
        if name == "all"
        else f"the {name} layers"
        if name in effects.groups
        else f"layers {name}"
    )
