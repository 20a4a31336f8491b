"""Hold what is asked of a comparison beyond the config of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from ..errors import UserError

STEPS = (-2.0, -1.0, 1.0, 2.0)
FRESH = 1000


@dataclass(frozen=True)
class BoardRequest:
    """Hold what a comparison needs to know besides the config.

    Samples, random directions, resamples and the seed are those of the config.

    Attributes:
        learners: learners to compare, as `name` or `name:{option: value}`.
        steps: steps along each direction, in sd of w or of the styles, rising; effects are those of the last.
        fresh: number of samples that no learner is given.
        judges: groups of concepts that mean the same, as `a/wood,b/wood`.
        baseline: label of the learner with which the others are compared; the first by default.
    """

    learners: tuple[str, ...]
    steps: tuple[float, ...] = STEPS
    fresh: int = FRESH
    judges: tuple[str, ...] = ()
    baseline: str | None = None

    def __post_init__(self) -> None:
        steps = self.steps
        if (
            not all(math.isfinite(step) for step in steps)
            or any(after <= before for before, after in pairwise(steps))
            or not steps
            or steps[-1] <= 0.0
        ):
            raise UserError(f"steps {list(steps)}: give rising numbers, the last above 0, such as -2,-1,1,2")
        if self.fresh < 20:
            raise UserError(f"fresh samples: {self.fresh} are too few; at least 20 are needed")

    @property
    def path(self) -> tuple[float, ...]:
        """The steps with 0 among them, rising."""
        return tuple(sorted({0.0, *self.steps}))


def overrides_of(
    *,
    samples: int | None = None,
    verify: int | None = None,
    null: int | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> list[str]:
    """Return the overrides of a config, as `key=value`, that these settings mean; None leaves it as it is.

    >>> overrides_of(samples=100, seed=1)
    ['synthesis.samples=100', 'synthesis.seed=1']
    """
    given = {
        "synthesis.samples": samples,
        "rescoring.samples": verify,
        "rescoring.null_directions": null,
        "synthesis.seed": seed,
        "device": device,
    }
    return [f"{key}={value}" for key, value in given.items() if value is not None]
