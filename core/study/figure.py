"""Draw the share of the votes for each layer group, by level (paper, fig. 3b)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..figures.figure import Figure
from ..figures.svg import Canvas, Scale, text_width
from ..messages import quantity
from ..storage.csv_tables import Row, Table
from ..strata.layers import layers_in_words, show_layers
from .shares import Shares


def votes_figure(
    shares_by_level: Mapping[str, Shares], groups: Mapping[str, tuple[int, ...]], raters: int
) -> Figure:
    """Draw bars with intervals for each level at each layer group and at `none`.

    A line marks the share that random votes would give.

    Args:
        shares_by_level: shares of the groups in their order, then of `none`, by level.
        groups: layers of each group.
        raters: number of raters.
    """
    left, top, bottom, width = 62.0, 34.0, 250.0, 760.0
    canvas = Canvas(width, 316)
    scale = Scale(0.0, 1.0, bottom, top)
    for tick in scale.ticks():
        canvas.line(left, scale(tick), width - 10, scale(tick), "rule")
        canvas.text(left - 8, scale(tick) + 4, scale.show(tick), css="soft", anchor="end")
    x = left
    for level in shares_by_level:
        canvas.rect(x, 8, 12, 12, f"f-{level}")
        canvas.text(x + 18, 18, level)
        x += 34 + text_width([level])
    names = [*groups, "none"]
    room = (width - 10 - left) / len(names)
    bar = min(34.0, room * 0.8 / max(len(shares_by_level), 1))
    table: list[Row] = []
    for g, name in enumerate(names):
        middle = left + room * (g + 0.5)
        layers = show_layers(groups[name]) if name in groups else ""
        canvas.text(middle, bottom + 20, name, anchor="middle", css="strong")
        place = layers_in_words(groups[name]) if name in groups else "of the rows"
        canvas.text(middle, bottom + 37, place, anchor="middle", css="soft")
        for m, (level, shares) in enumerate(shares_by_level.items()):
            value, low, high = (float(numbers[g]) for numbers in (shares.value, shares.low, shares.high))
            table.append([level, name, layers, shares.votes, value, low, high])
            if np.isfinite(value):
                x = middle + bar * (m - len(shares_by_level) / 2)
                note = (
                    f"{level}, {name}: {value:.2f} [{low:.2f}, {high:.2f}] of "
                    f"{quantity(shares.votes, 'vote')}"
                )
                canvas.rect(x + 1, scale(value), bar - 2, scale(0.0) - scale(value), f"f-{level}", title=note)
                canvas.whisker(scale(low), scale(high), x + bar / 2, upright=True)
    chance = 1.0 / len(names)
    canvas.line(left, scale(chance), width - 10, scale(chance), "axis")
    canvas.text(width - 12, scale(chance) - 5, "guessing", css="soft over", anchor="end")
    canvas.line(left, scale(0.0), width - 10, scale(0.0), "axis")
    canvas.text(16, (top + bottom) / 2, "share of votes", css="soft", anchor="middle", turn=-90)
    canvas.text(
        left,
        308,
        f"{quantity(raters, 'rater')}; whiskers are 95 % intervals over raters and strips",
        css="soft",
    )
    best = [
        f"{level}: {names[int(np.argmax(shares.value))]}"
        for level, shares in shares_by_level.items()
        if shares.votes
    ]
    description = (
        f"Share of votes per layer group and level. Most votes for {', '.join(best)}."
        if best
        else "No votes."
    )
    return Figure(
        "votes",
        canvas,
        description,
        Table(("level", "group", "layers", "votes", "share", "low", "high"), table),
    )
