"""Draw the effects of an edit at right and at wrong layers, on its own concept and on every level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..figures.axes import Axes
from ..figures.figure import Figure
from ..figures.svg import Canvas, text_width
from ..statistics import NO_SPREAD, without_spread
from ..storage.csv_tables import Row, Table
from ..strata.layers import show_layers
from .layer_effects import LayerEffect

LINE = 21.0  # height of a row
TOP, GAP = 34.0, 22.0  # above the first block, and below each
HEAD = 30.0  # height of a block's name


def layer_effects(rows: Sequence[LayerEffect], levels: Sequence[str]) -> Figure:
    """Draw bars for each boundary and layer set: one for its own concept, one for the others of each level.

    Grey bars are null directions; pale bars are layers other than the right ones.
    """
    words = 52.0 + text_width([_layers(row) for row in rows])
    columns = ["own concept", *levels]  # of a direction found without labels, its target
    cell = max(96.0, (760.0 - words) / max(len(columns), 1))
    blocks = [[row for row in rows if row.name == name] for name in dict.fromkeys(row.name for row in rows)]
    bottom = TOP + sum(HEAD + LINE * len(block) + GAP for block in blocks)
    canvas = Canvas(words + cell * len(columns), bottom + 22.0)
    span = _span(rows)
    axes = [
        Axes(
            canvas,
            left=words + cell * c + 4,
            right=words + cell * (c + 1) - 22,
            top=TOP,
            bottom=bottom,
            x=span,
            x_ticks=3,
        )
        for c in range(len(columns))
    ]
    table: list[Row] = []
    for c, title in enumerate(columns):
        canvas.text(axes[c].x(0.0), 18, title, css="strong" if c == 0 else "soft strong")
    y = TOP
    for block in blocks:
        canvas.text(8, y + 16, block[0].label, css="strong")
        y += HEAD
        start = y
        for row in block:
            middle = y + LINE / 2
            css = "strong" if row.is_right else "soft"
            canvas.text(words - 8, middle + 4, _layers(row), anchor="end", css=css)
            if row.is_right:
                canvas.circle(14, middle, 4.0, f"f-{row.level}", title="the right layers")
            for area, of in zip(axes, columns, strict=True):
                cells = _effect(area, row, None if area is axes[0] else of, middle)
                if cells:
                    table.append([row.name, row.level, row.set_name, row.is_right, of, *cells])
            y += LINE
        for area in axes:
            area.vertical(0.0, "axis", top=start, bottom=y)
        y += GAP
    for area in axes:
        _ticks(area)
    canvas.text(
        words,
        bottom + 20,
        "change in standard deviations; of other concepts the root mean square by level, noise taken out",
        css="soft",
    )
    return Figure(
        "layers",
        canvas,
        "What moving along a direction does at its right layers, at wrong ones and at all, "
        "to its own concept and to every level.",
        Table(
            ("boundary", "boundary_level", "layers", "right", "of", "value", "low", "high", "random"), table
        ),
    )


def _layers(row: LayerEffect) -> str:
    """Name the layer set of a row, and its layers."""
    return f"{row.set_name} {show_layers(row.layers)}"


def _span(rows: Sequence[LayerEffect]) -> tuple[float, float]:
    """Return the smallest and largest number to show, without room for a whisker slightly below zero."""
    numbers = [0.0] + [
        v
        for row in rows
        for v in (*row.target, *(w for a in row.levels.values() for w in (a.high, a.random)))
        if np.isfinite(v)
    ]
    low, high = min(numbers), max(numbers)
    return (low if low < -0.05 * high else 0.0), high


def _effect(axes: Axes, row: LayerEffect, level: str | None, y: float) -> tuple[float, ...]:
    """Draw the effect of a row on the other concepts of a level, or on its own concept if `level` is None.

    Returns:
        Effect, interval (low, high) and effect of null directions; nothing if the row has no such level.
    """
    side_effect = None if level is None else row.levels.get(level)
    if side_effect is not None:
        value, low, high, null = side_effect.value, side_effect.low, side_effect.high, side_effect.random
    elif level is None:
        (value, low, high), null = row.target, float("nan")
    else:
        return ()
    if np.isfinite(value):
        if np.isfinite(null):
            axes.level_bar(0.0, null, y, 16.0, "null", title=f"null directions: {null:.2f}")
        ends = NO_SPREAD if without_spread(value, low, high) else f"{low:.2f}, {high:.2f}"
        note = f"{row.name} at {row.set_name}, {level or 'own concept'}: {value:.2f} [{ends}]"
        css = f"f-{level or row.level}" + ("" if row.is_right else " faint")
        axes.level_bar(0.0, value, y, 10.0, css, title=note)
        axes.canvas.whisker(axes.x(low), axes.x(high), y)
    return value, low, high, null


def _ticks(axes: Axes) -> None:
    """Mark the ticks of a column below the last block; its ends and 0 have their number."""
    ticks = axes.x.ticks()
    for tick in ticks:
        axes.vertical(tick, "axis", top=axes.bottom - 18, bottom=axes.bottom - 14)
        if tick == 0.0 or tick in (ticks[0], ticks[-1]):
            axes.canvas.text(axes.x(tick), axes.bottom - 2, axes.x.show(tick), css="soft", anchor="middle")
