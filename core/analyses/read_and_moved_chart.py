"""Draw where classes are read and where they are moved: two strips per class on one axis of layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..decimals import significant
from ..figures.axes import Axes
from ..figures.figure import Figure
from ..figures.svg import Canvas
from ..storage.csv_tables import Row, Table
from .read_and_moved import ClassLayers

COLUMNS, PANEL, STRIP, WIDTH = 2, 194.0, 62.0, 760.0
READ, MOVED = "layout", "category"  # colours of the figures' style
HEAD = 34.0


def read_and_moved_chart(rows: Sequence[ClassLayers], layers: int) -> Figure:
    """Draw a panel per class: above the IoU of each stratum, below the effect of moving each layer.

    Strong marks are the best ones, or cannot be told from the best; pale ones are weaker or not significant.

    Args:
        rows: the classes.
        layers: number of layers of the generator.
    """
    lines = -(-len(rows) // COLUMNS)
    canvas = Canvas(WIDTH, HEAD + PANEL * lines + 24.0)
    x = 14.0
    for css, words in (
        (READ, "read: IoU of one stratum by itself"),
        (MOVED, "moved: change in sd by one layer"),
    ):
        canvas.circle(x, 14, 5.0, f"f-{css}")
        canvas.text(x + 12, 18, words)
        x += 270.0
    ends = [v for row in rows for moved in row.moved for v in (moved.low, moved.high) if np.isfinite(v)]
    span = (min([0.0, *ends]), max([0.5, *ends]))
    for i, row in enumerate(rows):
        left = 46.0 + (WIDTH / COLUMNS) * (i % COLUMNS)
        _panel(canvas, row, left, left + WIDTH / COLUMNS - 66.0, HEAD + PANEL * (i // COLUMNS), layers, span)
    canvas.text(WIDTH / 2, canvas.height - 4, "layer", css="soft", anchor="middle")
    return Figure(
        "read_and_moved",
        canvas,
        "For each class, the IoU of what each stratum says by itself, and the effect of moving each layer "
        "along the boundary of the class, on one axis of layers.",
        chart_table(rows),
    )


def _panel(
    canvas: Canvas,
    row: ClassLayers,
    left: float,
    right: float,
    top: float,
    layers: int,
    span: tuple[float, float],
) -> None:
    """Draw the two strips of one class."""
    canvas.text(left, top + 12, row.name, css="strong")
    x = (-0.5, layers - 0.5)
    read = _strip(canvas, left, right, top + 20.0, x, (0.0, 1.0))
    moved = _strip(canvas, left, right, top + 34.0 + STRIP, x, span)
    for layer in range(layers):
        canvas.text(_place(read, layer, layers), moved.bottom + 14, str(layer), css="soft", anchor="middle")
    shown: dict[int, int] = {}
    for one in row.read:
        if one.layer is None:
            continue
        # Several strata may read the same layer: the later ones stand a little to the right.
        at = _place(read, one.layer, layers) + 5.0 * shown.get(one.layer, 0)
        shown[one.layer] = shown.get(one.layer, 0) + 1
        note = f"stratum {one.stratum} {one.name}: IoU {one.iou:.2f} [{one.low:.2f}, {one.high:.2f}]"
        _mark(
            canvas, read, at, (one.iou, one.low, one.high), READ, note, strong=one.is_best and not row.unread
        )
    for effect in row.moved:
        note = f"layer {effect.layer}: {effect.change:+.2f} sd [{effect.low:.2f}, {effect.high:.2f}], "
        note += f"q = {significant(effect.q, 3)}{'' if effect.is_significant else ', not significant'}"
        numbers = (effect.change, effect.low, effect.high)
        strong = effect.is_best and not row.unmoved
        _mark(canvas, moved, _place(moved, effect.layer, layers), numbers, MOVED, note, strong=strong)
    for axes, words in ((read, row.unread), (moved, row.unmoved)):
        if words:
            canvas.text(
                left + 4, axes.top + 10, words.split(":")[0], css="soft over"
            )  # the table has it whole


def _place(axes: Axes, layer: int, layers: int) -> float:
    """Return the middle of a layer's column."""
    return axes.slot(layer, layers)


def _strip(
    canvas: Canvas, left: float, right: float, top: float, x: tuple[float, float], y: tuple[float, float]
) -> Axes:
    axes = Axes(canvas, left=left, right=right, top=top, bottom=top + STRIP, x=x, y=y, y_ticks=2)
    axes.y_grid(gap=6.0)
    axes.horizontal(0.0, "axis")
    return axes


def _mark(
    canvas: Canvas,
    axes: Axes,
    x: float,
    numbers: tuple[float, float, float],
    css: str,
    note: str,
    *,
    strong: bool,
) -> None:
    value, low, high = numbers
    if np.isfinite(value):
        canvas.whisker(axes.y(low), axes.y(high), x, upright=True)
        canvas.circle(x, axes.y(value), 4.2, f"f-{css}" if strong else f"f-{css} faint", title=note)


def chart_table(rows: Sequence[ClassLayers]) -> Table:
    """Return a row per class and stratum, and per class and layer; where there is none, the reason."""
    table: list[Row] = []
    for row in rows:
        for one in row.read:
            numbers = (one.layer, one.stratum, one.name, one.iou, one.low, one.high, None, None)
            table.append([row.name, "read", *numbers, one.is_best and not row.unread, row.unread])
        if not row.read:
            table.append([row.name, "read", *[None] * 8, False, row.unread])
        for effect in row.moved:
            place = (effect.layer, None, None)
            found = (effect.change, effect.low, effect.high, effect.q, effect.is_significant)
            table.append([row.name, "moved", *place, *found, effect.is_best and not row.unmoved, row.unmoved])
        if not row.moved:
            table.append([row.name, "moved", *[None] * 8, False, row.unmoved])
    heads = ("class", "what", "layer", "stratum", "stratum_name", "value", "low", "high", "q", "significant")
    return Table((*heads, "best", "remark"), table)
