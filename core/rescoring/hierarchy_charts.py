"""Draw the hierarchy: the effect of levels by layer and layer group, and their mean depths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..decimals import percent
from ..figures.axes import Axes, legend
from ..figures.figure import Figure
from ..figures.svg import Canvas, text_width
from ..storage.csv_tables import Row, Table
from ..strata.layers import layers_in_words, show_layers

if TYPE_CHECKING:
    from .hierarchy import Estimate, Hierarchy

WIDTH, LEFT = 760.0, 62.0


def grouped_bars(
    name: str,
    hierarchy: Hierarchy,
    estimate: Estimate,
    groups: Mapping[str, tuple[int, ...]],
    *,
    axis: str,
    description: str,
) -> Figure:
    """Draw at each layer group a bar with its interval for every level.

    Args:
        name: name of the figure.
        hierarchy: hierarchy whose levels are shown.
        estimate: numbers and their intervals, (M, G) for M levels and G groups.
        groups: layers of each group.
        axis: what the numbers are.
        description: description for screen readers.
    """
    canvas = Canvas(WIDTH, 300)
    axes = _upright_axes(canvas, (estimate.value, estimate.low, estimate.high))
    axes.y_grid()
    legend(canvas, hierarchy.levels, LEFT)
    levels, names = hierarchy.levels, list(groups)
    bar = min(34.0, axes.slot_width(len(names)) * 0.8 / max(len(levels), 1))
    table: list[Row] = []
    for g, group in enumerate(names):
        middle, layers = axes.slot(g, len(names)), show_layers(groups[group])
        canvas.text(middle, axes.bottom + 20, group, anchor="middle", css="strong")
        canvas.text(middle, axes.bottom + 37, layers_in_words(groups[group]), anchor="middle", css="soft")
        for m, level in enumerate(levels):
            value, low, high = (float(a[m, g]) for a in (estimate.value, estimate.low, estimate.high))
            table.append([level, group, layers, value, low, high])
            if np.isfinite(value):
                left = middle + bar * (m - len(levels) / 2)
                note = f"{level}, {group}: {value:.2f} [{low:.2f}, {high:.2f}]"
                axes.upright_bar(value, low, high, left, bar, f"f-{level}", title=note)
    axes.horizontal(0.0, "axis")
    axes.y_label(axis)
    return Figure(
        name, canvas, description, Table(("level", "group", "layers", "value", "low", "high"), table)
    )


def layer_curves(hierarchy: Hierarchy, groups: Mapping[str, tuple[int, ...]]) -> Figure:
    """Draw each level's mean change when one layer is moved, as a curve over layers with its interval."""
    curve, layers = hierarchy.curve, hierarchy.curve.value.shape[1]
    canvas = Canvas(WIDTH, 300)
    axes = _upright_axes(canvas, (curve.low, curve.high))
    pitch: float = (WIDTH - 30 - LEFT) / max(layers - 1, 1)

    def place(layer: float) -> float:
        return LEFT + 10 + pitch * layer

    axes.y_grid()
    legend(canvas, hierarchy.levels, LEFT)
    for group, members in groups.items():
        canvas.text(
            place((members[0] + members[-1]) / 2), axes.bottom + 37, group, css="soft", anchor="middle"
        )
        if members[0] > 0:
            x = place(members[0] - 0.5)
            canvas.line(x, axes.top, x, axes.bottom + 30, "rule")
    for layer in range(layers):
        canvas.text(place(layer), axes.bottom + 18, str(layer), anchor="middle")
    axes.horizontal(0.0, "axis")
    table: list[Row] = []
    xs = [place(layer) for layer in range(layers)]
    for m, level in enumerate(hierarchy.levels):
        value, low, high = curve.value[m], curve.low[m], curve.high[m]
        upper = [(x, axes.y(v)) for x, v in zip(xs, high, strict=True)]
        lower = [(x, axes.y(v)) for x, v in zip(xs, low, strict=True)]
        canvas.path([*upper, *reversed(lower)], f"band f-{level}", closed=True)
        canvas.path([(x, axes.y(v)) for x, v in zip(xs, value, strict=True)], f"line s-{level}")
        for layer, x in enumerate(xs):
            note = f"{level}, layer {layer}: {value[layer]:.2f} [{low[layer]:.2f}, {high[layer]:.2f}]"
            canvas.circle(x, axes.y(value[layer]), 3.2, f"f-{level}", title=note)
            share = hierarchy.share.value[m, layer]
            table.append([level, layer, value[layer], low[layer], high[layer], share])
    axes.y_label("change in standard deviations")
    return Figure(
        "hierarchy_layers",
        canvas,
        "Effect of moving one layer at a time, by level: the curves of the hierarchy.",
        Table(("level", "layer", "mean_in_sd", "low", "high", "share"), table),
    )


