"""List what is measured: names, headings, which way is better, and between which bounds it lies."""

from __future__ import annotations

import math
from typing import NamedTuple

from .metrics.dependency import AMOUNTS
from .of_moves import dependency_name


class Measure(NamedTuple):
    """Represent a measure.

    Attributes:
        name: under which its numbers are stored.
        heading: of its column.
        better: whether `more` or `less` is better; empty where neither is.
        low: least possible value.
        high: largest possible value.
        by_learner: whether what random directions reach differs between learners even at the same layers.
        ratio: whether it divides by what may come near 0.
    """

    name: str
    heading: str
    better: str = ""
    low: float = -math.inf
    high: float = math.inf
    by_learner: bool = False
    ratio: bool = False


EFFECTS = (
    Measure("target", "effect on target, sd", "more"),
    Measure("others", "effect on others, sd", "less"),
    Measure("leak", "leak", "less", ratio=True),
    Measure("steadiness", "steadiness", "more", -1.0, 1.0),
    Measure("straightness", "straightness", "", 0.0, 1.0),
    Measure("accuracy", "accuracy", "more", 0.0, 1.0),
)
BESIDE = (
    Measure("precision", "EPR", "more", 0.0, ratio=True),
    *(
        Measure(dependency_name(kind, amount), f"AD {kind}, at {amount:g} sd", "less", 0.0, by_learner=True)
        for kind in ("mean", "max")
        for amount in AMOUNTS
    ),
    Measure("path_length", "path length", "", 0.0),
)
MEANING = (
    Measure("disentanglement", "disentanglement", "more", 0.0, 1.0),
    Measure("completeness", "completeness", "more", 0.0, 1.0),
    Measure("informativeness", "informativeness", "more", -math.inf, 1.0),
    Measure("gap", "MIG", "more", 0.0, 1.0),
    Measure("separability", "separability", "less", 1.0),
)
MEASURES = (*EFFECTS, *BESIDE, *MEANING)
"""All measures, in the order of the tables."""
PICTURED = ("target", "others", "leak", "steadiness")
"""Measures of the picture with a panel each."""
