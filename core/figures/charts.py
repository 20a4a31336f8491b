"""The figures of the report. Each gives a drawing, a description for those who cannot see it, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..storage.csv_tables import csv_text
from ..strata.layers import show_layers
from .svg import Canvas, Scale

if TYPE_CHECKING:
    from ..rescoring.hierarchy import Estimate, Hierarchy

Floats = NDArray[np.float64]


LETTER = 7.0  # width of an average letter of the figures' text, in pixels


@dataclass(frozen=True)
class Figure:
    """A drawing with its numbers as a table: first row names."""

    name: str
    canvas: Canvas
    description: str
    table: list[list[Any]]

    @property
    def inline(self) -> str:
        """For the page."""
        return self.canvas.svg(self.description)

    @property
    def file(self) -> str:
        """For a file of its own."""
        return self.canvas.svg(self.description, alone=True)

    def _repr_svg_(self) -> str:
        """Show the drawing in a notebook."""
        return self.file

    @property
    def csv(self) -> str:
        """The numbers."""
        return csv_text(self.table)


@dataclass(frozen=True)
class RankedConcept:
    """One boundary's effect on its own concept at all layers, in sd units.

    Attributes:
        low, high: 95 % interval over verification samples.
        low_total, high_total: 95 % interval over learning samples as well; NaN where it is not known.
    """

    name: str
    level: str
    value: float
    low: float
    high: float
    low_total: float
    high_total: float
    null_low: float
    null_high: float
    q: float
    is_factor: bool

    @property
    def numbers(self) -> tuple[float | bool, ...]:
        """What tables show of it, under NUMBERS."""
        return (
            self.value,
            self.low,
            self.high,
            self.low_total,
            self.high_total,
            self.null_low,
            self.null_high,
            self.q,
            self.is_factor,
        )

    @property
    def ends(self) -> tuple[float, ...]:
        """What has to fit into a figure, as far as it is known."""
        return tuple(
            v
            for v in (self.low, self.high, self.low_total, self.high_total, self.null_low, self.null_high)
            if np.isfinite(v)
        )

    @property
    def note(self) -> str:
        """What is shown on hovering."""
        total = (
            f", over learning samples too [{self.low_total:.2f}, {self.high_total:.2f}]"
            if np.isfinite(self.low_total)
            else ""
        )
        return f"{self.name}: {self.value:.2f} [{self.low:.2f}, {self.high:.2f}]{total}, q {self.q:.2g}"


NUMBERS = (
    "mean_in_sd",
    "low",
    "high",
    "low_total",
    "high_total",
    "null_low",
    "null_high",
    "q_value",
    "variation_factor",
)


def longest(names: Sequence[str]) -> int:
    """Letters of the longest name."""
    return max((len(name) for name in names), default=0)


def ranking(rows: Sequence[RankedConcept]) -> Figure:
    """Bars with intervals, those that beat the null above those that do not; grey bands are the null."""
    left, right, line = 24.0 + LETTER * longest([r.name for r in rows]), 60.0, 26.0
    found, other = [r for r in rows if r.is_factor], [r for r in rows if not r.is_factor]
    sections = [
        (title, part)
        for title, part in (("variation factors", found), ("not told from chance, or not varying", other))
        if part
    ]
    height = 34.0 + sum(30.0 + line * len(part) for _, part in sections) + 20.0
    canvas = Canvas(760, height)
    numbers = [v for r in rows for v in (*r.ends, 0.0)] or [0.0, 1.0]
    scale = Scale(min(numbers), max(numbers), left, 760 - right)
    bottom = height - 34.0
    for tick in scale.ticks():
        canvas.line(scale(tick), 8, scale(tick), bottom, "rule")
        canvas.text(scale(tick), bottom + 16, scale.show(tick), css="soft", anchor="middle")
    canvas.text(
        (left + 760 - right) / 2,
        height - 2,
        "change of the concept in its standard deviations",
        css="soft",
        anchor="middle",
    )
    y = 20.0
    for title, part in sections:
        canvas.text(8, y + 4, title, css="soft strong")
        y += 26.0
        for row in part:
            canvas.text(left - 10, y + 4, row.name, anchor="end")
            if np.isfinite(row.null_low):
                canvas.rect(
                    scale(row.null_low),
                    y - 9,
                    scale(row.null_high) - scale(row.null_low),
                    18,
                    "null",
                    title="null directions: mean +- 2 sd",
                )
            if np.isfinite(row.value):
                start, stop = sorted((scale(0.0), scale(row.value)))
                canvas.rect(
                    start,
                    y - 6,
                    stop - start,
                    12,
                    f"f-{row.level}" + ("" if row.is_factor else " faint"),
                    title=row.note,
                )
                canvas.nested_whiskers(
                    (scale(row.low), scale(row.high)), (scale(row.low_total), scale(row.high_total)), y
                )
                canvas.text(scale(max(row.value, *row.ends)) + 8, y + 4, f"{row.value:.2f}", css="soft")
            y += line
        y += 4.0
    canvas.line(scale(0.0), 8, scale(0.0), bottom, "axis")
    names = ", ".join(r.name for r in found) or "none"
    table: list[list[Any]] = [["boundary", "level", *NUMBERS], *([r.name, r.level, *r.numbers] for r in rows)]
    return Figure("ranking", canvas, f"Concepts ranked by re-scoring. Variation factors: {names}.", table)


def grouped_bars(
    name: str,
    hierarchy: Hierarchy,
    estimate: Estimate,
    groups: Mapping[str, tuple[int, ...]],
    *,
    axis: str,
    description: str,
) -> Figure:
    """Bars of every level side by side at each layer group, with intervals; estimate is (M, G)."""
    left, top, bottom, width = 62.0, 34.0, 250.0, 760.0
    canvas = Canvas(width, 300)
    values = np.concatenate([estimate.value.ravel(), estimate.low.ravel(), estimate.high.ravel(), [0.0]])
    values = values[np.isfinite(values)]
    scale = Scale(float(values.min()), float(values.max()), bottom, top)
    grid(canvas, scale, left, width - 10)
    legend(canvas, hierarchy.levels, left)
    names = list(groups)
    room = (width - 10 - left) / max(len(names), 1)
    bar = min(34.0, room * 0.8 / max(len(hierarchy.levels), 1))
    table: list[list[Any]] = [["level", "group", "layers", "value", "low", "high"]]
    for g, group in enumerate(names):
        middle = left + room * (g + 0.5)
        canvas.text(middle, bottom + 20, group, anchor="middle", css="strong")
        canvas.text(middle, bottom + 37, f"layers {show_layers(groups[group])}", anchor="middle", css="soft")
        for m, level in enumerate(hierarchy.levels):
            value, low, high = (float(a[m, g]) for a in (estimate.value, estimate.low, estimate.high))
            table.append([level, group, show_layers(groups[group]), value, low, high])
            if not np.isfinite(value):
                continue
            x = middle + bar * (m - len(hierarchy.levels) / 2)
            start, stop = sorted((scale(0.0), scale(value)))
            canvas.rect(
                x + 1,
                start,
                bar - 2,
                stop - start,
                f"f-{level}",
                title=f"{level}, {group}: {value:.2f} [{low:.2f}, {high:.2f}]",
            )
            canvas.whisker(scale(low), scale(high), x + bar / 2, upright=True)
    canvas.line(left, scale(0.0), width - 10, scale(0.0), "axis")
    canvas.text(16, (top + bottom) / 2, axis, css="soft", anchor="middle", turn=-90)
    return Figure(name, canvas, description, table)


def layer_curves(hierarchy: Hierarchy, groups: Mapping[str, tuple[int, ...]]) -> Figure:
    """Mean change when one layer is moved, a line per level with its interval."""
    left, top, bottom, width = 62.0, 34.0, 250.0, 760.0
    canvas, layers = Canvas(width, 300), hierarchy.curve.value.shape[1]
    finite = np.concatenate([hierarchy.curve.low.ravel(), hierarchy.curve.high.ravel(), [0.0]])
    finite = finite[np.isfinite(finite)]
    scale, across = (
        Scale(float(finite.min()), float(finite.max()), bottom, top),
        (width - 30 - left) / max(layers - 1, 1),
    )
    grid(canvas, scale, left, width - 10)
    legend(canvas, hierarchy.levels, left)
    for group, members in groups.items():
        x = left + 10 + across * (members[0] + members[-1]) / 2
        canvas.text(x, bottom + 37, group, css="soft", anchor="middle")
        if members[0] > 0:
            canvas.line(
                left + 10 + across * (members[0] - 0.5),
                top,
                left + 10 + across * (members[0] - 0.5),
                bottom + 30,
                "rule",
            )
    for layer in range(layers):
        canvas.text(left + 10 + across * layer, bottom + 18, str(layer), anchor="middle")
    canvas.line(left, scale(0.0), width - 10, scale(0.0), "axis")
    table: list[list[Any]] = [["level", "layer", "mean_in_sd", "low", "high", "share"]]
    for m, level in enumerate(hierarchy.levels):
        xs = [left + 10 + across * layer for layer in range(layers)]
        low, high, value = hierarchy.curve.low[m], hierarchy.curve.high[m], hierarchy.curve.value[m]
        band = [(x, scale(v)) for x, v in zip(xs, high, strict=True)] + [
            (x, scale(v)) for x, v in zip(xs[::-1], low[::-1], strict=True)
        ]
        canvas.path(band, f"band f-{level}", closed=True)
        canvas.path([(x, scale(v)) for x, v in zip(xs, value, strict=True)], f"line s-{level}")
        for layer, x in enumerate(xs):
            canvas.circle(
                x,
                scale(value[layer]),
                3.2,
                f"f-{level}",
                title=f"{level}, layer {layer}: {value[layer]:.2f} [{low[layer]:.2f}, {high[layer]:.2f}]",
            )
            table.append(
                [level, layer, value[layer], low[layer], high[layer], hierarchy.share.value[m, layer]]
            )
    canvas.text(
        16, (top + bottom) / 2, "change in standard deviations", css="soft", anchor="middle", turn=-90
    )
    return Figure(
        "hierarchy_layers",
        canvas,
        "Effect of moving one layer at a time, by level: the curve behind the hierarchy.",
        table,
    )


def depths(hierarchy: Hierarchy, levels_of: Sequence[str], groups: Mapping[str, tuple[int, ...]]) -> Figure:
    """Mean depth of every level, and of its concepts below it, with intervals."""
    left, width, line = 24.0 + LETTER * longest(hierarchy.factors), 760.0, 23.0
    rows: list[tuple[str, str, Estimate, int, bool]] = []
    for m, level in enumerate(hierarchy.levels):
        rows.append((level, level, hierarchy.depth, m, True))
        rows += [
            (name, level, hierarchy.concept_depth, f, False)
            for f, name in enumerate(hierarchy.factors)
            if levels_of[f] == level
        ]
    height = 40.0 + line * len(rows) + 30.0
    canvas, layers = Canvas(width, height), hierarchy.curve.value.shape[1]
    scale = Scale(0.0, float(layers - 1), left, width - 30, ticks=max(layers - 1, 1))
    for layer in range(layers):
        canvas.line(scale(layer), 24, scale(layer), height - 36, "rule")
        canvas.text(scale(layer), height - 20, str(layer), anchor="middle", css="soft")
    for group, members in groups.items():
        canvas.text(scale((members[0] + members[-1]) / 2), 16, group, anchor="middle", css="soft")
    canvas.text((left + width) / 2, height - 3, "mean depth (layer)", anchor="middle", css="soft")
    table: list[list[Any]] = [["level", "concept", "mean_depth", "low", "high"]]
    y = 40.0
    for label, level, estimate, i, is_level in rows:
        value, low, high = float(estimate.value[i]), float(estimate.low[i]), float(estimate.high[i])
        canvas.text(left - 10, y + 4, label, anchor="end", css="strong" if is_level else "soft")
        if np.isfinite(value):
            canvas.whisker(scale(low), scale(high), y)
            canvas.circle(
                scale(value),
                y,
                6.0 if is_level else 3.6,
                f"f-{level}",
                title=f"{label}: {value:.2f} [{low:.2f}, {high:.2f}]",
            )
        else:
            canvas.text(scale(0.0), y + 4, "not told by single layers", css="soft")
        table.append([level, "" if is_level else label, value, low, high])
        y += line
    return Figure(
        "depth", canvas, "Mean depth of each level and concept: the layer index weighted by effect.", table
    )


def heat(
    name: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Floats,
    marks: NDArray[np.bool_],
    *,
    description: str,
    entry: str,
) -> Figure:
    """A matrix of numbers in shaded cells; marked cells stand in bold, cells of NaN are empty."""
    left, cell_w, cell_h = (
        24.0 + LETTER * longest(rows),
        max(38.0, min(64.0, 560.0 / max(len(columns), 1))),
        27.0,
    )
    slant = LETTER * longest(columns) * 0.75  # names lean by half a right angle
    top = slant + 20.0
    canvas = Canvas(left + cell_w * len(columns) + slant, top + cell_h * len(rows) + 10)
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    for j, column in enumerate(columns):
        canvas.text(left + cell_w * (j + 0.5) + 4, top - 8, column, turn=-48)
    table: list[list[Any]] = [["boundary", "concept", entry, "significant"]]
    for i, row in enumerate(rows):
        y = top + cell_h * i
        canvas.text(left - 10, y + cell_h / 2 + 4, row, anchor="end")
        for j, column in enumerate(columns):
            value = float(values[i, j])
            table.append([row, column, value, bool(marks[i, j])])
            if not np.isfinite(value):
                continue
            shade = 0.08 + 0.72 * min(abs(value) / max(largest, 1e-9), 1.0)
            sign = "up" if value >= 0 else "down"
            canvas.rect(
                left + cell_w * j + 1,
                y + 1,
                cell_w - 2,
                cell_h - 2,
                sign,
                title=f"{row} -> {column}: {value:+.2f}",
                opacity=shade,
            )
            canvas.text(
                left + cell_w * (j + 0.5),
                y + cell_h / 2 + 4,
                f"{round(value, 2) + 0.0:.2f}".replace("-", "−"),
                anchor="middle",
                css="strong" if marks[i, j] else "soft",
            )
    return Figure(name, canvas, description, table)


def three_rankings(columns: Sequence[tuple[str, Sequence[tuple[str, str, float, bool]]]]) -> Figure:
    """Three bar charts of the same concepts, each sorted its own way (paper, fig. 12); factors in full colour."""
    width, line, panel = 960.0, 21.0, 312.0
    count = max(len(rows) for _, rows in columns)
    canvas = Canvas(width, 40 + line * count + 12)
    table: list[list[Any]] = [["ranking", "place", "concept", "level", "value", "variation_factor"]]
    for c, (title, rows) in enumerate(columns):
        x = c * (panel + 12)
        canvas.text(x, 16, title, css="strong")
        finite = [value for _, _, value, _ in rows if np.isfinite(value)] or [1.0]
        scale = Scale(min(0.0, *finite), max(0.0, *finite), 0.0, 92.0)
        for place, (name, level, value, is_factor) in enumerate(rows):
            y = 40 + line * place
            canvas.text(x + 168, y + 4, name, anchor="end", css="" if is_factor else "soft")
            if np.isfinite(value):
                start, stop = sorted((scale(0.0), scale(value)))
                canvas.rect(
                    x + 176 + start,
                    y - 6,
                    stop - start,
                    12,
                    f"f-{level}" + ("" if is_factor else " faint"),
                    title=f"{name}: {value:.3f}",
                )
                canvas.text(x + 182 + stop, y + 4, f"{value:.2f}", css="soft")
            table.append([title, place + 1, name, level, value, is_factor])
    return Figure(
        "ablation",
        canvas,
        "The same concepts ranked by share of positives, by accuracy of the boundary, and by re-scoring.",
        table,
    )


def grid(canvas: Canvas, scale: Scale, left: float, right: float) -> None:
    """Lines and numbers at the ticks of an upright scale."""
    for tick in scale.ticks():
        canvas.line(left, scale(tick), right, scale(tick), "rule")
        canvas.text(left - 8, scale(tick) + 4, scale.show(tick), css="soft", anchor="end")


def legend(canvas: Canvas, levels: Sequence[str], x: float) -> None:
    """The levels' colours, in a line at the top."""
    for level in levels:
        canvas.rect(x, 8, 12, 12, f"f-{level}")
        canvas.text(x + 18, 18, level)
        x += 34 + 7.4 * len(level)
