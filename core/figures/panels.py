"""Figures of several panels: rankings and hierarchies of several models, and edits at right and wrong layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..strata.layers import show_layers
from .charts import LETTER, NUMBERS, Figure, RankedConcept, grid, legend, longest
from .svg import Canvas, Scale

if TYPE_CHECKING:
    from ..analyses.right_layers import Moved
    from ..rescoring.hierarchy import Hierarchy

ABREAST = 3  # panels in a row at most
LINE = 22.0


def rankings(panels: Sequence[tuple[str, Sequence[RankedConcept]]]) -> Figure:
    """The strongest concepts of several models, a panel each on one scale (paper, fig. 6); those that are no variation factors are pale."""
    words = 16.0 + LETTER * longest([row.name for _, rows in panels for row in rows])
    bars, across = 190.0, min(len(panels), ABREAST)
    width = words + bars + 64.0
    height = 60.0 + LINE * max((len(rows) for _, rows in panels), default=0)
    canvas = Canvas(width * across, height * -(-len(panels) // across))
    numbers = [v for _, rows in panels for r in rows for v in (*r.ends, 0.0)] or [0.0, 1.0]
    table: list[list[Any]] = [["run", "place", "boundary", "level", *NUMBERS]]
    for p, (label, rows) in enumerate(panels):
        left, top = width * (p % across), height * (p // across)
        scale = Scale(min(numbers), max(numbers), left + words, left + words + bars, ticks=4)
        bottom = top + 34.0 + LINE * len(rows)
        canvas.text(left + words, top + 18, label, css="strong")
        for tick in scale.ticks():
            canvas.line(scale(tick), top + 26, scale(tick), bottom, "rule")
            canvas.text(scale(tick), bottom + 16, scale.show(tick), css="soft", anchor="middle")
        for place, row in enumerate(rows):
            y = top + 40.0 + LINE * place
            _bar(canvas, scale, row, y)
            canvas.text(left + words - 8, y + 4, row.name, anchor="end", css="" if row.is_factor else "soft")
            canvas.text(
                left + words + bars + 8,
                y + 4,
                "–" if np.isnan(row.value) else f"{row.value:.2f}".replace("-", "−"),
                css="soft",
            )
            table.append([label, place + 1, row.name, row.level, *row.numbers])
        canvas.line(scale(0.0), top + 26, scale(0.0), bottom, "axis")
    models = ", ".join(label for label, _ in panels)
    return Figure(
        "ranking",
        canvas,
        f"Concepts ranked by re-scoring, change in standard deviations, side by side for {models}.",
        table,
    )


def _bar(canvas: Canvas, scale: Scale, row: RankedConcept, y: float) -> None:
    if np.isfinite(row.null_low):
        canvas.rect(
            scale(row.null_low),
            y - 8,
            scale(row.null_high) - scale(row.null_low),
            16,
            "null",
            title="null directions: mean +- 2 sd",
        )
    if np.isfinite(row.value):
        start, stop = sorted((scale(0.0), scale(row.value)))
        canvas.rect(
            start,
            y - 5,
            stop - start,
            10,
            f"f-{row.level}" + ("" if row.is_factor else " faint"),
            title=row.note,
        )
        canvas.nested_whiskers(
            (scale(row.low), scale(row.high)), (scale(row.low_total), scale(row.high_total)), y
        )


def hierarchies(panels: Sequence[tuple[str, Hierarchy, Mapping[str, tuple[int, ...]]]]) -> Figure:
    """Each model's share of effect by layer group, a bar per level, on one scale; below it the mean depth of each level as a part of all layers."""
    width, height, left = 760.0, 226.0, 62.0
    canvas = Canvas(width, 30.0 + height * len(panels))
    levels = list(dict.fromkeys(level for _, h, _ in panels for level in h.levels))
    legend(canvas, levels, left)
    ends = [v for _, h, _ in panels for v in (*h.groups.high.ravel(), 0.0, 1.0) if np.isfinite(v)]
    table: list[list[Any]] = [
        [
            "run",
            "level",
            "group",
            "layers",
            "share",
            "low",
            "high",
            "depth_as_part",
            "depth_low",
            "depth_high",
        ]
    ]
    for p, (label, h, groups) in enumerate(panels):
        top, bottom = 62.0 + height * p, 186.0 + height * p
        canvas.text(left, top - 10, label, css="strong")
        scale = Scale(0.0, max(ends), bottom, top, ticks=4)
        grid(canvas, scale, left, width - 10)
        depths, depth_low, depth_high = (
            a / max(h.curve.value.shape[1] - 1, 1) for a in (h.depth.value, h.depth.low, h.depth.high)
        )
        room = (width - 10 - left) / max(len(groups), 1)
        bar = min(26.0, room * 0.8 / max(len(levels), 1))
        for g, (group, members) in enumerate(groups.items()):
            middle = left + room * (g + 0.5)
            canvas.text(middle, bottom + 17, f"{group} {show_layers(members)}", anchor="middle", css="soft")
            for m, level in enumerate(h.levels):
                value, low, high = (float(a[m, g]) for a in (h.groups.value, h.groups.low, h.groups.high))
                table.append(
                    [
                        label,
                        level,
                        group,
                        show_layers(members),
                        value,
                        low,
                        high,
                        *(float(a[m]) for a in (depths, depth_low, depth_high)),
                    ]
                )
                if np.isfinite(value):
                    x = middle + bar * (levels.index(level) - len(levels) / 2)
                    note = f"{label}, {level}, {group}: {value:.2f} [{low:.2f}, {high:.2f}]"
                    canvas.rect(
                        x + 1, scale(value), bar - 2, scale(0.0) - scale(value), f"f-{level}", title=note
                    )
                    canvas.whisker(scale(low), scale(high), x + bar / 2, upright=True)
        canvas.line(left, scale(0.0), width - 10, scale(0.0), "axis")
        canvas.text(16, (top + bottom) / 2, "share of effect", css="soft", anchor="middle", turn=-90)
        along = Scale(0.0, 1.0, left, width - 30)
        canvas.text(left - 8, bottom + 42, "depth", css="soft", anchor="end")
        canvas.line(left, bottom + 38, width - 30, bottom + 38, "rule")
        for m, level in enumerate(h.levels):
            if np.isfinite(depths[m]):
                y = bottom + 38 + 5.0 * (m - (len(h.levels) - 1) / 2)
                canvas.whisker(along(float(depth_low[m])), along(float(depth_high[m])), y, cap=2.0)
                canvas.circle(
                    along(float(depths[m])),
                    y,
                    4.5,
                    f"f-{level}",
                    title=f"{label}, {level}: {100 * float(depths[m]):.0f} % of the way",
                )
        canvas.text(left, bottom + 60, "first layer", css="soft")
        canvas.text(width - 30, bottom + 60, "last layer", css="soft", anchor="end")
    models = ", ".join(label for label, _, _ in panels)
    return Figure(
        "hierarchy",
        canvas,
        f"Share of each level's effect by layer group, and mean depths, for {models}.",
        table,
    )


