"""Draw a leaderboard: a panel for each measure, and effect on the target against leak."""

from __future__ import annotations

import numpy as np

from ..figures.axes import Axes
from ..figures.figure import Figure
from ..figures.svg import Canvas, Scale, text_width
from ..storage.csv_tables import Row, Table
from .board import Board
from .estimates import Estimate
from .measures import MEASURES, PICTURED
from .tables import cell_of

WIDTH, GAP, LINE, TOP = 150.0, 42.0, 26.0, 44.0


def dots(board: Board) -> Figure:
    """Draw a panel for each of four measures, with a line for each learner.

    Dots have two intervals: the thin, grey one is the learner's own, the thick one that of its difference
    from the baseline, whose value is the vertical line.
    """
    left = 30.0 + text_width(row.label for row in board.rows)
    bottom = TOP + LINE * len(board.rows)
    canvas = Canvas(left + len(PICTURED) * (WIDTH + GAP) - GAP + 20, bottom + 30)
    for at, e in enumerate(board.order):
        css = "strong" if e == board.baseline else ""
        canvas.text(left - 18, TOP + LINE * (at + 0.5) + 4, board.rows[e].label, anchor="end", css=css)
    for p, name in enumerate(PICTURED):
        _panel(canvas, board, name, left + p * (WIDTH + GAP), bottom)
    return Figure(
        "leaderboard",
        canvas,
        "Effect on target, effect on others, leak and steadiness of each learner, with 95 % intervals",
        _numbers(board, PICTURED),
    )


def _panel(canvas: Canvas, board: Board, name: str, start: float, bottom: float) -> None:
    """Draw the panel of one measure."""
    measure = next(m for m in MEASURES if m.name == name)
    estimate, apart = board.estimates[name], board.estimates[name].against(board.baseline)
    ends = np.concatenate([estimate.low, estimate.high])
    low, high = _extent(ends)
    scale = Scale(low, high, start, start + WIDTH, ticks=3)
    canvas.text(start, 16, measure.heading, css="strong")
    canvas.text(start, 32, f"{measure.better} is better", css="soft")
    for tick in scale.ticks():
        canvas.line(scale(tick), TOP, scale(tick), bottom, "rule")
        canvas.text(scale(tick), bottom + 17, scale.show(tick), css="soft", anchor="middle")
    centre = float(estimate.value[board.baseline])
    if np.isfinite(centre):
        canvas.line(scale(centre), TOP, scale(centre), bottom, "axis")
    for at, e in enumerate(board.order):
        y = TOP + LINE * (at + 0.5)
        if not np.isfinite(estimate.value[e]):
            canvas.text(start, y + 4, "–", css="soft")
            continue
        if np.isfinite(estimate.low[e]):
            canvas.line(scale(float(estimate.low[e])), y, scale(float(estimate.high[e])), y, "axis")
        if e != board.baseline and np.isfinite(apart.low[e]):
            canvas.whisker(scale(centre + float(apart.low[e])), scale(centre + float(apart.high[e])), y)
        title = f"{board.rows[e].label}: {cell_of(estimate, e).markdown}"
        canvas.circle(scale(float(estimate.value[e])), y, 4.5, "f-attribute", title=title)


def front(board: Board) -> Figure:
    """Draw the effect on the target against leak, with intervals of both, and mark the front.

    On the front are the learners that no other beats in both. A leak below 0 counts as 0: such a learner
    moves other concepts less than a random direction does, and is not better the less it moves its own.
    Learners without a leak have no dot.
    """
    names = [row.label for row in board.rows]
    canvas = Canvas(560 + text_width(names), 420)
    gain, leak = board.estimates["target"], at_least_none(board.estimates["leak"])
    drawn = [e for e in board.order if gain.value[e] > 0.0 and np.isfinite(leak.value[e])]
    x = _extent(np.concatenate([[0.0], *([leak.low[drawn], leak.high[drawn]])]))
    y = _extent(np.concatenate([[0.0], *([gain.low[drawn], gain.high[drawn]])]))
    axes = Axes(canvas, left=64, right=520, top=24, bottom=360, x=x, y=y)
    axes.x_grid()
    axes.y_grid()
    axes.y_label("effect on target, sd: more is better")
    canvas.text(292, 404, "leak: less is better", css="soft", anchor="middle")
    best = sorted(board.front, key=lambda e: float(leak.value[e]))
    canvas.path(
        [(axes.x(float(leak.value[e])), axes.y(float(gain.value[e]))) for e in best], "line s-attribute"
    )
    taken: list[float] = []
    for e in drawn:
        at, height = axes.x(float(leak.value[e])), axes.y(float(gain.value[e]))
        canvas.line(axes.x(float(leak.low[e])), height, axes.x(float(leak.high[e])), height, "axis")
        canvas.line(at, axes.y(float(gain.low[e])), at, axes.y(float(gain.high[e])), "axis")
        title = f"{names[e]}: effect {cell_of(gain, e).markdown}, leak {cell_of(leak, e).markdown}"
        canvas.circle(at, height, 5.5, "f-attribute" if e in best else "f-object faint", title=title)
    for e in sorted(drawn, key=lambda e: float(-gain.value[e])):
        height = max(axes.y(float(gain.value[e])) + 4, *(before + 16 for before in taken), 0.0)
        taken.append(height)
        canvas.line(axes.x(float(leak.value[e])) + 6, axes.y(float(gain.value[e])), 526, height - 4, "rule")
        canvas.text(530, height, names[e], css="strong" if e in best else "soft")
    return Figure(
        "front",
        canvas,
        "Effect on target against leak of each learner with 95 % intervals; a line joins the learners that "
        f"no other beats in both: {', '.join(names[e] for e in best) or 'none'}",
        _numbers(board, ("target", "leak")),
    )


def at_least_none(leak: Estimate) -> Estimate:
    """Return leaks of which those below 0 are 0."""
    value, low, high, drawn = (np.maximum(part, 0.0) for part in leak[:4])
    return leak._replace(value=value, low=low, high=high, drawn=drawn)


def _extent(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the smallest and the largest finite number; 0 and 1 without any."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def _numbers(board: Board, names: tuple[str, ...]) -> Table:
    """Return what a picture shows as a table."""
    rows: list[Row] = [
        (board.rows[e].label, name, *(float(part[e]) for part in board.estimates[name][:3]))
        for e in board.order
        for name in names
    ]
    return Table(("learner", "measure", "value", "low", "high"), rows)
