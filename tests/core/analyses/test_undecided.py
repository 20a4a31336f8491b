"""How many samples an effect needs that is not known yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ganstrata.core.analyses.sentences import more_samples
from ganstrata.core.analyses.undecided import undecided
from ganstrata.core.rescoring.sums import sums_of
from scipy import stats

SAMPLES, NULL = 128, 10


def effects(
    mean: float, error: float, *, null: float = 0.01, factor: bool = False, varies: bool = True
) -> Any:
    """Return what `undecided` reads of one boundary, moved on 128 samples at one layer set."""
    half = float(stats.t.ppf(0.975, SAMPLES - 1)) * error
    chance = np.linspace(-null, null, NULL)
    zero = np.zeros((SAMPLES, 1), np.float32)
    return SimpleNamespace(
        ranking=lambda conditional: [0],
        all_set=0,
        own=np.array([0]),
        used=np.array([[SAMPLES]]),
        mean=np.full((1, 1, 2, 1), mean),
        error=np.full((1, 1, 2, 1), error),
        low=np.full((1, 1, 2, 1), mean - half),
        count=np.full((1, 1, 2, 1), float(SAMPLES)),
        null_of=lambda i: np.stack([sums_of(zero, np.full((SAMPLES, 1), x, np.float32)) for x in chance])[
            :, None
        ],
        rate=0.05,
        factors=np.array([factor]),
        concepts=[SimpleNamespace(varies=varies)],
        boundaries=[SimpleNamespace(name="layout/wall_line")],
    )


def test_the_number_is_that_at_which_four_of_five_intervals_exclude_zero() -> None:
    (row,) = undecided(effects(0.08, 0.085))
    assert (row.name, row.used) == ("layout/wall_line", 128)
    error = 0.085 * np.sqrt(128 / row.needed)
    lower = np.random.default_rng(0).normal(0.08, error, 20_000) - 1.96 * error
    assert (lower > 0.0).mean() == pytest.approx(0.8, abs=0.02)
    assert row.needed == float(f"{row.needed:.2g}")
    assert more_samples([row]) == [
        f"layout/wall_line: not known with 128 samples. "
        f"About {row.needed:,} would show such an effect in 4 of 5 runs."
    ]


@pytest.mark.parametrize(
    "known",
    [
        effects(0.08, 0.085, factor=True),
        effects(0.08, 0.085, varies=False),
        effects(0.08, 0.085, null=0.2),  # random directions do as much
        effects(0.08, 0.02),  # the interval lies above zero: something else is missing
        effects(-0.08, 0.085),
        effects(0.0, 0.0),
    ],
)
def test_nothing_is_said_where_more_samples_would_not_help(known: Any) -> None:
    assert undecided(known) == []
