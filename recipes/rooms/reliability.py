"""Measure whether numbers are probabilities: reliability curves, calibration errors, intervals, figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ganstrata.core.figures.svg import Canvas, Scale
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

Array = NDArray[np.float64]

EVEN_BINS = 15  # of equal width, for calibration errors (Guo et al. 2017, section 2)
DRAWS = 200  # of labels from the predictions themselves, for what chance alone would show


class Share(NamedTuple):
    """Hold a share with its exact 95 % interval."""

    value: float
    low: float
    high: float


class Point(NamedTuple):
    """Hold one bin of a reliability curve: edges, mean prediction, number of cases, observed share."""

    first: float
    last: float
    mean: float
    count: int
    observed: Share


class Auc(NamedTuple):
    """Hold the area under the ROC curve with a 95 % interval."""

    value: float
    low: float
    high: float


def share(successes: int, count: int) -> Share:
    """Compute the share successes / count with the interval of Clopper and Pearson (1934)."""
    low = float(beta.ppf(0.025, successes, count - successes + 1)) if successes else 0.0
    high = float(beta.ppf(0.975, successes + 1, count - successes)) if successes < count else 1.0
    return Share(successes / count, low, high)


def auc(present: NDArray[np.bool_], score: Array) -> Auc:
    """Compute the area under the ROC curve, with the interval of DeLong et al. (1988), cut at 1.

    Args:
        present: the truth (N,), with both values.
        score: higher if more certain (N,).
    """
    positives, negatives = np.sort(score[present]), np.sort(score[~present])

    def beaten(values: Array, others: Array) -> Array:
        """Return the share of `others` below each value, counting ties as halves."""
        return (np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")) / (
            2.0 * len(others)
        )

    above, below = beaten(positives, negatives), 1.0 - beaten(negatives, positives)
    spread = 1.96 * float(np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)))
    value = float(roc_auc_score(present, score))
    return Auc(value, max(value - spread, 0.0), min(value + spread, 1.0))


def curve(predicted: Array, happened: NDArray[np.bool_], edges: Array) -> list[Point]:
    """Compute the observed share in each bin of the predictions; empty bins are left out.

    Args:
        predicted: (N,), probabilities or margins.
        happened: (N,).
        edges: rising edges of the bins; the last bin includes its upper edge.
    """
    place = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, len(edges) - 2)
    points = []
    for i in range(len(edges) - 1):
        inside = place == i
        if inside.any():
            observed = share(int(happened[inside].sum()), int(inside.sum()))
            points.append(
                Point(
                    float(edges[i]),
                    float(edges[i + 1]),
                    float(predicted[inside].mean()),
                    int(inside.sum()),
                    observed,
                )
            )
    return points


def equal_counts(values: Array, bins: int) -> Array:
    """Return edges of bins with about equal counts (bins + 1,), fewer if values repeat."""
    return np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)))


def calibration_error(probability: Array, truth: Array) -> float:
    """Compute the expected calibration error: the mean over bins of |mean truth - mean probability|.

    The bins are weighted by their counts.

    Args:
        probability: predicted probability (N,), in [0, 1].
        truth: outcome (N,): 0 or 1, or an amount between.
    """
    place = np.minimum((probability * EVEN_BINS).astype(int), EVEN_BINS - 1)
    gap = np.bincount(place, truth - probability, EVEN_BINS)
    return float(np.abs(gap).sum() / len(probability))


def chance_error(probability: Array, seed: int = 0) -> float:
    """Return the mean calibration error that these predictions would show if they were true probabilities."""
    rng = np.random.default_rng(seed)
    return float(
        np.mean(
            [
                calibration_error(probability, (rng.random(len(probability)) < probability).astype(float))
                for _ in range(DRAWS)
            ]
        )
    )


def isotonic(margin: Array, happened: NDArray[np.bool_], wanted: Array) -> Array:
    """Return probabilities of `wanted` margins (M,) by a rising step function fitted to others (N,).

    Zadrozny and Elkan (2002).
    """
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(
        margin, happened.astype(float)
    )
    return np.asarray(fitted.predict(wanted), dtype=np.float64)


def sigmoid(margin: Array) -> Array:
    """Return 1 / (1 + exp(-margin))."""
    return 1.0 / (1.0 + np.exp(-margin))


class Panel(NamedTuple):
    """Hold one small diagram: points, and curves as (css class, x, y)."""

    title: str
    note: str
    points: Sequence[Point]
    curves: Sequence[tuple[str, Array, Array]]
    along: str  # what runs along the horizontal axis


WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 236.0, 214.0, 40.0, 40.0, 12.0, 38.0


def draw(panels: Sequence[Panel], columns: int, css: str, description: str) -> str:
    """Draw reliability diagrams side by side; the area of a point is proportional to its count."""
    rows = -(-len(panels) // columns)
    canvas = Canvas(columns * WIDTH, rows * HEIGHT)
    for i, panel in enumerate(panels):
        _panel(canvas, panel, (i % columns) * WIDTH, (i // columns) * HEIGHT, css)
    return canvas.svg(description, alone=True) + "\n"


def _panel(canvas: Canvas, panel: Panel, left: float, top: float, css: str) -> None:
    means = [point.mean for point in panel.points]
    x = Scale(min([*means, 0.0]), max([*means, 1.0]), left + LEFT, left + WIDTH - RIGHT, ticks=4)
    y = Scale(0.0, 1.0, top + HEIGHT - BOTTOM, top + TOP, ticks=4)
    canvas.text(left + LEFT, top + 16.0, panel.title, css="strong")
    canvas.text(left + LEFT, top + 31.0, panel.note, css="soft")
    for tick in y.ticks():
        canvas.line(x.start, y(tick), x.stop, y(tick), "rule")
        canvas.text(x.start - 6.0, y(tick) + 4.0, y.show(tick), css="soft", anchor="end")
    for tick in x.ticks():
        canvas.text(x(tick), y.start + 15.0, x.show(tick), css="soft", anchor="middle")
    canvas.line(x.start, y.start, x.stop, y.start, "axis")
    canvas.text((x.start + x.stop) / 2.0, y.start + 31.0, panel.along, css="soft", anchor="middle")
    for style, horizontal, vertical in panel.curves:
        canvas.path(
            [(x(a), y(b)) for a, b in zip(horizontal.tolist(), vertical.tolist(), strict=True)], style
        )
    largest = max((point.count for point in panel.points), default=1)
    for point in panel.points:
        canvas.whisker(y(point.observed.low), y(point.observed.high), x(point.mean), upright=True, cap=2.0)
        size = 2.0 + 3.0 * float(np.sqrt(point.count / largest))
        canvas.circle(
            x(point.mean),
            y(point.observed.value),
            size,
            css,
            title=f"{point.count} cases, observed {point.observed.value:.3f}",
        )
