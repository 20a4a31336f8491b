"""Write a leaderboard as tables of numbers and as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..storage.csv_tables import Row, Table
from ..storage.json_values import JsonObject
from .board import Board
from .measures import MEASURES

LEARNERS = (
    *("learner", "measure", "value", "low", "high"),
    *("difference", "difference_low", "difference_high", "random", "random_low", "random_high"),
)


def tables(board: Board) -> dict[str, Table]:
    """Return all numbers by the stem of their file."""
    found = {"learners": by_learner(board), "concepts": by_concept(board), "space": of_space(board)}
    return found | ({"judges": of_judges(board)} if board.judges else {})


def by_learner(board: Board) -> Table:
    """Return a row for each learner and measure: value, difference from the baseline, random directions."""
    rows: list[Row] = []
    for e in board.order:
        label = board.rows[e].label
        for name in (m.name for m in MEASURES):
            found, apart = board.estimates[name], board.estimates[name].against(board.baseline)
            numbers = [float(part[e]) for part in (*found[:3], *apart[:3])]
            rows.append((label, name, *numbers, *board.chance[name][e]))
        rows.append((label, "beat_the_null", *board.share(e), *[None] * 6))
        rows.append((label, "fit_ms_per_boundary", board.rows[e].milliseconds, *[None] * 8))
    return Table(LEARNERS, rows)


def by_concept(board: Board) -> Table:
    """Return a row for each learner and concept."""
    rows = []
    for e in board.order:
        row = board.rows[e]
        for b, concept in enumerate(board.concepts):
            boundary = row.boundaries[b]
            converged = boundary.facts.get("converged")
            rows.append(
                (
                    row.label,
                    concept.name,
                    *(float(values[e, b]) for values in board.single.values()),
                    float(board.q[e, b]),
                    float(row.along[b]),
                    None if converged is None else str(converged),
                    boundary.direction,
                    "all" if boundary.layers is None else " ".join(map(str, boundary.layers)),
                )
            )
    columns = ("learner", "concept", *board.single, "q", "spread_along", "converged", "direction", "layers")
    return Table(columns, rows)


def of_space(board: Board) -> Table:
    """Return a row for each number of the space."""
    rows: list[Row] = [
        (number.name, *(float(part[0]) for part in number.found[:3]), *number.chance)
        for number in board.space
    ]
    return Table(("measure", "value", "low", "high", "random", "random_low", "random_high"), rows)


def of_judges(board: Board) -> Table:
    """Return the effect of each learner by each judge, in rows."""
    rows = [
        (judged.names[0], judge, board.rows[e].label, float(judged.effects[e, j]))
        for judged in board.judges
        for j, judge in enumerate(judged.names)
        for e in board.order
    ]
    return Table(("concept", "judge", "learner", "effect"), rows)


def as_data(board: Board) -> JsonObject:
    """Return the leaderboard as plain data, without what the tables hold by concept."""
    agreement: list[dict[str, Any]] = [
        {
            "judges": list(judged.names),
            "rank_correlation": _plain(*(float(part[0]) for part in judged.ranks[:3])),
            "random_rank_correlation": _plain(*judged.chance_ranks),
            "one_sign": _plain(*(float(part[0]) for part in judged.signs[:3])),
            "random_one_sign": _plain(*judged.chance_signs),
        }
        for judged in board.judges
    ]
    return {
        "format": 1,
        "finished": True,
        "source": board.source,
        "settings": dict(board.settings),
        "baseline": board.rows[board.baseline].label,
        "front": [board.rows[e].label for e in board.front],
        "supervised": {row.label: row.supervised for row in board.rows},
        "distances": board.measured_by,
        "learners": by_learner(board).records,
        "space": of_space(board).records,
        "judges": agreement,
        "left_out": dict(board.left),
    }


def _plain(*numbers: float) -> list[float | None]:
    return [None if np.isnan(number) else float(number) for number in numbers]
