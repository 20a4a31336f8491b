"""Draw rankings of concepts: of one run, of several models side by side, and by three criteria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..decimals import significant
from ..statistics import NO_SPREAD, without_spread
from ..storage.csv_tables import Row, Table
from .axes import Axes
from .figure import Figure
from .svg import Canvas, text_width

ABREAST = 3  # panels in a row at most
LINE = 22.0  # height of a row of a panel
NOT_MOVED = "not moved there"
NOT_TESTED = "not tested"
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
    "no_spread",
)


@dataclass(frozen=True)
class RankedConcept:
    """Hold the effect of one boundary on its own concept at all layers, in sd of the concept.

    Attributes:
        name: name of the boundary.
        level: level of the concept.
        value: mean change.
        low, high: 95 % interval over verification samples.
        low_total, high_total: 95 % interval over learning samples as well; NaN where it is unknown.
        null_low, null_high: mean +- 2 sd of null directions.
        q: p value after Benjamini and Hochberg's correction.
        is_factor: whether the concept is a variation factor.
        target: concept by which a direction found without labels is judged; empty for other boundaries.
        is_moved: whether the boundary moves any of the layers; if not, all numbers are NaN.
        is_tested: whether it was compared with null directions at all; if not, no concept is a factor.
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
    target: str = ""
    is_moved: bool = True
    is_tested: bool = True

    @property
    def label(self) -> str:
        """The name, with the target if it has one."""
        return f"{self.name} ({self.target})" if self.target else self.name

    @property
    def numbers(self) -> tuple[float | bool, ...]:
        """Cells of a table under the headings NUMBERS."""
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
            self.is_point,
        )

    @property
    def is_point(self) -> bool:
        """Whether the interval over verification samples is a point, because all samples changed alike."""
        return bool(without_spread(self.value, self.low, self.high))

    @property
    def interval(self) -> str:
        """The interval over verification samples as text, without brackets."""
        return NO_SPREAD if self.is_point else f"{self.low:.2f}, {self.high:.2f}"

    @property
    def ends(self) -> tuple[float, ...]:
        """Finite ends of all intervals: the range that a figure must show."""
        ends = (self.low, self.high, self.low_total, self.high_total, self.null_low, self.null_high)
        return tuple(v for v in ends if np.isfinite(v))

    @property
    def note(self) -> str:
        """Text to show on hovering."""
        total = (
            f", over learning samples too [{self.low_total:.2f}, {self.high_total:.2f}]"
            if np.isfinite(self.low_total)
            else ""
        )
        tested = f"q {significant(self.q)}" if self.is_tested else NOT_TESTED
        return f"{self.name}: {self.value:.2f} [{self.interval}]{total}, {tested}"


def ranking(rows: Sequence[RankedConcept]) -> Figure:
    """Draw a bar with its interval for each concept, variation factors first.

    Grey bands are the null distribution, mean +- 2 sd.
    """
    left, right, line = 24.0 + text_width([r.label for r in rows]), 700.0, 26.0
    factors, others = [r for r in rows if r.is_factor], [r for r in rows if not r.is_factor]
    is_tested = all(r.is_tested for r in rows)
    sections = [
        (title, part)
        for title, part in (
            ("variation factors", factors),
            ("compatible with chance, or not varying" if is_tested else "not compared with chance", others),
        )
        if part
    ]
    height = 34.0 + sum(30.0 + line * len(part) for _, part in sections) + 20.0
    canvas = Canvas(760, height)
    axes = Axes(canvas, left=left, right=right, top=8, bottom=height - 34.0, x=_span(rows))
    axes.x_grid()
    is_of_target = any(r.target for r in rows)
    title = f"change of the {'target or concept' if is_of_target else 'concept'} in its standard deviations"
    canvas.text((left + right) / 2, height - 2, title, css="soft", anchor="middle")
    y = 20.0
    for title, part in sections:
        canvas.text(8, y + 4, title, css="soft strong")
        y += 26.0
        for row in part:
            canvas.text(left - 10, y + 4, row.label, anchor="end")
            _bar(axes, row, y, 12.0)
            if not row.is_moved:
                canvas.text(max(axes.x(0.0), left) + 8, y + 4, NOT_MOVED, css="soft")
            elif np.isfinite(row.value):
                canvas.text(axes.x(max(row.value, *row.ends)) + 8, y + 4, f"{row.value:.2f}", css="soft")
            y += line
        y += 4.0
    axes.vertical(0.0, "axis")
    names = ", ".join(r.name for r in factors) or ("none" if is_tested else NOT_TESTED)
    what = "Directions and concepts" if is_of_target else "Concepts"
    description = f"{what} ranked by re-scoring. Variation factors: {names}."
    table = Table(("boundary", "level", *NUMBERS), [(r.name, r.level, *r.numbers) for r in rows])
    return Figure("ranking", canvas, description, table)


