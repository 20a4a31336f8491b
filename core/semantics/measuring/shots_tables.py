"""Tabulate few-shot extractors as the paper's table 2 does, draw the curve, and say the result in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...decimals import percent
from ...figures.axes import Axes
from ...figures.figure import Figure
from ...figures.svg import Canvas
from ...messages import quantity
from ...statistics import Floats, mean_interval
from ...storage.csv_tables import Row, Table
from .shots import FULL, Measurement

REPEATS = ("shots", "repeat", "miou_per_image", "low", "high", "miou_pooled", "pixel_accuracy", "seconds")
TABLE_2 = (
    "shots",
    "repeats",
    "miou_per_image",
    "max_deviation",
    "standard_deviation",
    "low",
    "high",
    "ratio_to_full",
    "miou_pooled",
    "pooled_max_deviation",
)


@dataclass(frozen=True)
class ShotsRow:
    """Hold the row of one number of annotated pictures.

    Attributes:
        shots: number N of annotated pictures.
        values: per-image averaged mIoU of each repeat, (R,).
        pooled: pooled mIoU of each repeat, (R,).
        full: per-image averaged mIoU of the full extractor; NaN without one.
    """

    shots: int
    values: Floats
    pooled: Floats
    full: float

    @property
    def mean(self) -> float:
        """Mean over the repeats."""
        return float(self.values.mean())

    @property
    def deviation(self) -> float:
        """Largest distance of a repeat from the mean, as in the paper."""
        return float(np.abs(self.values - self.values.mean()).max())

    @property
    def spread(self) -> float:
        """Standard deviation over the repeats; NaN for one repeat."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else np.nan

    @property
    def bounds(self) -> tuple[float, float]:
        """Student's 95 % interval of the mean over other choices of pictures, cut at 0 and 1.

        NaN for one repeat.
        """
        n = len(self.values)
        if n < 2:
            return np.nan, np.nan
        low, high = mean_interval(np.array(self.mean), np.array(self.spread / np.sqrt(n)), np.array(float(n)))
        return float(np.clip(low, 0.0, 1.0)), float(np.clip(high, 0.0, 1.0))

    @property
    def ratio(self) -> float:
        """Mean as a share of the full extractor's mIoU; NaN without one, or where it is 0."""
        return self.mean / self.full if self.full else np.nan

    @property
    def cells(self) -> Row:
        """Cells of table 2."""
        return [
            self.shots,
            len(self.values),
            self.mean,
            self.deviation,
            self.spread,
            *self.bounds,
            self.ratio,
            float(self.pooled.mean()),
            float(np.abs(self.pooled - self.pooled.mean()).max()),
        ]


def rows_of(found: Measurement) -> list[ShotsRow]:
    """Return a row per number of annotated pictures, fewest first."""
    scores = found.quality.scores
    full = float(scores[FULL].mean_per_image.value) if FULL in scores else np.nan
    rows = []
    for shots in sorted(found.request.shots):
        names = [one.name for one in found.trained if one.shots == shots]
        values, pooled = (
            np.array([float(getattr(scores[name], which).value) for name in names])
            for which in ("mean_per_image", "mean_pooled")
        )
        rows.append(ShotsRow(shots, values, pooled, full))
    return rows


def tables(found: Measurement) -> dict[str, Table]:
    """Return table 2, with intervals over repeats, and one of all trainings, with intervals over pictures."""
    rows, scores = rows_of(found), found.quality.scores
    table_2: list[Row] = [row.cells for row in rows]
    repeats: list[Row] = []
    for one in found.trained:
        score = scores[one.name]
        low, high = (float(x) for x in score.mean_per_image.bounds)
        repeats.append(
            [
                one.shots,
                one.repeat + 1,
                float(score.mean_per_image.value),
                low,
                high,
                float(score.mean_pooled.value),
                float(score.accuracy.value),
                float(one.extractor.facts["few_shot"]["seconds"]),
            ]
        )
    if FULL in scores:
        full = scores[FULL]
        mean, pooled = float(full.mean_per_image.value), float(full.mean_pooled.value)
        # One training has no interval over repeats; that over pictures stands among the repeats.
        table_2.append([FULL, 1, mean, None, None, None, None, 1.0, pooled, None])
        low, high = (float(x) for x in full.mean_per_image.bounds)
        repeats.append([FULL, 1, mean, low, high, pooled, float(full.accuracy.value), None])
    return {"table_2": Table(TABLE_2, table_2), "repeats": Table(REPEATS, repeats)}


def curve(found: Measurement) -> Figure:
    """Draw mIoU against the number of annotated pictures: repeats, their mean, and the full extractor."""
    rows = rows_of(found)
    canvas = Canvas(640.0, 380.0)
    values = np.concatenate([row.values for row in rows])
    full = rows[0].full
    highest = max(float(values.max()), full if np.isfinite(full) else 0.0)
    axes = Axes(
        canvas, left=70, right=610, top=24, bottom=320, y=(0.0, min(1.0, 1.08 * highest)), x=(0.0, 1.0)
    )
    axes.y_grid()
    axes.y_label("mIoU, averaged over pictures")
    canvas.text(340, 364, "annotated pictures", css="soft", anchor="middle")
    if np.isfinite(full):
        axes.horizontal(full, "axis")
        canvas.text(606, axes.y(full) - 6, f"full training: {full:.3f}", css="soft", anchor="end")
    places = [axes.slot(i, len(rows)) for i in range(len(rows))]
    canvas.path([(x, axes.y(row.mean)) for x, row in zip(places, rows, strict=True)], "line s-object")
    numbers: list[Row] = []
    for x, row in zip(places, rows, strict=True):
        canvas.text(x, 340, str(row.shots), css="soft", anchor="middle")
        for repeat, value in enumerate(row.values.tolist()):
            canvas.circle(
                x + 14, axes.y(value), 3.0, "f-object faint", title=f"repeat {repeat + 1}: {value:.3f}"
            )
            numbers.append([row.shots, repeat + 1, value])
        low, high = row.bounds
        canvas.whisker(axes.y(low), axes.y(high), x, upright=True)
        canvas.circle(x, axes.y(row.mean), 4.5, "f-object", title=f"{row.shots}: {row.mean:.3f}")
    return Figure(
        "few_shot",
        canvas,
        "mIoU of extractors by the number of annotated pictures. Pale dots are repeats on other pictures; "
        "bars are 95 % intervals of their mean.",
        Table(("shots", "repeat", "miou_per_image"), numbers),
    )


def sentences(found: Measurement) -> list[str]:
    """Return a sentence per number of annotated pictures."""
    said = []
    for row in rows_of(found):
        ratio = f", {percent(row.ratio)} of full training" if np.isfinite(row.ratio) else ""
        said.append(
            f"{quantity(row.shots, 'annotated picture')}: mIoU {100 * row.mean:.1f} ± "
            f"{100 * row.deviation:.1f}{ratio} (mean and largest deviation of "
            f"{quantity(len(row.values), 'repeat')})."
        )
    return said


def as_data(found: Measurement) -> dict[str, Any]:
    """Return all numbers as plain data; None where a number is undefined."""
    return {
        "images": found.evaluation.images,
        "classes": list(found.evaluation.classes),
        **found.record,
        **{name: table.records for name, table in tables(found).items()},
    }
