"""From exported votes to the figure, the agreement and the tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..figures.figure import Figure
from ..plugins.records import LEVELS
from ..storage.csv_tables import csv_text
from ..storage.result_folder import add_files
from .agreement import kappa_interval
from .figure import votes_figure
from .key import Key
from .shares import MISSING, Shares, shares
from .votes import NONE, Votes, read_votes

FILES = ("votes.svg", "votes.csv", "concepts.csv", "agreement.csv", "ballots.csv", "study.json")


@dataclass(frozen=True)
class Agreement:
    """Fleiss' kappa of the votes on some strips, with its interval; NaN where it is undefined.

    Attributes:
        strips: which: all, or those of a level.
        of: `rows`: whether people chose the same row of a strip. The rows are shuffled, so that chance is all
            rows alike, and agreement is about what they saw. `groups`: the same votes by layer group; where one
            group is best in every strip this says nothing, since chance then already agrees.
        count: how many strips.
    """

    strips: str
    of: str
    count: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Study:
    """What people said.

    Attributes:
        key: of the study.
        votes: all of them.
        levels: shares by level, in the order of levels.
        concepts: shares by boundary, in the key's order.
        agreement: of all strips together, then by level; of rows and of groups.
    """

    key: Key
    votes: Votes
    levels: dict[str, Shares]
    concepts: dict[str, Shares]
    agreement: tuple[Agreement, ...]

    @property
    def figure(self) -> Figure:
        """Fig. 3b."""
        return votes_figure(self.levels, self.key.groups, len(self.votes.raters))

    @property
    def sentences(self) -> list[str]:
        """What it says, a line per level, and what is to be known of the raters."""
        names = [*self.key.groups, NONE]
        lines = []
        for level, found in self.levels.items():
            if not found.votes:
                lines.append(f"{level}: no votes")
                continue
            order = np.argsort(-found.value, kind="stable")
            best = int(order[0])
            tie = found.value[order[1]] == found.value[best]
            said = f"{names[best]} and {names[int(order[1])]} alike" if tie else names[best]
            numbers = f"{found.value[best]:.2f} [{found.low[best]:.2f}, {found.high[best]:.2f}]"
            lines.append(f"{level}: most votes for {said}, {numbers} of {found.votes}")
        for row in (row for row in self.agreement if row.of == "rows"):
            told = (
                "undefined"
                if np.isnan(row.value)
                else f"{row.value:.2f}" + ("" if np.isnan(row.low) else f" [{row.low:.2f}, {row.high:.2f}]")
            )
            lines.append(f"agreement on rows, {row.strips}: Fleiss' kappa {told} over {row.count} strips")
        return lines


def analyse(key: Key, votes: Votes) -> Study:
    """Shares by level and by concept, and agreement. Pure."""
    count = len(key.groups) + 1
    by_level = {level: [q for q, row in enumerate(key.questions) if row.level == level] for level in LEVELS}
    by_level = {level: columns for level, columns in by_level.items() if columns}
    by_concept: dict[str, list[int]] = {}
    for q, row in enumerate(key.questions):
        by_concept.setdefault(row.boundary, []).append(q)

    def of(columns: list[int]) -> Shares:
        return shares(votes.choices[:, columns], [key.questions[q].boundary for q in columns], count)

    def agreed(name: str, columns: list[int]) -> list[Agreement]:
        tables = {"rows": votes.rows, "groups": votes.choices}
        return [
            Agreement(name, of, len(columns), *kappa_interval(table[:, columns], count))
            for of, table in tables.items()
        ]

    agreement = agreed("all", list(range(len(key.questions))))
    for level, columns in by_level.items():
        agreement += agreed(level, columns) if len(by_level) > 1 else []
    return Study(
        key,
        votes,
        {level: of(columns) for level, columns in by_level.items()},
        {name: of(columns) for name, columns in by_concept.items()},
        tuple(agreement),
    )


def read_study(folder: Path, paths: Sequence[Path], out: Path) -> Study:
    """Read the votes on the study in `folder`, and write FILES into `out`.

    Raises:
        UserError: no study there, files of votes that are damaged or foreign, or files in `out` that would be lost.
        GanstrataError: `out` cannot be written.
    """
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
            csv_text(
                [
                    ["strips", "of", "count", "kappa", "low", "high"],
                    *([*vars(row).values()] for row in study.agreement),
                ]
            ),
        ),
        ("ballots.csv", _ballots(study)),
        ("study.json", json.dumps(summary, indent=2) + "\n"),
    )
    add_files(out, {name: text.encode() for name, text in texts})
    return study


def _concepts(study: Study) -> str:
    names = [*study.key.groups, NONE]
    level_of = {row.boundary: row.level for row in study.key.questions}
    rows: list[list[Any]] = [["boundary", "level", "group", "votes", "share", "low", "high"]]
    for concept, found in study.concepts.items():
        rows += [
            [concept, level_of[concept], name, found.votes, found.value[g], found.low[g], found.high[g]]
            for g, name in enumerate(names)
        ]
    return csv_text(rows)


def _ballots(study: Study) -> str:
    names = [*study.key.groups, NONE]
    rows: list[list[Any]] = [["rater", "question", "boundary", "level", "sample", "choice"]]
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
    return csv_text(rows)


def _plain(value: Any) -> Any:
    """NaN as nothing."""
    return None if isinstance(value, float) and np.isnan(value) else value
