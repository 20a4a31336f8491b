"""Tabulate a leaderboard for people: values with intervals, in Markdown and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .board import Board
from .estimates import Chance, Estimate
from .measures import BESIDE, EFFECTS, MEANING, Measure

UNDEFINED = (
    "A leak is shown as – where the interval of the effect on target reaches 0 or lies below it: there is "
    "nothing to divide by. Such a learner is not on the front."
)
ALONE = "There is one concept, so that there is no effect on others, and no leak."
REASON, REASON_ALONE = "the effect may be none", "there is no other concept"
LARGEST = 1000.0  # numbers above are no more than that: very large


class Cell(NamedTuple):
    """Represent a cell: a value, its interval or a note, and whether it is emphasised."""

    value: str
    note: str = ""
    strong: bool = False

    @property
    def markdown(self) -> str:
        """Return the cell in Markdown."""
        text = f"{self.value} {self.note}".strip().replace("|", r"\|")
        return f"**{text}**" if self.strong else text


class View(NamedTuple):
    """Hold a table as it is shown: a heading for each column, and rows of cells."""

    name: str
    title: str
    columns: list[str]
    rows: list[list[Cell]]

    @property
    def markdown(self) -> str:
        """Return the table in Markdown, under its title."""
        lines = [
            f"### {self.title}",
            "",
            f"| {' | '.join(self.columns)} |",
            f"| --- |{' ---: |' * (len(self.columns) - 1)}",
        ]
        lines += [f"| {' | '.join(cell.markdown for cell in row)} |" for row in self.rows]
        return "\n".join([*lines, ""])


def shown(value: float, sign: str = "") -> str:
    """Return a number with two digits; a dash for none, and no more than 1000.

    >>> shown(0.456), shown(-0.001), shown(float("nan")), shown(4e6), shown(0.1, "+")
    ('0.46', '0.00', '–', '> 1000', '+0.10')
    """
    if np.isnan(value):
        return "–"
    return f"> {LARGEST:.0f}" if value > LARGEST else f"{value:{sign}.2f}".replace("-0.00", "0.00")


def interval(low: float, high: float) -> str:
    """Return an interval; empty without one.

    >>> interval(0.1, 0.2), interval(float("nan"), 0.2)
    ('[0.10, 0.20]', '')
    """
    return "" if np.isnan(low) or np.isnan(high) else f"[{shown(low)}, {shown(high)}]"


def cell_of(found: Estimate | Chance, e: int | None = None) -> Cell:
    """Return a value with its interval: of learner e, or of chance."""
    value, low, high = (float(part if e is None else part[e]) for part in found[:3])  # type: ignore[index]
    return Cell(shown(value), interval(low, high))


def views(board: Board) -> list[View]:
    """Return all tables."""
    tables = [effects_view(board), differences_view(board), measures_view(board, BESIDE), by_concept(board)]
    tables.insert(3, measures_view(board, MEANING))
    return [*tables, *([judges_view(board)] if board.judges else []), space_view(board)]


def label_of(board: Board, e: int) -> Cell:
    """Return the label of a learner, with what is special about it."""
    row = board.rows[e]
    notes = [note for note in ("" if row.supervised else "unsupervised", row.where) if note]
    return Cell(row.label, f"({', '.join(notes)})" if notes else "")


def effects_view(board: Board) -> View:
    """Return the table of effects, with a row for random directions."""
    count, base = len(board.concepts), board.rows[board.baseline]
    columns = ["learner", *(m.heading for m in EFFECTS), f"beat the null, of {count}"]
    table = View("effects", "Leaderboard", [*columns, "spread along", "fit, ms", "ratio"], [])
    for e in board.order:
        row, (share, low, high) = board.rows[e], board.share(e)
        table.rows.append(
            [
                label_of(board, e),
                *(cell_of(board.estimates[m.name], e) for m in EFFECTS),
                Cell(str(round(share * count)), f"[{low:.0%}, {high:.0%}]"),
                Cell(shown(float(row.along.mean()))),
                Cell(f"{row.milliseconds:.1f}"),
                Cell(f"{row.milliseconds / base.milliseconds:.2f}"),
            ]
        )
    table.rows.extend([*cells, *[Cell("–")] * 4] for cells in chance_rows(board, EFFECTS))
    return table


def chance_rows(board: Board, measures: Sequence[Measure]) -> list[list[Cell]]:
    """Return a row for each kind of random directions: those at other layers reach something else."""
    kinds: dict[tuple[Chance, ...], list[int]] = {}
    for e in board.order:
        own = tuple(
            board.chance[m.name][e] if not m.by_learner else Chance(np.nan, np.nan, np.nan) for m in measures
        )
        key = next((key for key in kinds if _alike(key, own)), own)
        kinds.setdefault(key, []).append(e)
    rows = []
    for key, learners in kinds.items():
        places = dict.fromkeys(_place(board, e) for e in learners)
        note = f"(at {'; '.join(places)})" if len(kinds) > 1 else ""
        rows.append([Cell("random directions", note), *(cell_of(chance) for chance in key)])
    return rows


def _place(board: Board, e: int) -> str:
    """Return where a learner's directions are moved, and whether they have a normal per layer."""
    row = board.rows[e]
    shape = ", a normal per layer" if any(boundary.normal.ndim == 2 for boundary in row.boundaries) else ""
    return (row.where or "all layers") + shape


