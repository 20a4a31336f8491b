"""Draw how the distance of a picture fell, step after step, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..decimals import significant
from ..figures.axes import Axes
from ..figures.svg import Canvas

WIDTH, HEIGHT = 420.0, 190.0
COLOURS = ("object", "category", "attribute", "colour", "layout")
LEAST = 1e-12  # what a distance of 0 is drawn as where no other is there
ZERO = 0.1  # of the smallest distance above 0: what one of 0 is drawn as, since it has no logarithm

Losses = Sequence[tuple[str, NDArray[np.float32]]]


def loss_chart(curves: Losses, name: str) -> str:
    """Return a chart as SVG for a page; empty without a step that searched.

    Args:
        curves: step and its losses (T,), in order; the steps are drawn one after the other.
        name: name of the picture, for those who cannot see the chart.
    """
    searched = [(step, losses.astype(np.float64)) for step, losses in curves if len(losses)]
    if not searched:
        return ""
    every = np.concatenate([losses for _, losses in searched])
    least = max(ZERO * float(every[every > 0.0].min(initial=np.inf)), LEAST)
    least = least if math.isfinite(least) else LEAST
    logs = [np.log10(np.maximum(losses, least)) for _, losses in searched]
    total = sum(len(values) for values in logs)
    low, high = min(values.min() for values in logs), max(values.max() for values in logs)
    canvas = Canvas(WIDTH, HEIGHT)
    axes = Axes(
        canvas,
        left=66.0,
        right=WIDTH - 22.0,
        top=34.0,
        bottom=HEIGHT - 34.0,
        x=(0.0, float(max(total - 1, 1))),
        y=(low, high if high > low else low + 0.1),
        x_ticks=4,
        y_ticks=3,
    )
    for tick in axes.x.ticks():
        if tick == int(tick):  # there is no half of a step
            axes.vertical(tick, "rule")
            canvas.text(axes.x(tick), axes.bottom + 16, f"{tick:.0f}", css="soft", anchor="middle")
    for tick in axes.y.ticks():
        axes.horizontal(tick, "rule")
        canvas.text(axes.left - 8, axes.y(tick) + 4, significant(10.0**tick, 2), css="soft", anchor="end")
    canvas.text((axes.left + axes.right) / 2, HEIGHT - 2, "step", css="soft", anchor="middle")
    first, at = 0, axes.left
    for k, ((step, _), values) in enumerate(zip(searched, logs, strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        points = [(axes.x(first + t), axes.y(v)) for t, v in enumerate(values) if math.isfinite(v)]
        if len(points) == 1:
            canvas.circle(*points[0], 3.0, f"f-{colour}")
        canvas.path(_thinned(points), f"line s-{colour}")
        canvas.rect(at, 8, 12, 12, f"f-{colour}")
        canvas.text(at + 17, 18, step)
        at += 34.0 + 8.0 * len(step)
        first += len(values)
    words = ", ".join(
        f"{step}: {significant(float(losses[0]), 2)} to {significant(float(losses[-1]), 2)}"
        for step, losses in searched
    )
    return canvas.svg(f"Distance of {name} from what was wanted, before each step and at the end. {words}")


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most a point per pixel of the width; the first and the last stay."""
    every = max(1, len(points) // int(WIDTH))
    return [*points[:-1:every], points[-1]]
