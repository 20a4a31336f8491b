"""Hold the numbers of one learner: values, resamples, values by concept, and what random directions reach."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .estimates import Chance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """Hold numbers of one learner, all by the name of their measure.

    Attributes:
        value: the number.
        drawn: its resamples (R,), in which samples and concepts are resampled alike for all learners.
        single: its value for every concept, (B,), where it has one.
        chance: what random directions reach.
    """

    value: dict[str, float] = field(default_factory=dict)
    drawn: dict[str, Floats] = field(default_factory=dict)
    single: dict[str, Floats] = field(default_factory=dict)
    chance: dict[str, Chance] = field(default_factory=dict)

    def with_all(self, other: Numbers) -> Numbers:
        """Return these numbers and others of the same learner."""
        return Numbers(
            self.value | other.value,
            self.drawn | other.drawn,
            self.single | other.single,
            self.chance | other.chance,
        )