def layer_effects(rows: Sequence[Moved], levels: Sequence[str]) -> Figure:
    """For each boundary and layer set a bar for its own concept, and one per level for how far other concepts move; grey is random directions."""
    words, line = 52.0 + LETTER * longest([f"{row.set_name} {show_layers(row.layers)}" for row in rows]), 21.0
    columns = ["own concept", *levels]
    cell = max(96.0, (760.0 - words) / max(len(columns), 1))
    blocks = [[row for row in rows if row.name == name] for name in dict.fromkeys(row.name for row in rows)]
    height = 30.0 + sum(52.0 + line * len(block) for block in blocks) + 26.0
    canvas = Canvas(words + cell * len(columns), height)
    ends = [0.0] + [
        v
        for row in rows
        for v in (*row.target, *(w for a in row.levels.values() for w in (a.high, a.random)))
        if np.isfinite(v)
    ]
    least = (
        min(ends) if min(ends) < -0.05 * max(ends) else 0.0
    )  # a whisker a little below zero needs no room of its own
    scales = [
        Scale(least, max(ends), words + cell * c + 4, words + cell * (c + 1) - 22, ticks=3)
        for c in range(len(columns))
    ]
    table: list[list[Any]] = [
        ["boundary", "boundary_level", "layers", "right", "of", "value", "low", "high", "random"]
    ]
    y = 18.0
    for c, title in enumerate(columns):
        canvas.text(scales[c](0.0), y, title, css="strong" if c == 0 else "soft strong")
    y += 16.0
    for block in blocks:
        canvas.text(8, y + 16, block[0].name, css="strong")
        y += 30.0
        start = y
        for row in block:
            middle = y + line / 2
            canvas.text(
                words - 8,
                middle + 4,
                f"{row.set_name} {show_layers(row.layers)}",
                anchor="end",
                css="strong" if row.is_right else "soft",
            )
            if row.is_right:
                canvas.circle(14, middle, 4.0, f"f-{row.level}", title="the right layers")
            for c, of in enumerate(columns):
                side = None if c == 0 else row.levels.get(of)
                if c > 0 and side is None:
                    continue
                value, low, high = row.target if side is None else (side.value, side.low, side.high)
                table.append(
                    [
                        row.name,
                        row.level,
                        row.set_name,
                        row.is_right,
                        of,
                        value,
                        low,
                        high,
                        float("nan") if side is None else side.random,
                    ]
                )
                if not np.isfinite(value):
                    continue
                scale = scales[c]
                if side is not None and np.isfinite(side.random):
                    canvas.rect(
                        scale(0.0),
                        middle - 8,
                        scale(side.random) - scale(0.0),
                        16,
                        "null",
                        title=f"null directions: {side.random:.2f}",
                    )
                begin, stop = sorted((scale(0.0), scale(value)))
                note = f"{row.name} at {row.set_name}, {of}: {value:.2f} [{low:.2f}, {high:.2f}]"
                canvas.rect(
                    begin,
                    middle - 5,
                    stop - begin,
                    10,
                    f"f-{row.level if c == 0 else of}" + ("" if row.is_right else " faint"),
                    title=note,
                )
                canvas.whisker(scale(low), scale(high), middle)
            y += line
        for scale in scales:
            canvas.line(scale(0.0), start, scale(0.0), y, "axis")
        y += 22.0
    for scale in scales:
        for tick in scale.ticks():
            canvas.line(scale(tick), y - 18, scale(tick), y - 14, "axis")
            if tick == 0.0 or tick in (scale.ticks()[0], scale.ticks()[-1]):
                canvas.text(scale(tick), y - 2, scale.show(tick), css="soft", anchor="middle")
    canvas.text(
        words,
        y + 20,
        "change in standard deviations; of other concepts the root mean square by level, noise taken out",
        css="soft",
    )
    return Figure(
        "layers",
        canvas,
        "What moving along a direction does at its right layers, at wrong ones and at all, to its own concept and to every level.",
        table,
    )