def depths(hierarchy: Hierarchy, levels_of: Sequence[str], groups: Mapping[str, tuple[int, ...]]) -> Figure:
    """Draw the mean depth of every level, and of its concepts below it, with intervals.

    Args:
        hierarchy: with F concepts that are variation factors.
        levels_of: the level of each of them (F).
        groups: layers of each group.
    """
    left, line = 24.0 + text_width(hierarchy.factors), 23.0
    rows: list[tuple[str, str, Estimate, int, bool]] = []
    for m, level in enumerate(hierarchy.levels):
        rows.append((level, level, hierarchy.depth, m, True))
        rows += [
            (name, level, hierarchy.concept_depth, f, False)
            for f, name in enumerate(hierarchy.factors)
            if levels_of[f] == level
        ]
    height = 40.0 + line * len(rows) + 30.0
    canvas, layers = Canvas(WIDTH, height), hierarchy.curve.value.shape[1]
    axes = Axes(
        canvas,
        left=left,
        right=WIDTH - 30,
        top=24,
        bottom=height - 36,
        x=(0.0, float(layers - 1)),
        x_ticks=max(layers - 1, 1),
    )
    axes.x_grid(range(layers))
    for group, members in groups.items():
        canvas.text(axes.x((members[0] + members[-1]) / 2), 16, group, anchor="middle", css="soft")
    canvas.text((left + WIDTH) / 2, height - 3, "mean depth (layer)", anchor="middle", css="soft")
    table: list[Row] = []
    y = 40.0
    for label, level, estimate, i, is_level in rows:
        value, low, high = float(estimate.value[i]), float(estimate.low[i]), float(estimate.high[i])
        canvas.text(left - 10, y + 4, label, anchor="end", css="strong" if is_level else "soft")
        if np.isfinite(value):
            canvas.whisker(axes.x(low), axes.x(high), y)
            note = f"{label}: {value:.2f} [{low:.2f}, {high:.2f}]"
            canvas.circle(axes.x(value), y, 6.0 if is_level else 3.6, f"f-{level}", title=note)
        else:
            canvas.text(axes.x(0.0), y + 4, "undefined: effects of single layers cancel out", css="soft")
        table.append([level, "" if is_level else label, value, low, high])
        y += line
    return Figure(
        "depth",
        canvas,
        "Mean depth of each level and concept: the layer index weighted by effect.",
        Table(("level", "concept", "mean_depth", "low", "high"), table),
    )


