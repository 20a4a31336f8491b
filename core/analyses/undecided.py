"""Name the boundaries whose effect needs more verification samples to be known, and how many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..distributions import normal_quantile, t_quantile
from ..rescoring.results import Effects
from ..rescoring.sums import null_means
from ..statistics import null_p_value

POWER = 0.8


@dataclass(frozen=True)
class Undecided:
    """Represent a boundary whose effect exceeds the random directions, but not the chance of the samples.

    Attributes:
        name: of the boundary.
        used: number of verification samples that it was moved on.
        needed: number at which an effect as large as the measured one is shown with probability POWER.
    """

    name: str
    used: int
    needed: int


def undecided(effects: Effects) -> list[Undecided]:
    """Return the boundaries that are no variation factors only because too few samples were taken.

        needed = used (t + z)^2 / (mean / error)^2

    t is the quantile of Student's distribution for an interval of 95 %, z the normal quantile of POWER. The
    error of a mean falls with the root of the samples. So with `needed` samples the lower end of the interval
    lies above zero with probability POWER, if the effect is as large as measured.

    A boundary is left out if its interval already lies above zero (then something else is missing), and if
    its effect is not larger than that of the null directions, which more samples would not change.

    Args:
        effects: of a run or of `rescore()`.
    """
    rows = []
    for i in effects.ranking(conditional=True):
        at, used = (i, effects.all_set, 0, effects.own[i]), int(effects.used[i, effects.all_set])
        mean, error, column = float(effects.mean[at]), float(effects.error[at]), int(effects.own[i])
        null = null_means(effects.null_of(i)[:, effects.all_set, column])  # (R,)
        beyond_chance = float(null_p_value(np.asarray(mean), null, two_sided=False)) < effects.rate
        if effects.factors[i] or not effects.concepts[column].varies or not beyond_chance:
            continue
        if not (mean > 0.0 and error > 0.0 and effects.low[at] <= 0.0):
            continue
        quantiles = t_quantile(0.975, effects.count[at] - 1.0) + normal_quantile(POWER)
        needed = float(used * (quantiles * error / mean) ** 2)
        digits = 1 - int(np.floor(np.log10(needed)))  # two significant digits are all that is known
        rows.append(Undecided(effects.boundaries[i].name, used, int(round(needed, digits))))
    return [row for row in rows if row.needed > row.used]
