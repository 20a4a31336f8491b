"""Analyse the exported votes of a study: the figure, the agreement of raters and the tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..figures.figure import Figure
from ..messages import quantity
from ..plugins.records import LEVELS
from ..runs.lock import locked_results
from ..storage.csv_tables import Row, Table
from ..storage.result_folder import add_files, recover
from .agreement import kappa_interval
from .figure import votes_figure
from .key import Key
from .shares import MISSING, Shares, shares
from .votes import NONE, Votes, read_votes

FILES = ("votes.svg", "votes.csv", "concepts.csv", "agreement.csv", "ballots.csv", "study.json")


@dataclass(frozen=True)
class Agreement:
    """Hold Fleiss' kappa of the votes on some strips, with its 95 % interval; NaN where undefined.

    Attributes:
        strips: `all`, or a level.
        of: `rows`: whether raters chose the same row of a strip; rows are shuffled, so chance makes all rows
            equally likely. `groups`: the same votes by layer group; uninformative if one group is best in
            every strip, because chance agreement is then high too.
        count: number of strips.
        value, low, high: kappa and its interval.
    """

    strips: str
    of: str
    count: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Study:
    """Hold the results of a study.

    Attributes:
        key: key of the study.
        votes: all votes.
        levels: shares by level, in the order of LEVELS.
        concepts: shares by boundary, in the order of the key.
        agreement: kappa for all strips, then by level; of rows and of groups.
    """

    key: Key
    votes: Votes
    levels: dict[str, Shares]
    concepts: dict[str, Shares]
    agreement: tuple[Agreement, ...]

    @property
    def figure(self) -> Figure:
        """Chart of the shares by level (paper, fig. 3b)."""
        return votes_figure(self.levels, self.key.groups, len(self.votes.raters))

    @property
    def sentences(self) -> list[str]:
        """Conclusions: the group with most votes for each level, then the agreement of raters."""
        names = [*self.key.groups, NONE]
        lines = []
        for level, result in self.levels.items():
            if not result.votes:
                lines.append(f"{level}: no votes")
                continue
            order = np.argsort(-result.value, kind="stable")
            best = int(order[0])
            tie = result.value[order[1]] == result.value[best]
            winner = f"{names[best]} and {names[int(order[1])]} alike" if tie else names[best]
            numbers = f"{result.value[best]:.2f} [{result.low[best]:.2f}, {result.high[best]:.2f}]"
            lines.append(f"{level}: most votes for {winner}, {numbers} of {result.votes}")
        for row in (row for row in self.agreement if row.of == "rows"):
            bounds = "" if np.isnan(row.low) else f" [{row.low:.2f}, {row.high:.2f}]"
            kappa = "undefined" if np.isnan(row.value) else f"{row.value:.2f}{bounds}"
            lines.append(
                f"agreement on rows, {row.strips}: Fleiss' kappa {kappa} over {quantity(row.count, 'strip')}"
            )
        return lines


def analyse(key: Key, votes: Votes) -> Study:
    """Compute the shares by level and by concept, and the agreement of raters."""
    count = len(key.groups) + 1
    by_level = {level: [q for q, row in enumerate(key.questions) if row.level == level] for level in LEVELS}
    by_level = {level: columns for level, columns in by_level.items() if columns}
    by_concept: dict[str, list[int]] = {}
    for q, row in enumerate(key.questions):
        by_concept.setdefault(row.boundary, []).append(q)

    def shares_of(columns: list[int]) -> Shares:
        return shares(votes.choices[:, columns], [key.questions[q].boundary for q in columns], count)

    def kappas(name: str, columns: list[int]) -> list[Agreement]:
        tables = {"rows": votes.rows, "groups": votes.choices}
        return [
            Agreement(name, of, len(columns), *kappa_interval(table[:, columns], count))
            for of, table in tables.items()
        ]

    agreement = kappas("all", list(range(len(key.questions))))
    for level, columns in by_level.items():
        agreement += kappas(level, columns) if len(by_level) > 1 else []
    return Study(
        key,
        votes,
        {level: shares_of(columns) for level, columns in by_level.items()},
        {name: shares_of(columns) for name, columns in by_concept.items()},
        tuple(agreement),
    )


def read_study(folder: Path, paths: Sequence[Path], out: Path) -> Study:
    """Analyse votes on the study in `folder`, and write FILES into `out`.

    Raises:
        UserError: there is no study, a file of votes is damaged or of another study, or `out` has results.
        GanstrataError: `out` cannot be written.
    """
    with locked_results(out):
        recover(out, FILES[-1])  # what a killed process left
        return _read_study(folder, paths, out)


def _read_study(folder: Path, paths: Sequence[Path], out: Path) -> Study:
    key = Key.read(folder)
    study = analyse(key, read_votes(key, paths))
    taken = [name for name in FILES if (out / name).exists()]
    if taken:
        raise RunError(f"{out} has {', '.join(taken)} already; give another --out")
    figure = study.figure
    summary = {
        "study": study.key.study,
        "run": study.key.run,
        "generator": study.key.generator,
        "raters": list(study.votes.raters),
        "agreement": [{name: _plain(value) for name, value in vars(row).items()} for row in study.agreement],
        "remarks": list(study.votes.remarks),
    }
    texts = (
        ("votes.svg", figure.file),
        ("votes.csv", figure.csv),
        ("concepts.csv", _concepts(study)),
        (
            "agreement.csv",
            Table(
                ("strips", "of", "count", "kappa", "low", "high"),
                [tuple(vars(row).values()) for row in study.agreement],
            ).csv,
        ),
        ("ballots.csv", _ballots(study)),
        ("study.json", json.dumps(summary, indent=2) + "\n"),
    )
    add_files(out, {name: text.encode() for name, text in texts}, FILES[-1])
    return study


def _concepts(study: Study) -> str:
    """Return the content of concepts.csv: the share of each layer group, by boundary, and what was asked."""
    names = [*study.key.groups, NONE]
    asked = {row.boundary: row for row in study.key.questions}
    rows: list[Row] = []
    for concept, result in study.concepts.items():
        rows += [
            [
                *(concept, asked[concept].level, name, result.votes),
                *(result.value[g], result.low[g], result.high[g], asked[concept].words),
            ]
            for g, name in enumerate(names)
        ]
    return Table(("boundary", "level", "group", "votes", "share", "low", "high", "words"), rows).csv


def _ballots(study: Study) -> str:
    """Return the content of ballots.csv: a row per rater and question."""
    names = [*study.key.groups, NONE]
    rows: list[Row] = []
    for r, rater in enumerate(study.votes.raters):
        for q, row in enumerate(study.key.questions):
            choice = int(study.votes.choices[r, q])
            rows.append(
                [
                    rater,
                    row.id,
                    row.boundary,
                    row.level,
                    row.sample,
                    "" if choice == MISSING else names[choice],
                ]
            )
    return Table(("rater", "question", "boundary", "level", "sample", "choice"), rows).csv


def _plain(value: Any) -> Any:
    """Return the value, or None for NaN."""
    return None if isinstance(value, float) and np.isnan(value) else value
