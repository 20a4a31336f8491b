"""Map numbers to positions in a plot area, and draw its ticks, grid lines, labels and bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .svg import Canvas, Scale


class Axes:
    """Represent the plot area of a chart: a rectangle of a canvas with a scale along each side.

    All lengths are pixels of the canvas, whose y runs downwards. `x` and `y` turn numbers into
    positions; `y` starts at the bottom of the area.
    """

    def __init__(
        self,
        canvas: Canvas,
        *,
        left: float,
        right: float,
        top: float,
        bottom: float,
        x: tuple[float, float] = (0.0, 1.0),
        y: tuple[float, float] = (0.0, 1.0),
        x_ticks: int = 5,
        y_ticks: int = 5,
    ) -> None:
        """Lay the area out.

        Args:
            canvas: canvas to draw on.
            left: edge of the area.
            right: edge of the area.
            top: edge of the area.
            bottom: edge of the area.
            x: smallest and largest number along x.
            y: smallest and largest number along y.
            x_ticks: about how many steps x has.
            y_ticks: about how many steps y has.
        """
        self.canvas = canvas
        self.left, self.right, self.top, self.bottom = left, right, top, bottom
        self.x = Scale(*x, left, right, ticks=x_ticks)
        self.y = Scale(*y, bottom, top, ticks=y_ticks)

    def x_grid(self, ticks: Iterable[float] | None = None) -> None:
        """Draw an upright line at each tick of x, with its number below.

        Args:
            ticks: numbers to mark; those of the scale by default.
        """
        for tick in self.x.ticks() if ticks is None else ticks:
            self.vertical(tick, "rule")
            self._x_number(tick, 16.0)

    def x_numbers(self, *, gap: float) -> None:
        """Write the number of each tick of x, `gap` below the area, without lines."""
        for tick in self.x.ticks():
            self._x_number(tick, gap)

    def _x_number(self, tick: float, gap: float) -> None:
        self.canvas.text(self.x(tick), self.bottom + gap, self.x.show(tick), css="soft", anchor="middle")

    def y_grid(self, *, gap: float = 8.0) -> None:
        """Draw a level line at each tick of y, and its number `gap` to the left of the area."""
        for tick in self.y.ticks():
            self.horizontal(tick, "rule")
            self.canvas.text(self.left - gap, self.y(tick) + 4, self.y.show(tick), css="soft", anchor="end")

    def vertical(
        self, value: float, css: str, *, top: float | None = None, bottom: float | None = None
    ) -> None:
        """Draw an upright line at a number of x; it spans the area unless its ends are given."""
        x = self.x(value)
        self.canvas.line(
            x, self.top if top is None else top, x, self.bottom if bottom is None else bottom, css
        )

    def horizontal(self, value: float, css: str) -> None:
        """Draw a level line across the area at a number of y."""
        self.canvas.line(self.left, self.y(value), self.right, self.y(value), css)

    def y_label(self, words: str) -> None:
        """Write the label of the y axis, rotated, at the left border of the canvas."""
        self.canvas.text(16, (self.top + self.bottom) / 2, words, css="soft", anchor="middle", turn=-90)

    def level_bar(
        self, first: float, last: float, y: float, thickness: float, css: str, *, title: str
    ) -> None:
        """Draw a bar between two numbers of x, in either order, centred at the position y."""
        start, stop = sorted((self.x(first), self.x(last)))
        self.canvas.rect(start, y - thickness / 2, stop - start, thickness, css, title=title)

    def upright_bar(
        self, value: float, low: float, high: float, left: float, width: float, css: str, *, title: str
    ) -> None:
        """Draw a bar from 0 to a number of y with its interval, in a column of this left edge and width."""
        start, stop = sorted((self.y(0.0), self.y(value)))
        self.canvas.rect(left + 1, start, width - 2, stop - start, css, title=title)
        self.canvas.whisker(self.y(low), self.y(high), left + width / 2, upright=True)

    def slot_width(self, count: int) -> float:
        """Return the width of one of `count` equal columns of the area."""
        return (self.right - self.left) / max(count, 1)

    def slot(self, i: int, count: int) -> float:
        """Return the middle of the i-th of `count` equal columns, counted from 0."""
        return self.left + self.slot_width(count) * (i + 0.5)


def legend(canvas: Canvas, levels: Sequence[str], x: float) -> None:
    """Name the colours of levels, in a line along the top that starts at x."""
    for level in levels:
        canvas.rect(x, 8, 12, 12, f"f-{level}")
        canvas.text(x + 18, 18, level)
        x += 34 + 7.4 * len(level)
