"""Draw effects of one direction as bars with intervals, one below another: of concepts, or of layer sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .axes import Axes
from .svg import Canvas, text_width

WIDTH = 440.0
LINE = 21.0  # height of a row
LONGEST = 26  # characters of a label; the middle of a longer one is left out


@dataclass(frozen=True)
class EffectBar:
    """Hold one effect in sd units.

    Attributes:
        label: concept, or layer set.
        level: level of the concept, which gives the colour.
        value, low, high: mean change with its 95 % interval; NaN where it is unknown.
        null_low, null_high: mean +- 2 sd of null directions.
        is_beyond: whether it is beyond chance.
        absent: words to write instead of a bar where nothing was moved; else empty.
    """

    label: str
    level: str
    value: float
    low: float
    high: float
    null_low: float
    null_high: float
    is_beyond: bool
    absent: str = ""

    @property
    def words(self) -> str:
        """The effect in words, for those who cannot see the bar.

        >>> EffectBar("a/x", "colour", 0.5, 0.4, 0.6, -0.1, 0.1, True).words
        'a/x +0.50, beyond chance'
        """
        if self.absent:
            return f"{self.label} {self.absent}"
        if not np.isfinite(self.value):
            return f"{self.label} unknown"
        return f"{self.label} {self.value:+.2f}{', beyond chance' if self.is_beyond else ''}"


def effect_rows(bars: Sequence[EffectBar], description: str) -> str:
    """Draw effects as SVG to embed in a page.

    Bars of effects within chance are pale, and their labels are not bold. Grey bands are the null directions.

    Args:
        bars: from top to bottom.
        description: what the chart shows; the effects follow it in words.
    """
    labels = [_short(bar.label) for bar in bars]
    left, right = 14.0 + text_width(labels), WIDTH - 12.0
    height = 8.0 + LINE * len(bars) + 26.0
    canvas = Canvas(WIDTH, height)
    ends = [
        end
        for bar in bars
        if not bar.absent
        for end in (bar.value, bar.low, bar.high, bar.null_low, bar.null_high)
        if np.isfinite(end)
    ]
    span = (min([0.0, *ends]), max([0.0, *ends]))
    axes = Axes(canvas, left=left, right=right, top=6.0, bottom=height - 26.0, x=span, x_ticks=4)
    axes.x_grid()
    for i, (bar, label) in enumerate(zip(bars, labels, strict=True)):
        y = 8.0 + LINE * (i + 0.5)
        canvas.text(left - 8, y + 4, label, anchor="end", css="strong" if bar.is_beyond else "soft")
        if bar.absent:
            canvas.text(max(axes.x(0.0), left) + 6, y + 4, bar.absent, css="soft over")
            continue
        if np.isfinite(bar.null_low + bar.null_high):
            axes.level_bar(bar.null_low, bar.null_high, y, LINE - 3, "null", title="null directions")
        if np.isfinite(bar.value):
            shade = f"f-{bar.level}" + ("" if bar.is_beyond else " faint")
            axes.level_bar(0.0, bar.value, y, 9.0, shade, title=bar.words)
            canvas.whisker(axes.x(bar.low), axes.x(bar.high), y)
    axes.vertical(0.0, "axis")
    return canvas.svg(f"{description}: {'; '.join(bar.words for bar in bars)}.")


def _short(label: str) -> str:
    """Return a label of at most LONGEST characters."""
    half = (LONGEST - 1) // 2
    return label if len(label) <= LONGEST else f"{label[:half]}…{label[-half:]}"
