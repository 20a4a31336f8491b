"""Draw the reliability curves of the category and the attributes, and tabulate their numbers."""

from __future__ import annotations

import numpy as np

from ..factors import CATEGORIES
from ..reliability import Panel, Point, auc, calibration_error, curve, draw, equal_counts, isotonic, sigmoid
from ..train_scorers import ATTRIBUTES
from .readings import CONDITIONS, Readings
from .tables import Table


def curves(readings: Readings) -> tuple[dict[str, str], list[Table]]:
    """Draw the reliability curves; return the figures by name, and the table of their numbers."""
    numbers, panels = [], []
    diagonal = np.array([0.0, 1.0])
    happened = (readings.category[:, None] == np.arange(len(CATEGORIES))).ravel()
    for name, probability in readings.probability.items():
        points = curve(probability.ravel(), happened, np.linspace(0.0, 1.0, 11))
        numbers += [("category", name, *_numbers(p), "", "") for p in points]
        right = probability.argmax(1) == readings.category
        error = calibration_error(probability.max(1), right.astype(float))
        panels.append(
            Panel(
                CONDITIONS[name],
                f"ECE {error:.4f}, accuracy {right.mean():.4f}",
                points,
                [("rule", diagonal, diagonal)],
                "predicted probability",
            )
        )
    pictures = {
        "reliability-category": draw(panels, 3, "f-category", "Reliability of the category probabilities")
    }
    panels = []
    even = np.arange(len(readings.truth)) % 2 == 0
    for i, name in enumerate(ATTRIBUTES):
        margin, present = readings.margin["rendered"][:, i], readings.truth[:, i] > 0.5
        fit, held = margin[even], margin[~even]
        points = curve(held, present[~even], equal_counts(held, 20))
        grid = np.linspace(held.min(), held.max(), 80)
        steps = isotonic(fit, present[even], grid)
        means = np.array([p.mean for p in points])
        for p, smooth, fitted in zip(
            points, sigmoid(means), isotonic(fit, present[even], means), strict=True
        ):
            numbers.append((f"attribute {name}", "rendered", *_numbers(p), f"{smooth:.4f}", f"{fitted:.4f}"))
        note = f"AUC {auc(present, margin).value:.4f}, {len(held)} rooms"
        panels.append(
            Panel(
                name,
                note,
                points,
                [("axis", grid, sigmoid(grid)), ("line s-category", grid, steps)],
                "margin",
            )
        )
    pictures["reliability-attributes"] = draw(
        panels, 3, "f-attribute", "Observed frequency of each attribute against its margin"
    )
    columns = (
        "curve",
        "pictures",
        "first",
        "last",
        "mean prediction",
        "rooms",
        "observed",
        "low",
        "high",
        "sigmoid",
        "isotonic",
    )
    return pictures, [Table("reliability", "Reliability", columns, numbers)]


def _numbers(point: Point) -> tuple[str, ...]:
    return (
        f"{point.first:.4f}",
        f"{point.last:.4f}",
        f"{point.mean:.4f}",
        f"{point.count}",
        *(f"{value:.4f}" for value in point.observed),
    )
