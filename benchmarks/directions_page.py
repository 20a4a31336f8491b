"""Write the leaderboard as tables of a page, as CSV and as a figure."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from directions_numbers import Estimate, Floats
from ganstrata.core.figures.svg import Canvas, Scale, text_width
from ganstrata.core.plugins.records import Concept
from ganstrata.core.statistics import share_interval
from numpy.typing import NDArray

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
MEASURES = {
    "target": "effect on target, sd",
    "others": "effect on others, sd",
    "leak": "leak",
    "steadiness": "steadiness",
    "straightness": "straightness",
    "accuracy": "accuracy",
}
BETTER = {
    "target": "more is better",
    "others": "less is better",
    "leak": "less is better",
    "steadiness": "more is better",
}


class Row(NamedTuple):
    """Hold a learner and its boundaries."""

    label: str
    supervised: bool
    normals: list[NDArray[np.float32]]  # of each concept
    along: Floats  # sd of the codes along each normal, over that of w on average (B,)
    milliseconds: float  # per boundary
    facts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Board:
    """Hold all measurements.

    Attributes:
        rows: E learners.
        concepts: B of them.
        single: each measure but leak, (E, B).
        q: against the null, (E, B).
        estimates: each measure over concepts, (E,).
        left: learners that were left out, and why.
        baseline: the learner with which others are compared.
        rate: q below which an effect beats the null.
    """

    rows: list[Row]
    concepts: list[Concept]
    single: Mapping[str, Floats]
    q: Floats
    estimates: Mapping[str, Estimate]
    left: Mapping[str, str]
    baseline: int
    rate: float

    @property
    def order(self) -> list[int]:
        """Order learners by their effect on target, largest first."""
        return [int(e) for e in np.argsort(-self.estimates["target"].value, kind="stable")]

    def share(self, e: int) -> tuple[float, float, float]:
        """Return the share of concepts whose effect beats the null, with Wilson's interval."""
        share = float((self.q[e] < self.rate).mean())
        return (share, *share_interval(share, len(self.concepts)))

    def cosine(self, e: int) -> float:
        """Return the mean cosine with the baseline's normals; NaN if one of them has a normal per layer."""
        pairs = list(zip(self.rows[e].normals, self.rows[self.baseline].normals, strict=True))
        return (
            float(np.mean([a @ b for a, b in pairs]))
            if all(a.ndim == b.ndim == 1 for a, b in pairs)
            else np.nan
        )


class Table(NamedTuple):
    """Hold the heading, columns and rows of a table."""

    title: str
    columns: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """Return the table in Markdown."""
        lines = [
            f"### {self.title}",
            "",
            f"| {' | '.join(self.columns)} |",
            f"| --- |{' ---: |' * (len(self.columns) - 1)}",
        ]
        return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in self.rows), ""])


def shown(estimate: Estimate, e: int) -> str:
    """Return a value with its interval as text."""
    return f"{estimate.value[e]:.2f} [{estimate.low[e]:.2f}, {estimate.high[e]:.2f}]".replace("-0.00", "0.00")


def tables(board: Board) -> list[Table]:
    """Return the leaderboard, the differences from the baseline, and the effects by concept."""
    estimates, base = board.estimates, board.rows[board.baseline]
    count = len(board.concepts)
    first = Table(
        "Leaderboard",
        ["learner", *MEASURES.values(), f"beat the null, of {count}", "spread along", "fit, ms", "ratio"],
        [],
    )
    second = Table(f"Differences from {base.label}", ["learner", *MEASURES.values(), "cosine"], [])
    third = Table(
        "Effect on target by concept, sd", ["concept", *(board.rows[e].label for e in board.order)], []
    )
    for e in board.order:
        row, (share, low, high) = board.rows[e], board.share(e)
        marked = row.label if row.supervised else f"{row.label} (unsupervised)"
        won = f"{round(share * count)} [{low:.0%}, {high:.0%}]"
        time = [f"{row.milliseconds:.1f}", f"{row.milliseconds / base.milliseconds:.2f}"]
        first.rows.append(
            [marked, *(shown(estimates[name], e) for name in MEASURES), won, f"{row.along.mean():.2f}", *time]
        )
        if e != board.baseline:
            apart = {name: estimates[name].against(board.baseline) for name in MEASURES}
            second.rows.append(
                [marked, *(_decided(apart[name], e) for name in MEASURES), f"{board.cosine(e):.2f}"]
            )
    for b, concept in enumerate(board.concepts):
        effects = [f"{board.single['target'][e, b]:.2f}".replace("-0.00", "0.00") for e in board.order]
        cells = [
            text if board.q[e, b] < board.rate else f"{text} (not found)"
            for text, e in zip(effects, board.order, strict=True)
        ]
        third.rows.append([concept.name, *cells])
    return [first, second, third]


