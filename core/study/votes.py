"""Read the votes that people exported from the page, check them, and collect them in one table."""

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

from ..config.faults import describe
from ..errors import ConfigError, Fault, UserError
from ..messages import quantity
from ..storage.disk import open_file
from .key import Key
from .shares import MISSING

FORMAT = "ganstrata study votes 1"
MAX_BYTES = 1_000_000
FIRST_YEAR = 1970  # the year of a clock that was never set
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
    """Represent one exported file.

    Attributes:
        source: name of the file.
        rater: random name of the rater.
        saved: time of saving.
        votes: chosen row, or `none`, by question.
        remarks: remarks on the file.
    """

    source: str
    rater: str
    saved: datetime
    votes: Mapping[str, int | str]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Votes:
    """Hold the votes of R raters on Q questions.

    Attributes:
        raters: random names of the raters.
        choices: position of the chosen group in the key, number of groups for none, or MISSING, (R, Q).
        rows: the same by row of the page, (R, Q).
        remarks: remarks on raters with missing, duplicate or suspicious votes.
    """

    raters: tuple[str, ...]
    choices: NDArray[np.int64]
    rows: NDArray[np.int64]
    remarks: tuple[str, ...]


def ballot_text(study: str, rater: str, votes: Mapping[str, int | str], saved: datetime) -> str:
    """Return the content of a file of votes, as the page exports it.

    Args:
        study: random name of the study.
        rater: random name of the rater, 16 hexadecimal digits.
        votes: chosen row, or `none`, by question.
        saved: time of saving.

    Raises:
        UserError: a name or a vote is not one.
    """
    content = {
        "format": FORMAT,
        "study": study,
        "rater": rater,
        "saved": saved.astimezone(UTC).isoformat(),
        "votes": [{"question": question, "choice": choice} for question, choice in votes.items()],
    }
    try:
        _Ballot.model_validate(content)
    except ValidationError as error:
        raise UserError(f"these are not votes: {describe(error, _Ballot, content)[0]}") from None
    return json.dumps(content, indent=1)


def read_votes(key: Key, paths: Sequence[Path]) -> Votes:
    """Read files of votes into one table.

    Raises:
        ConfigError: files are damaged or belong to another study; the error lists all of them.
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
    """Read one exported file.

    Raises:
        UserError: the file is missing, damaged, of another study, or has votes on unknown questions.
    """
    try:
        with open_file(path) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UserError(f"it has more than {MAX_BYTES} bytes, and exported votes never do")
        data = json.loads(content.decode("utf-8"))
        stored = _Ballot.model_validate(data)
        saved = datetime.fromisoformat(stored.saved)
        saved = saved.replace(tzinfo=saved.tzinfo or UTC)
        if not FIRST_YEAR <= saved.year < 9999:
            raise UserError(f"it says that it was saved in the year {saved.year}")
    except OSError as error:
        raise UserError(f"it cannot be read: {error.strerror or error}") from None
    except ValidationError as error:
        raise UserError(
            f"it does not contain exported votes, or is damaged: {describe(error, _Ballot, data)[0]}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"it is damaged: {error}") from None
    if stored.study != key.study:
        raise UserError(f"these are votes on another study ('{stored.study[:40]}', not '{key.study}')")
    rows = {question.id: len(question.order) for question in key.questions}
    votes: dict[str, int | str] = {}
    remarks: list[str] = []
    repeated: set[str] = set()
    for vote in stored.votes:
        if vote.question not in rows:
            raise UserError(f"it has a vote on question '{vote.question}', which this study does not ask")
        if vote.choice != NONE and not 0 <= int(vote.choice) < rows[vote.question]:
            raise UserError(
                f"its vote on question '{vote.question}' is for row {vote.choice}; "
                f"there are rows 0 to {rows[vote.question] - 1}"
            )
        if vote.question in votes:
            repeated.add(vote.question)
        votes[vote.question] = vote.choice
    if repeated:
        remarks.append(
            f"rater {stored.rater}: {path.name} has several votes on {quantity(len(repeated), 'question')}; "
            "the last of each counts"
        )
    return Ballot(path.name, stored.rater, saved, votes, tuple(remarks))


def tabulated(key: Key, ballots: Sequence[Ballot]) -> Votes:
    """Collect ballots in a table with a row per rater; of several files of a rater the last saved counts."""
    remarks: list[str] = []
    chosen: dict[str, Ballot] = {}
    for ballot in sorted(ballots, key=lambda b: b.saved.timestamp()):
        before = chosen.get(ballot.rater)
        if before is not None:
            same = "the same votes" if before.votes == ballot.votes else "different votes"
            remarks.append(
                f"rater {ballot.rater}: {ballot.source} was saved after {before.source}, with {same}; "
                "only the later file counts"
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
                f"rater {ballot.rater}: all {len(places)} votes are for {shown}; "
                "they count, but check whether they should"
            )
    return Votes(tuple(chosen), choices, rows, tuple(remarks))
