"""Measure the errors of the wall line and the segmentation against the true surface maps."""

from __future__ import annotations

import numpy as np

from ..factors import LABELS
from ..reliability import share
from .readings import Array, Readings
from .tables import Table, interval, percent

FAR = 2.0  # pixels beyond which a wall line counts as missed


def layout_tables(readings: Readings, weights: Array) -> list[Table]:
    """Tabulate errors of the line by its support, and whether there is one."""
    half = 32.0  # pixels of half a picture
    seen, true = ~np.isnan(readings.line), ~np.isnan(readings.true_line)
    error = np.where(seen & true, np.abs(readings.line - readings.true_line) * half, 0.0)
    columns = (
        "support of the scorer's line",
        "rooms",
        "mean, px",
        "median",
        "95th percentile",
        f"beyond {FAR:.0f} px, %",
    )
    rows = []
    groups = {"all": seen & true}
    for low, high in ((0.15, 0.3), (0.3, 0.45), (0.45, 0.6), (0.6, 1.01)):
        groups[f"{low:.2f} to {min(high, 1.0):.2f}"] = (
            seen & true & (readings.support >= low) & (readings.support < high)
        )
    for lines in (1, 2):
        groups[f"rooms with {lines} line{'s' if lines > 1 else ''}"] = (
            seen & true & (readings.factors["lines"] == lines)
        )
    for name, chosen in groups.items():
        if not chosen.any():
            continue
        means = (weights @ (error * chosen)) / np.maximum(weights @ chosen.astype(float), 1.0)
        here = error[chosen]
        beyond = share(int((here > FAR).sum()), len(here))
        rows.append(
            (
                name,
                f"{len(here)}",
                interval(means, here.mean(), 2),
                f"{np.median(here):.2f}",
                f"{np.percentile(here, 95):.2f}",
                percent(beyond, 1),
            )
        )
    defined = []
    cases = {"the true map has a line": true, "the true map has none": ~true}
    for low, high in ((0.0, 0.05), (0.05, 0.15), (0.15, 0.2), (0.2, 0.3), (0.3, 1.01)):
        cases[f"support in the true map {low:.2f} to {min(high, 1.0):.2f}"] = (
            readings.true_support >= low
        ) & (readings.true_support < high)
    for words, chosen in cases.items():
        n = int(chosen.sum())
        defined.append(
            (
                words,
                f"{n}",
                percent(share(int((~seen & chosen).sum()), n)) if n else "",
                f"{int((seen & chosen).sum())}",
            )
        )
    return [
        Table("layout", "Wall line", columns, rows),
        Table(
            "layout-undefined",
            "Whether there is a line",
            ("", "rooms", "scorer says undefined, %", "scorer gives a line"),
            defined,
        ),
    ]


def segmentation_tables(readings: Readings, weights: Array) -> list[Table]:
    """Tabulate IoU by class, pooled over rooms, and the error of the scorer's area shares."""
    pixels = readings.real[0].sum()

    def iou(shared: Array, labelled: Array, real: Array) -> Array:
        """Return the pooled IoU; NaN for a class that neither map has."""
        union = labelled + real - shared
        return np.divide(shared, union, out=np.full_like(union, np.nan), where=union > 0)

    point = iou(readings.shared.sum(0), readings.labelled.sum(0), readings.real.sum(0))
    again = iou(weights @ readings.shared, weights @ readings.labelled, weights @ readings.real)
    each = np.nanmean(iou(readings.shared, readings.labelled, readings.real), axis=1)
    agreed = weights @ readings.shared.sum(1) / (weights.sum(1) * pixels)
    rows: list[tuple[str, ...]] = []
    difference = 100.0 * (readings.labelled - readings.real) / pixels
    for i in np.argsort(point):
        present = f"{(readings.real[:, i] > 0).mean():.3f}"
        rows.append(
            (
                LABELS[i],
                present,
                interval(again[:, i], point[i], 3),
                f"{100.0 * readings.real[:, i].mean() / pixels:.2f}",
                f"{np.abs(difference[:, i]).mean():.3f}",
                f"{difference[:, i].mean():+.3f}",
            )
        )
    summary = [
        ("mean IoU, pooled over rooms", interval(np.nanmean(again, axis=1), float(np.nanmean(point)), 4)),
        (
            "mean IoU, per room over the classes seen or said, then averaged",
            interval(weights @ each / len(each), float(each.mean()), 4),
        ),
        ("pixel accuracy", interval(agreed, float(readings.shared.sum() / readings.real.sum()), 4)),
    ]
    classes = (
        "class, worst first",
        "rooms that have it",
        "IoU",
        "mean share, %",
        "error of the share, mean absolute, points",
        "bias, points",
    )
    return [
        Table("segmentation", "Segmentation", ("", "value"), summary),
        Table("segmentation-classes", "By class", classes, rows),
    ]
