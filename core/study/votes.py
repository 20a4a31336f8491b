"""Votes that people exported from the page: read with suspicion, put into one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..config.describe import describe
from ..errors import ConfigError, Fault, UserError
from ..storage.disk import open_file
from .key import Key
from .shares import MISSING

FORMAT = "ganstrata study votes 1"
LARGEST = 1_000_000  # bytes
FIRST = 1970  # year in which votes can have been saved, by clocks that were never set
NONE = "none"


class _Vote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    question: str = Field(max_length=64)
    choice: int | Literal["none"]


class _Ballot(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    format: Literal["ganstrata study votes 1"]
    study: str
    rater: str = Field(pattern=r"^[0-9a-f]{16}$")
    saved: str = Field(max_length=40)
    votes: list[_Vote] = Field(max_length=100_000)


@dataclass(frozen=True)
class Ballot:
    """One file: who voted (a random name), when it was saved, and the choices by question, `none` among them."""

    source: str
    rater: str
    saved: datetime
    votes: Mapping[str, int | str]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Votes:
    """All votes.

    Attributes:
        raters: their random names, axis 0.
        choices: groups in the key's order, then none; MISSING where there is no vote, (R, Q).
        rows: the same votes as they were made: which row, then none, (R, Q).
        remarks: on raters with missing or duplicate votes, in words.
    """

    raters: tuple[str, ...]
    choices: NDArray[np.int64]
    rows: NDArray[np.int64]
    remarks: tuple[str, ...]


def read_votes(key: Key, paths: Sequence[Path]) -> Votes:
    """The votes in files, as a table.

    Raises:
        ConfigError: files that are damaged or belong to another study, all of them by name.
    """
    ballots: list[Ballot] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            ballots.append(read_ballot(key, path))
        except UserError as error:
            faults.append(Fault((str(path),), str(error)))
    if faults:
        raise ConfigError("votes", faults)
    return tabulated(key, ballots)


def read_ballot(key: Key, path: Path) -> Ballot:
    """One exported file.

    Raises:
        UserError: missing, damaged, of another study, or with votes on what was not asked.
    """
    try:
        with open_file(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UserError(f"it has more than {LARGEST} bytes; no exported votes have")
        data = json.loads(content.decode("utf-8"))
        found = _Ballot.model_validate(data)
        saved = datetime.fromisoformat(found.saved)
        saved = saved.replace(tzinfo=saved.tzinfo or UTC)
        if not FIRST <= saved.year < 9999:
            raise UserError(f"it says that it was saved in the year {saved.year}")
    except OSError as error:
        raise UserError(f"it cannot be read: {error.strerror or error}") from None
    except ValidationError as error:
        raise UserError(
            f"these are no exported votes, or they are damaged: {describe(error, _Ballot, data)[0]}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"it is damaged: {error}") from None
    if found.study != key.study:
        raise UserError(f"these are votes on another study ('{found.study[:40]}', not '{key.study}')")
    rows = {question.id: len(question.order) for question in key.questions}
    votes: dict[str, int | str] = {}
    remarks: list[str] = []
    twice: set[str] = set()
    for vote in found.votes:
        if vote.question not in rows:
            raise UserError(f"it has a vote on question '{vote.question}', which this study does not ask")
        if vote.choice != NONE and not 0 <= int(vote.choice) < rows[vote.question]:
            raise UserError(
                f"its vote on question '{vote.question}' is for row {vote.choice}; there are rows 0 to {rows[vote.question] - 1}"
            )
        if vote.question in votes:
            twice.add(vote.question)
        votes[vote.question] = vote.choice
    if twice:
        remarks.append(
            f"rater {found.rater}: {path.name} has several votes on {len(twice)} questions; the last of each counts"
        )
    return Ballot(path.name, found.rater, saved, votes, tuple(remarks))


def tabulated(key: Key, ballots: Sequence[Ballot]) -> Votes:
    """One row per rater; of several files of one rater the one that was saved last."""
    remarks: list[str] = []
    chosen: dict[str, Ballot] = {}
    for ballot in sorted(ballots, key=lambda b: b.saved.timestamp()):
        before = chosen.get(ballot.rater)
        if before is not None:
            same = "the same votes" if before.votes == ballot.votes else "other votes"
            remarks.append(
                f"rater {ballot.rater}: {ballot.source} was saved after {before.source}, with {same}; it counts, the other does not"
            )
        chosen[ballot.rater] = ballot
    names = [*key.groups]
    choices = np.full((len(chosen), len(key.questions)), MISSING, dtype=np.int64)
    rows = choices.copy()
    for r, ballot in enumerate(chosen.values()):
        remarks += ballot.remarks
        for q, question in enumerate(key.questions):
            vote = ballot.votes.get(question.id)
            if vote is not None:
                rows[r, q] = len(names) if vote == NONE else int(vote)
                choices[r, q] = len(names) if vote == NONE else names.index(question.order[int(vote)])
        missing = int((choices[r] == MISSING).sum())
        if missing:
            remarks.append(f"rater {ballot.rater}: {missing} of {len(key.questions)} votes are missing")
        places = list(ballot.votes.values())
        if len(places) >= 8 and len(set(places)) == 1:
            shown = "none" if places[0] == NONE else f"row {int(places[0]) + 1}"
            remarks.append(
                f"rater {ballot.rater}: all {len(places)} votes are for {shown}; the votes count, look whether they should"
            )
    return Votes(tuple(chosen), choices, rows, tuple(remarks))
