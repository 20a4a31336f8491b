"""Draw a dissection: units by class, units by stratum and class, and the curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..figures.axes import Axes
from ..figures.figure import Figure
from ..figures.matrices import heat
from ..figures.svg import Canvas, text_width
from .curves import KINDS, CurvePoint, Curves
from .request import LEAST_IOU
from .result import Dissection, curve_table

WIDTH, ROW = 760.0, 24.0
ABREAST, PANEL, HEIGHT = 4, 236.0, 178.0


def figures(found: Dissection) -> list[Figure]:
    """Return all charts: units by class, by stratum and class, and with curves one chart of each kind."""
    charts = [concept_chart(found), stratum_chart(found)]
    if found.curves is not None:
        charts += [curve_chart(found.curves, found.classes, kind) for kind in KINDS[:2]]
    return charts


def concept_chart(found: Dissection) -> Figure:
    """Draw how many units above chance detect each class, as the paper's bar charts do.

    The full colour has the units whose IoU is also 0.05 or more, pale are the others.
    """
    rows = [row for row in found.tables["concepts"].rows if row[1]]
    names = [str(row[0]) for row in rows]
    left = 24.0 + text_width([*names, "class"])
    bottom = 40.0 + ROW * len(rows)
    canvas = Canvas(WIDTH, bottom + 44.0)
    most = max((float(row[1] or 0) for row in rows), default=1.0)
    axes = Axes(canvas, left=left, right=WIDTH - 60.0, top=34.0, bottom=bottom, x=(0.0, most))
    canvas.rect(left, 8, 12, 12, "f-object")
    canvas.text(left + 18, 18, f"IoU {LEAST_IOU} or more")
    canvas.rect(left + 170, 8, 12, 12, "f-object faint")
    canvas.text(left + 188, 18, "above chance, but smaller")
    axes.x_grid()
    for i, row in enumerate(rows):
        y = 40.0 + ROW * (i + 0.5)
        total, strong = int(row[1] or 0), int(row[2] or 0)
        canvas.text(left - 10, y + 4, names[i], anchor="end")
        note = f"{names[i]}: {total} units above chance, {strong} of them with an IoU of {LEAST_IOU} or more"
        axes.level_bar(0.0, float(strong), y, 14.0, "f-object", title=note)
        axes.level_bar(float(strong), float(total), y, 14.0, "f-object faint", title=note)
        canvas.text(axes.x(float(total)) + 8, y + 4, str(total), css="soft")
    canvas.text((left + axes.right) / 2, bottom + 36, "units", css="soft", anchor="middle")
    return Figure(
        "concepts",
        canvas,
        "Number of units above chance for each class; the full colour has those with an IoU of "
        f"{LEAST_IOU} or more.",
        found.tables["concepts"],
    )


def stratum_chart(found: Dissection) -> Figure:
    """Draw how many units above chance detect each class in each stratum; the most of a row are bold."""
    named = [str(row[0]) for row in found.tables["concepts"].rows if row[1]]
    strata = [f"{m.stratum} {m.name}" for m in found.units.maps]
    counts = np.array(
        [[len(found.detectors(name, m.stratum)) for name in named] for m in found.units.maps],
        dtype=np.float64,
    ).reshape(len(strata), len(named))
    return heat(
        "strata",
        strata,
        named,
        counts,
        (counts == counts.max(axis=1, keepdims=True)) & (counts > 0)
        if counts.size
        else np.zeros(counts.shape, dtype=bool),
        description="Number of units above chance by stratum and class. Bold: the most of a stratum.",
        entry="units",
        axes=("stratum", "class"),
        mark="most_of_stratum",
        digits=0,
    )


def curve_chart(curves: Curves, classes: Sequence[str], kind: str) -> Figure:
    """Draw the curves of a kind, a panel for each class, over the band of random unit sets."""
    rows = -(-len(curves.labels) // ABREAST)
    canvas = Canvas(PANEL * min(len(curves.labels), ABREAST), 30.0 + HEIGHT * rows)
    canvas.rect(8, 6, 18, 12, "null")
    canvas.text(32, 16, "random units, mean ± 2 sd", css="soft")
    points = [point for point in curves.points if point.kind == kind]
    for i, m in enumerate(curves.labels):
        own = curves.of(kind, m)
        x, y = PANEL * (i % ABREAST), 30.0 + HEIGHT * (i // ABREAST)
        _panel(canvas, own, classes[m], x, y, _span(points, kind))
    shown = Curves(curves.stratum, curves.counts, tuple(points), curves.places, curves.before)
    words = {
        KINDS[0]: "Area of each class that is left once its best units are switched off, relative to before",
        KINDS[1]: "Rise of the share of each class in a square in which its best units are painted in",
    }
    return Figure(
        kind,
        canvas,
        f"{words[kind]}, by number of units, with random units for comparison.",
        curve_table(shown, classes),
    )


def _span(points: Sequence[CurvePoint], kind: str) -> tuple[float, float]:
    """Return the range of numbers that all panels show."""
    numbers = [x for p in points for x in (p.value, p.high, p.null_high, p.low, p.null_low) if np.isfinite(x)]
    if kind == KINDS[0]:
        return 0.0, min(max([1.0, *numbers]), 2.0)
    return max(min([0.0, *numbers]), -0.5), max([0.1, *numbers])


def _panel(
    canvas: Canvas, points: Sequence[CurvePoint], name: str, x: float, y: float, span: tuple[float, float]
) -> None:
    """Draw the curve of one class."""
    axes = Axes(
        canvas,
        left=x + 44.0,
        right=x + PANEL - 12.0,
        top=y + 24.0,
        bottom=y + HEIGHT - 34.0,
        y=span,
        y_ticks=4,
    )
    canvas.text(axes.left, y + 16, name, css="strong")
    axes.y_grid()
    at = [axes.slot(i, len(points)) for i in range(len(points))]
    if len(points) > 1:
        lower = [(a, axes.y(p.null_low)) for a, p in zip(at, points, strict=True)]
        upper = [(a, axes.y(p.null_high)) for a, p in zip(at, points, strict=True)]
        canvas.path([*lower, *upper[::-1]], "null", closed=True)
        canvas.path([(a, axes.y(p.value)) for a, p in zip(at, points, strict=True)], "line s-object")
    for a, p in zip(at, points, strict=True):
        if np.isfinite(p.value):
            canvas.whisker(axes.y(p.low), axes.y(p.high), a, upright=True)
            note = f"{name}, {len(p.units)} units: {p.value:.3f} [{p.low:.3f}, {p.high:.3f}]"
            note = f"{note}; random units {p.null:.3f}"
            canvas.circle(a, axes.y(p.value), 3.5, "f-object", title=note)
        canvas.text(a, axes.bottom + 16, str(len(p.units)), css="soft", anchor="middle")
