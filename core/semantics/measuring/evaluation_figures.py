"""Draw a comparison of extractors: IoU by class, IoU by stratum, and masks beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...figures.axes import Axes
from ...figures.figure import Figure
from ...figures.masks import comparison as masks_beside
from ...figures.matrices import heat
from ...figures.pictures import opaque
from ...figures.svg import Canvas, text_width
from ...storage.csv_tables import Row, Table
from .comparison import Comparison
from .evaluation import Reading
from .evaluation_tables import NEVER, numbers, stratum_names

COLOURS = (
    "layout",
    "category",
    "attribute",
    "colour",
    "object",
)  # of the figures' style; repeated if too few
WIDTH, ROW = 760.0, 10.0
LAYERWISE = 2  # pictures whose strata are drawn


def figures(found: Comparison) -> list[Figure]:
    """Return the charts: IoU by class, and for each extractor that adds up strata IoU by stratum."""
    strata = [reading for reading in found.evaluation.readings if reading.strata]
    several = len(strata) > 1
    return [
        class_chart(found),
        *(stratum_chart(found, r, f"strata_{i}" if several else "strata") for i, r in enumerate(strata, 1)),
    ]


def class_chart(found: Comparison) -> Figure:
    """Draw the per-image averaged IoU of each class with its interval, a mark per extractor."""
    e = found.evaluation
    names = [reading.name for reading in e.readings]
    order = _best_first(found)
    left, band = 24.0 + text_width(e.classes), ROW * len(names) + 10.0
    legend_height = 24.0 * -(-len(names) // 3)
    top = legend_height + 12.0
    canvas = Canvas(WIDTH, top + band * len(order) + 50.0)
    axes = Axes(canvas, left=left, right=WIDTH - 30, top=top, bottom=top + band * len(order), x=(0.0, 1.0))
    axes.x_grid()
    for i, name in enumerate(names):
        x, y = left + 210.0 * (i % 3), 8.0 + 24.0 * (i // 3)
        canvas.rect(x, y, 12, 12, f"f-{COLOURS[i % len(COLOURS)]}")
        canvas.text(x + 18, y + 10, name[:26])
    canvas.text(
        (left + WIDTH) / 2, axes.bottom + 36, "IoU, averaged over pictures", css="soft", anchor="middle"
    )
    rows: list[Row] = []
    for r, m in enumerate(order):
        y = top + band * r + 5.0
        canvas.text(left - 10, y + ROW * len(names) / 2 + 4, e.classes[m], anchor="end")
        for i, name in enumerate(names):
            value, low, high = numbers(found.quality.scores[name].per_image.part(m))
            rows.append([e.classes[m], name, value, low, high])
            at = y + ROW * (i + 0.5)
            if np.isfinite(value):
                canvas.whisker(axes.x(low), axes.x(high), at)
                note = f"{e.classes[m]}, {name}: {value:.3f} [{low:.3f}, {high:.3f}]"
                canvas.circle(axes.x(value), at, 4.0, f"f-{COLOURS[i % len(COLOURS)]}", title=note)
        if not e.occurs[m]:
            canvas.text(left + 6, y + ROW * len(names) / 2 + 4, NEVER, css="soft")
    return Figure(
        "classes",
        canvas,
        f"IoU of each class with the teacher, averaged over pictures, for {', '.join(names)}.",
        Table(("class", "extractor", "iou_per_image", "low", "high"), rows),
    )


def _best_first(found: Comparison) -> list[int]:
    """Return the classes by their highest IoU, best first; those without one last."""
    values = np.stack([scores.per_image.value for scores in found.quality.scores.values()])
    best = np.nan_to_num(values, nan=-1.0).max(axis=0)
    return sorted(range(len(best)), key=lambda m: -best[m])


def stratum_chart(found: Comparison, reading: Reading, name: str) -> Figure:
    """Draw the IoU of what each stratum says by itself, by class; the best stratum of a class is bold."""
    strata, names = found.quality.strata[reading.name], stratum_names(reading)
    order = [m for m in _best_first(found) if found.evaluation.occurs[m]]
    values = np.stack([scores.per_image.value[order] for scores in strata.values()], axis=1)  # (M, S)
    best = np.nan_to_num(values, nan=-1.0).argmax(axis=1)
    return heat(
        name,
        [found.evaluation.classes[m] for m in order],
        [f"{s} {names[s]}" for s in strata],
        values,
        np.arange(len(strata)) == best[:, None],
        description=f"IoU with the teacher of what each stratum of {reading.name} says by itself, by class.",
        entry="iou_per_image",
        axes=("class", "stratum"),
        mark="best_stratum",
    )


def mask_sheets(found: Comparison) -> dict[str, bytes]:
    """Return PNG by name of file: picture, teacher and extractors, and the strata of each additive one."""
    e = found.evaluation
    sheets = {"comparison.png": _sheet(found, [r.shown for r in e.readings], [r.name for r in e.readings])}
    strata = [reading for reading in e.readings if reading.strata]
    for i, reading in enumerate(strata, 1):
        names = stratum_names(reading)
        name = f"layerwise_{i}.png" if len(strata) > 1 else "layerwise.png"
        sheets[name] = _sheet(
            found,
            [*reading.shown_strata.values(), reading.shown],
            [*(f"{s} {names[s]}" for s in reading.shown_strata), "all strata"],
            most=LAYERWISE,
        )
    return sheets


def _sheet(
    found: Comparison, labels: Sequence[np.ndarray], heads: Sequence[str], most: int | None = None
) -> bytes:
    """Lay out pictures, the teacher's labels and others (n, H, W), which fit to `heads`."""
    e = found.evaluation
    together = np.stack([e.labels, *labels], axis=1)[:most]  # (n, k, H, W)
    return masks_beside(opaque(e.pictures)[:most], together, e.classes, ["picture", "teacher", *heads])