def _decided(difference: Estimate, e: int) -> str:
    """Return a difference as text, in bold if its interval excludes 0."""
    text = f"{difference.value[e]:+.2f} [{difference.low[e]:.2f}, {difference.high[e]:.2f}]".replace(
        "-0.00", "0.00"
    )
    return f"**{text}**" if difference.low[e] > 0.0 or difference.high[e] < 0.0 else text


def numbers(board: Board) -> dict[str, list[list[Any]]]:
    """Return all numbers for CSV: by learner, and by learner and concept."""
    learners: list[list[Any]] = [
        ["learner", "measure", "value", "low", "high", "difference", "difference_low", "difference_high"]
    ]
    concepts: list[list[Any]] = [
        ["learner", "concept", *board.single, "q", "spread_along", "converged", "direction"]
    ]
    for e in board.order:
        row = board.rows[e]
        for name in MEASURES:
            estimate, apart = board.estimates[name], board.estimates[name].against(board.baseline)
            learners.append([row.label, name, *(f"{part[e]:.6g}" for part in (*estimate[:3], *apart[:3]))])
        learners.append([row.label, "beat_the_null", *(f"{part:.6g}" for part in board.share(e)), "", "", ""])
        learners.append([row.label, "fit_ms_per_boundary", f"{row.milliseconds:.3f}", *[""] * 5])
        for b, concept in enumerate(board.concepts):
            facts = row.facts[b]
            values = [f"{measure[e, b]:.6g}" for measure in (*board.single.values(), board.q)]
            concepts.append(
                [
                    row.label,
                    concept.name,
                    *values,
                    f"{row.along[b]:.6g}",
                    facts.get("converged", ""),
                    facts.get("matched", ""),
                ]
            )
    return {"learners": learners, "concepts": concepts}


def picture(board: Board) -> str:
    """Draw a panel per measure, with a line per learner.

    Dots have two intervals: the thin, grey one is the learner's own, the thick one that of its difference
    from the baseline, whose value is the vertical line.
    """
    left, width, gap, line, top = (
        30.0 + text_width(row.label for row in board.rows),
        150.0,
        42.0,
        26.0,
        44.0,
    )
    bottom = top + line * len(board.rows)
    canvas = Canvas(left + len(BETTER) * (width + gap) - gap + 20, bottom + 30)
    for at, e in enumerate(board.order):
        canvas.text(
            left - 18,
            top + line * (at + 0.5) + 4,
            board.rows[e].label,
            anchor="end",
            css="strong" if e == board.baseline else "",
        )
    for p, (name, note) in enumerate(BETTER.items()):
        estimate, apart = board.estimates[name], board.estimates[name].against(board.baseline)
        start = left + p * (width + gap)
        ends = np.concatenate([estimate.low, estimate.high])
        scale = Scale(float(np.nanmin(ends)), float(np.nanmax(ends)), start, start + width, ticks=3)
        canvas.text(start, 16, MEASURES[name], css="strong")
        canvas.text(start, 32, note, css="soft")
        for tick in scale.ticks():
            canvas.line(scale(tick), top, scale(tick), bottom, "rule")
            canvas.text(scale(tick), bottom + 17, scale.show(tick), css="soft", anchor="middle")
        middle = scale(float(estimate.value[board.baseline]))
        canvas.line(middle, top, middle, bottom, "axis")
        for at, e in enumerate(board.order):
            if np.isfinite(estimate.value[e]):
                y, centre = top + line * (at + 0.5), float(estimate.value[board.baseline])
                canvas.line(scale(float(estimate.low[e])), y, scale(float(estimate.high[e])), y, "axis")
                if e != board.baseline:
                    canvas.whisker(
                        scale(centre + float(apart.low[e])), scale(centre + float(apart.high[e])), y
                    )
                canvas.circle(
                    scale(float(estimate.value[e])),
                    y,
                    4.5,
                    "f-attribute",
                    title=f"{board.rows[e].label}: {shown(estimate, e)}",
                )
    return canvas.svg(
        "Effect on target, effect on others, leak and steadiness of each learner, with 95 % intervals",
        alone=True,
    )


def write(board: Board, folder: Path | None, page: Path | None) -> str:
    """Write the requested files, and return the tables as text.

    Raises:
        ValueError: the page has no marks between which the tables go.
    """
    left = "".join(
        f"Left out: `{label}`: {' '.join(reason.split())}\n" for label, reason in board.left.items()
    )
    text = "\n".join(table.markdown() for table in tables(board)) + (f"\n{left}" if left else "")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in numbers(board).items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
        (folder / "leaderboard.svg").write_text(picture(board), encoding="utf-8")
    if page is not None:
        put(page, text)
    return text


def put(page: Path, text: str) -> None:
    """Replace the text between the two marks of a page.

    Raises:
        ValueError: the page has no such marks.
    """
    old = page.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}, between which the tables go")
    page.write_text(
        old[: old.index(BEGIN) + len(BEGIN)] + "\n\n" + text + "\n" + old[old.index(END) :], encoding="utf-8"
    )