def hierarchies(panels: Sequence[tuple[str, Hierarchy, Mapping[str, tuple[int, ...]]]]) -> Figure:
    """Draw the hierarchies of several models below each other.

    Each panel has a bar per level at each layer group, on one scale for all models: the group's share of
    the level's effect. A line below it marks the mean depth of each level, as a part of all layers.
    """
    height = 226.0
    canvas = Canvas(WIDTH, 30.0 + height * len(panels))
    levels = list(dict.fromkeys(level for _, h, _ in panels for level in h.levels))
    legend(canvas, levels, LEFT)
    ends = [v for _, h, _ in panels for v in (*h.groups.high.ravel(), 0.0, 1.0) if np.isfinite(v)]
    heads = ("run", "level", "group", "layers", "share", "low", "high")
    table: list[Row] = []
    for p, (label, h, groups) in enumerate(panels):
        axes = Axes(
            canvas,
            left=LEFT,
            right=WIDTH - 10,
            top=62.0 + height * p,
            bottom=186.0 + height * p,
            y=(0.0, max(ends)),
            y_ticks=4,
        )
        canvas.text(LEFT, axes.top - 10, label, css="strong")
        axes.y_grid()
        last = max(h.curve.value.shape[1] - 1, 1)
        parts = np.stack([h.depth.value / last, h.depth.low / last, h.depth.high / last], axis=1)  # (M, 3)
        bar = min(26.0, axes.slot_width(len(groups)) * 0.8 / max(len(levels), 1))
        for g, (group, members) in enumerate(groups.items()):
            middle, layers = axes.slot(g, len(groups)), show_layers(members)
            canvas.text(middle, axes.bottom + 17, f"{group} {layers}", anchor="middle", css="soft")
            for m, level in enumerate(h.levels):
                value, low, high = (float(a[m, g]) for a in (h.groups.value, h.groups.low, h.groups.high))
                table.append([label, level, group, layers, value, low, high, *map(float, parts[m])])
                if np.isfinite(value):
                    left = middle + bar * (levels.index(level) - len(levels) / 2)
                    note = f"{label}, {level}, {group}: {value:.2f} [{low:.2f}, {high:.2f}]"
                    axes.upright_bar(value, low, high, left, bar, f"f-{level}", title=note)
        axes.horizontal(0.0, "axis")
        axes.y_label("share of effect")
        _depth_line(canvas, label, h.levels, parts, axes.bottom + 38)
    models = ", ".join(label for label, _, _ in panels)
    return Figure(
        "hierarchy",
        canvas,
        f"Share of each level's effect by layer group, and mean depths, for {models}.",
        Table((*heads, "depth_as_part", "depth_low", "depth_high"), table),
    )


def _depth_line(canvas: Canvas, label: str, levels: Sequence[str], parts: Any, y: float) -> None:
    """Draw a line from the first to the last layer at height y, and on it each level's mean depth.

    Args:
        canvas: canvas to draw on.
        label: label of the model.
        levels: names (M).
        parts: mean depth and its interval, from 0 at the first to 1 at the last layer, (M, 3).
        y: height of the line.
    """
    axes = Axes(canvas, left=LEFT, right=WIDTH - 30, top=y, bottom=y)
    canvas.text(axes.left - 8, y + 4, "depth", css="soft", anchor="end")
    canvas.line(axes.left, y, axes.right, y, "rule")
    for m, level in enumerate(levels):
        depth, low, high = map(float, parts[m])
        if np.isfinite(depth):
            at = y + 5.0 * (m - (len(levels) - 1) / 2)
            canvas.whisker(axes.x(low), axes.x(high), at, cap=2.0)
            note = f"{label}, {level}: {percent(depth, 0)} of the way"
            canvas.circle(axes.x(depth), at, 4.5, f"f-{level}", title=note)
    canvas.text(axes.left, y + 22, "first layer", css="soft")
    canvas.text(axes.right, y + 22, "last layer", css="soft", anchor="end")


def _upright_axes(canvas: Canvas, arrays: Sequence[Any]) -> Axes:
    """Return the plot area of a chart of one panel; its y spans 0 and all finite numbers of some arrays."""
    numbers = np.concatenate([*(array.ravel() for array in arrays), [0.0]])
    numbers = numbers[np.isfinite(numbers)]
    span = float(numbers.min()), float(numbers.max())
    return Axes(canvas, left=LEFT, right=WIDTH - 10, top=34.0, bottom=250.0, y=span)