def rankings(panels: Sequence[tuple[str, Sequence[RankedConcept]]]) -> Figure:
    """Draw the strongest concepts of several models, a panel each on one scale (paper, fig. 6).

    Concepts that are not variation factors are pale.
    """
    everything = [row for _, rows in panels for row in rows]
    words = 16.0 + text_width([row.label for row in everything])
    bars, across = 190.0, min(len(panels), ABREAST)
    width = words + bars + 64.0
    height = 60.0 + LINE * max((len(rows) for _, rows in panels), default=0)
    canvas = Canvas(width * across, height * -(-len(panels) // across))
    table: list[Row] = []
    for p, (label, rows) in enumerate(panels):
        left, top = width * (p % across) + words, height * (p // across)
        bottom = top + 34.0 + LINE * len(rows)
        axes = Axes(
            canvas,
            left=left,
            right=left + bars,
            top=top + 26,
            bottom=bottom,
            x=_span(everything),
            x_ticks=4,
        )
        canvas.text(left, top + 18, label, css="strong")
        axes.x_grid()
        for place, row in enumerate(rows):
            y = top + 40.0 + LINE * place
            _bar(axes, row, y, 10.0)
            canvas.text(left - 8, y + 4, row.label, anchor="end", css="" if row.is_factor else "soft")
            number = "–" if np.isnan(row.value) else f"{row.value:.2f}".replace("-", "−")
            canvas.text(axes.right + 8, y + 4, number, css="soft")
            table.append([label, place + 1, row.name, row.level, *row.numbers])
        axes.vertical(0.0, "axis")
    models = ", ".join(label for label, _ in panels)
    return Figure(
        "ranking",
        canvas,
        f"Concepts ranked by re-scoring, change in standard deviations, side by side for {models}.",
        Table(("run", "place", "boundary", "level", *NUMBERS), table),
    )


def three_rankings(columns: Sequence[tuple[str, Sequence[tuple[str, str, float, bool]]]]) -> Figure:
    """Draw three bar charts of the same concepts, each sorted by its own numbers (paper, fig. 12).

    Args:
        columns: heading of each chart, and its rows: concept, level, number, and whether it is a
            variation factor; all others are pale.
    """
    width, line, panel = 960.0, 21.0, 312.0
    count = max(len(rows) for _, rows in columns)
    canvas = Canvas(width, 40 + line * count + 12)
    table: list[Row] = []
    for c, (title, rows) in enumerate(columns):
        left = c * (panel + 12)
        canvas.text(left, 16, title, css="strong")
        finite = [value for _, _, value, _ in rows if np.isfinite(value)] or [1.0]
        axes = Axes(
            canvas,
            left=left + 176,
            right=left + 268,
            top=40,
            bottom=40 + line * count,
            x=(min(0.0, *finite), max(0.0, *finite)),
        )
        for place, (name, level, value, is_factor) in enumerate(rows):
            y = 40 + line * place
            canvas.text(left + 168, y + 4, name, anchor="end", css="" if is_factor else "soft")
            if np.isfinite(value):
                axes.level_bar(0.0, value, y, 12.0, _css(level, is_factor), title=f"{name}: {value:.3f}")
                canvas.text(axes.x(max(0.0, value)) + 6, y + 4, f"{value:.2f}", css="soft")
            table.append([title, place + 1, name, level, value, is_factor])
    return Figure(
        "ablation",
        canvas,
        "The same concepts ranked by share of positives, by accuracy of the boundary, and by re-scoring.",
        Table(("ranking", "place", "concept", "level", "value", "variation_factor"), table),
    )


def _span(rows: Sequence[RankedConcept]) -> tuple[float, float]:
    """Return the smallest and largest number of all rows, 0 included."""
    numbers = [v for row in rows for v in (*row.ends, 0.0)] or [0.0, 1.0]
    return min(numbers), max(numbers)


def _bar(axes: Axes, row: RankedConcept, y: float, thickness: float) -> None:
    """Draw a concept's null band, its bar and its intervals at height y, as far as they are known."""
    if np.isfinite(row.null_low):
        axes.level_bar(
            row.null_low,
            row.null_high,
            y,
            thickness + 6.0,
            "null",
            title="null directions: mean +- 2 sd",
        )
    if np.isfinite(row.value):
        axes.level_bar(0.0, row.value, y, thickness, _css(row.level, row.is_factor), title=row.note)
        axes.canvas.nested_whiskers(
            (axes.x(row.low), axes.x(row.high)), (axes.x(row.low_total), axes.x(row.high_total)), y
        )


def _css(level: str, is_factor: bool) -> str:
    """Return the classes of a bar: the colour of its level, pale unless it is a variation factor."""
    return f"f-{level}" if is_factor else f"f-{level} faint"
