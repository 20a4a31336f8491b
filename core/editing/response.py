"""Draw what a search for the range of an edit measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..figures.axes import Axes
from ..figures.svg import Canvas
from .range_search import Range
from .steps import signed


def response(search: Range, chosen: NDArray[np.float64]) -> Canvas:
    """Draw the mean score over the distance, with its interval, the range of a search and its steps.

    Args:
        search: the range with its curve.
        chosen: distances of the steps, (T,).
    """
    curve = [point for point in search.curve if np.isfinite(point.score)]
    known = [point for point in curve if np.isfinite(point.low)]
    canvas = Canvas(560, 230)
    bounds = [
        bound if np.isfinite(bound) else point.score for point in curve for bound in (point.low, point.high)
    ]
    axes = Axes(
        canvas,
        left=60,
        right=545,
        top=12,
        bottom=185,
        x=(curve[0].step, curve[-1].step),
        y=(min(bounds), max(bounds)),
        x_ticks=8,
        y_ticks=4,
    )
    x, y = axes.x, axes.y
    canvas.rect(x(search.low), 12, x(search.high) - x(search.low), 173, "null", opacity=0.5)
    axes.y_grid(gap=6)
    axes.x_numbers(gap=18)
    canvas.text(302, 222, "distance moved; dots are the steps taken", css="soft", anchor="middle")
    if known:
        upper = [(x(point.step), y(point.high)) for point in known]
        lower = [(x(point.step), y(point.low)) for point in reversed(known)]
        canvas.path([*upper, *lower], "band f-layout", closed=True)
    canvas.path([(x(point.step), y(point.score)) for point in curve], "line s-layout")
    steps, scores = [point.step for point in curve], [point.score for point in curve]
    for distance in chosen:
        height = float(np.interp(distance, steps, scores))
        canvas.circle(x(distance), y(height), 4.0, "f-category", title=f"{signed(distance, 2)}")
    return canvas


def described(name: str, search: Range) -> str:
    """Describe the figure of a search for those who cannot see it."""
    low, high = signed(search.low), signed(search.high)
    return f"Mean score of {name} over the distance moved; the search gives the range {low} to {high}"
