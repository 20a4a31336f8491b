"""How far strips show that a score follows: the rise around 0, on strips that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.editing.range_search import REACHED, STALLED, SearchLimits
from ganstrata.core.editing.strip_ranges import read_strip_ranges, strip_range
from ganstrata.core.pipeline.results import open_run
from ganstrata.core.runs.run import Run

STEPS = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        ([0, 1, 2, 3, 4, 5, 6], -3.0, 3.0),
        ([0, 0, 0, 0, 1, 2, 2], 0.0, 2.0),
        ([9, 0, 1, 2, 3, 2, 9], -2.0, 1.0),  # what rises again after a stop does not follow
        ([0, 0.05, 1, 2, 3, 3.05, 3.2], -2.0, 1.0),  # a tenth of the steepest slope is too little
        ([6, 5, 4, 3, 2, 1, 0], 0.0, 0.0),
        ([1, 1, 1, 1, 1, 1, 1], 0.0, 0.0),
    ],
)
def test_it_ends_where_the_mean_score_rises_no_more(scores: list[float], low: float, high: float) -> None:
    noise = np.array([[0.25], [-0.25]]) * np.arange(7)  # the samples differ, their mean does not
    found = strip_range(STEPS, np.array([scores, scores]) + noise)
    assert (found.low, found.high, found.samples) == (low, high, 2)
    assert found.below == (REACHED if low == -3.0 else STALLED)
    assert found.above == (REACHED if high == 3.0 else STALLED)


def test_the_limit_of_the_slope_counts() -> None:
    scores = np.array([[0, 0.05, 1, 2, 3, 3.05, 3.2]])
    assert strip_range(STEPS, scores, SearchLimits(slope=0.01)).high == 3.0


def test_steps_need_neither_be_even_nor_hold_zero() -> None:
    found = strip_range([-2.0, -0.5, 0.5, 4.0], np.array([[5.0, 0.0, 1.0, 2.0]]))
    assert (found.low, found.high) == (-0.5, 4.0)
    falling = strip_range([-2.0, -0.5, 0.5, 4.0], np.array([[0.0, 1.0, 0.5, 9.0]]))
    assert (falling.low, falling.high) == (0.0, 0.0)


def test_steps_on_one_side_leave_the_other_at_zero() -> None:
    found = strip_range([0.0, 1.0, 2.0], np.array([[0.0, 1.0, 2.0]]))
    assert (found.low, found.high, found.below) == (0.0, 2.0, REACHED)


def test_samples_without_a_score_are_left_out() -> None:
    scores = np.array([[0, 1, 2, 3, 4, 5, 6], [9, 8, 7, np.nan, np.nan, 0, 0]])
    scores[1] = np.nan
    assert strip_range(STEPS, scores).high == 3.0
    assert strip_range(STEPS, scores[1:]).high == 0.0


def test_the_strips_of_a_run_are_those_of_its_table(finished: Run) -> None:
    import csv

    found = read_strip_ranges(open_run(finished.path))
    with (finished.path / "edits" / "edits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(found) == {(row["boundary"], row["layers"]) for row in rows}
    for (boundary, layers), one in found.items():
        table: dict[float, list[float]] = {}
        for row in rows:
            if (row["boundary"], row["layers"]) == (boundary, layers):
                table.setdefault(float(row["amount"]), []).append(float(row["score"] or "nan"))
        steps = sorted(table)
        assert one == strip_range(steps, np.array([table[step] for step in steps]).T)
    assert any(one.high > 0.0 for one in found.values())


def test_a_run_without_strips_or_with_changed_ones_says_nothing(copied: Path) -> None:
    table = copied / "edits" / "edits.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("0.", "1."), encoding="utf-8")
    assert read_strip_ranges(open_run(copied)) == {}