def _alike(one: Sequence[Chance], other: Sequence[Chance]) -> bool:
    return bool(np.allclose(np.array(one), np.array(other), equal_nan=True))


def differences_view(board: Board) -> View:
    """Return the paired differences from the baseline; those whose interval excludes 0 are emphasised."""
    measures = (*EFFECTS, *BESIDE[:2], *MEANING)
    table = View(
        "differences",
        f"Differences from {board.rows[board.baseline].label}",
        ["learner", *(m.heading for m in measures), "cosine"],
        [],
    )
    apart = {m.name: board.estimates[m.name].against(board.baseline) for m in measures}
    for e in board.order:
        if e == board.baseline:
            continue
        cells = []
        for m in measures:
            value, low, high = (float(part[e]) for part in apart[m.name][:3])
            cells.append(Cell(shown(value, "+"), interval(low, high), low > 0.0 or high < 0.0))
        table.rows.append([label_of(board, e), *cells, Cell(shown(board.cosine(e)))])
    return table


def measures_view(board: Board, measures: Sequence[Measure]) -> View:
    """Return a table of further measures, with a row for random directions."""
    side = measures is BESIDE
    title = "What else changes, and how far pictures go" if side else "What the directions know"
    table = View("beside" if side else "meaning", title, ["learner", *(m.heading for m in measures)], [])
    for e in board.order:
        cells = [label_of(board, e)]
        for m in measures:
            cell, chance = cell_of(board.estimates[m.name], e), board.chance[m.name][e]
            note = f"{cell.note} (random {shown(chance.value)})" if m.by_learner else cell.note
            cells.append(Cell(cell.value, note if cell.value != "–" else ""))
        table.rows.append(cells)
    table.rows.extend(chance_rows(board, measures))
    return table


def by_concept(board: Board) -> View:
    """Return the effects on the target of each concept; those within chance say so."""
    order = board.order
    table = View(
        "concepts",
        "Effect on target by concept, sd",
        ["concept", *(board.rows[e].label for e in order)],
        [],
    )
    for b, concept in enumerate(board.concepts):
        cells = [
            Cell(
                shown(float(board.single["target"][e, b])),
                "" if board.q[e, b] < board.rate else "(not found)",
            )
            for e in order
        ]
        table.rows.append([Cell(concept.name), *cells])
    return table


def judges_view(board: Board) -> View:
    """Return how the judges of each concept agree."""
    columns = ["judges", "rank correlation", "over random directions", "one sign", "over random directions"]
    table = View("judges", "Do judges agree?", columns, [])
    for judged in board.judges:
        table.rows.append(
            [
                Cell(" and ".join(judged.names)),
                cell_of(judged.ranks, 0),
                cell_of(judged.chance_ranks),
                cell_of(judged.signs, 0),
                cell_of(judged.chance_signs),
            ]
        )
    return table


def space_view(board: Board) -> View:
    """Return the numbers of the space."""
    table = View("space", "The latent space itself", ["measure", "value", "by chance"], [])
    for number in board.space:
        table.rows.append([Cell(number.name), cell_of(number.found, 0), cell_of(number.chance)])
    return table


def markdown(board: Board) -> str:
    """Return all tables, what a dash means, and the learners that were left out, in Markdown."""
    left = "".join(
        f"Left out: `{label}`: {' '.join(reason.split())}\n" for label, reason in board.left.items()
    )
    tables = "\n".join(view.markdown for view in views(board))
    reason = no_leak(board)
    dash = f"\n{reason}\n" if reason else ""
    return tables + dash + (f"\n{left}" if left else "")


def no_leak(board: Board) -> str:
    """Say what it means that a learner has no leak; empty if all have one."""
    if len(board.concepts) == 1:
        return ALONE
    return UNDEFINED if np.isnan(board.estimates["leak"].value).any() else ""


def in_a_line(board: Board, e: int) -> str:
    """Return the effect and the leak of a learner in a line, each with its interval."""
    target, leak = (cell_of(board.estimates[name], e).markdown for name in ("target", "leak"))
    why = REASON_ALONE if len(board.concepts) == 1 else REASON
    reason = f" ({why})" if np.isnan(board.estimates["leak"].value[e]) else ""
    return f"{board.rows[e].label}: effect on target {target} sd, leak {leak}{reason}"
