"""Say how much is measured in a dissection, and check it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import UserError

Threshold = Literal["iqr", "iou"] | float
LEAST_IOU = 0.05
"""IoU from which Bau et al. 2019 call a unit interpretable; 0.04 in 2020."""
PERMUTATIONS = 9999
"""So many that single units among a thousand can have small corrected p values."""
COUNTS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class DissectRequest:
    """Say how much is measured.

    Attributes:
        samples: pictures that choose level and class of each unit, and as many other ones that measure it.
        threshold: `iqr` or `iou` chooses for each unit the level with the highest such measure; a number in
            (0, 1) takes the level above which this share of its pixels lies, 0.01 in Bau et al. 2020.
        permutations: permutations of the masks, R.
        rate: rate of false discoveries among the units above chance.
        counts: sizes of the unit sets of the curves, rising; empty for no curves.
        curve_samples: new pictures of the curves.
        random_sets: random unit sets of each size that the curves are compared with.
        curve_stratum: stratum of the curves; None for the one whose units detect most classes.
        ablate: what ablated units are set to: 0, or their mean.
    """

    samples: int = 1000
    threshold: Threshold = "iqr"
    permutations: int = PERMUTATIONS
    rate: float = 0.05
    counts: tuple[int, ...] = COUNTS
    curve_samples: int = 128
    random_sets: int = 12
    curve_stratum: int | None = None
    ablate: Literal["zero", "mean"] = "zero"

    def __post_init__(self) -> None:
        rules = (
            (self.samples >= 2, "samples", self.samples, "at least 2"),
            (
                self.threshold in ("iqr", "iou")
                or (isinstance(self.threshold, float) and 0.0 < self.threshold < 1.0),
                "threshold",
                self.threshold,
                "iqr, iou or a share between 0 and 1, such as 0.01",
            ),
            (self.permutations >= 19, "permutations", self.permutations, "at least 19"),
            (0.0 < self.rate < 1.0, "rate", self.rate, "between 0 and 1"),
            (
                list(self.counts) == sorted(set(self.counts)) and min(self.counts, default=1) >= 1,
                "counts",
                ",".join(map(str, self.counts)),
                "rising whole numbers from 1 on, such as 1,2,4,8",
            ),
            (self.curve_samples >= 8, "curve_samples", self.curve_samples, "at least 8"),
            (self.random_sets >= 3, "random_sets", self.random_sets, "at least 3"),
            (self.ablate in ("zero", "mean"), "ablate", self.ablate, "zero or mean"),
        )
        for holds, name, value, allowed in rules:
            if not holds:
                raise UserError(f"{name} of a dissection must be {allowed}; got {value}")
