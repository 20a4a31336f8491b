"""Measure the accuracy of category and attributes, and the calibration of their numbers."""

from __future__ import annotations

import numpy as np

from ..factors import CATEGORIES
from ..reliability import auc, calibration_error, chance_error, isotonic, share, sigmoid
from ..train_scorers import ATTRIBUTES
from .readings import CONDITIONS, Readings
from .tables import Table, percent


def category_tables(readings: Readings) -> list[Table]:
    """Tabulate confusion, accuracy and calibration."""
    confusion, summary = [], []
    for name, probability in readings.probability.items():
        words = CONDITIONS[name]
        guess, sure = probability.argmax(1), probability.max(1)
        right = guess == readings.category
        for i, category in enumerate(CATEGORIES):
            counts = np.bincount(guess[readings.category == i], minlength=len(CATEGORIES))
            confusion.append((words, category, *(f"{count}" for count in counts)))
        error, chance = calibration_error(sure, right.astype(float)), chance_error(sure)
        summary.append(
            (
                words,
                percent(share(int(right.sum()), len(right))),
                f"{sure.mean():.4f}",
                f"{error:.4f}",
                f"{chance:.4f}",
            )
        )
    return [
        Table(
            "category",
            "Category",
            ("pictures", "accuracy, %", "mean of the largest probability", "ECE", "ECE if calibrated"),
            summary,
        ),
        Table(
            "category-confusion",
            "Who is taken for whom",
            ("pictures", "is", *(f"called {name}" for name in CATEGORIES)),
            confusion,
        ),
    ]


def attribute_tables(readings: Readings) -> list[Table]:
    """Tabulate the area under the ROC curve, correlation with the amount, and three calibrations."""
    areas, calibrated = [], []
    even = np.arange(len(readings.truth)) % 2 == 0
    for i, name in enumerate(ATTRIBUTES):
        present = readings.truth[:, i] > 0.5
        area = [auc(present, readings.margin[condition][:, i]) for condition in readings.margin]
        margin = readings.margin["rendered"][:, i]
        correlation = np.corrcoef(readings.truth[:, i], sigmoid(margin))[0, 1]
        areas.append(
            (
                name,
                f"{present.mean():.3f}",
                *(f"{a.value:.4f} [{a.low:.4f}, {a.high:.4f}]" for a in area),
                f"{correlation:.3f}",
            )
        )
        plain, fitted = sigmoid(margin), isotonic(margin[even], present[even], margin[~even])
        other = present[~even].astype(float)
        numbers = (
            calibration_error(plain[~even], other),
            calibration_error(plain[~even], readings.truth[~even, i]),
            calibration_error(fitted, other),
            chance_error(fitted),
        )
        calibrated.append((name, *(f"{number:.4f}" for number in numbers)))
    return [
        Table(
            "attribute",
            "Attributes",
            (
                "attribute",
                "present",
                *(f"AUC, {words}" for words in (CONDITIONS[name] for name in readings.margin)),
                "r with the amount",
            ),
            areas,
        ),
        Table(
            "attribute-calibration",
            "Calibration of the margins",
            (
                "attribute",
                "ECE, sigmoid as P(present)",
                "ECE, sigmoid as amount",
                "ECE, isotonic as P(present)",
                "the last, if calibrated",
            ),
            calibrated,
        ),
    ]
