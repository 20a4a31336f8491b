"""Answer the user study: its questions and pictures, and votes as the file that its own page would export.

The page of a study holds a script of its own, which the policy of this page refuses. So its pictures are
shown by the view Annotate. The key, which says what a row shows, is never read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from ...core.errors import UserError
from ...core.study.page import ShownQuestion
from ...core.study.votes import ballot_text
from ..handlers import THUMBNAIL, Answer, Handler, Handlers, Nothing, Request
from ..sessions import Session
from ..workspace import Workspace

MOST_VOTES = 10_000
NO_STUDY = (
    "No study was named. `ganstrata study make` makes one from the run; start the app with --study and its "
    "folder."
)
QuestionId = Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]


class Rows(Request):
    """Ask for the pictures of a question, by its place."""

    question: Annotated[int, Field(ge=0, lt=100_000)]


class Votes(Request):
    """Ask for the file of votes: the chosen row of each question, or none."""

    rater: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    votes: Annotated[
        dict[QuestionId, Annotated[int, Field(ge=0, lt=100)] | Literal["none"]],
        Field(min_length=1, max_length=MOST_VOTES),
    ]


def study(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Return the questions of the study, without their pictures."""
    page = workspace.study
    if page is None:
        return {"study": None, "why": NO_STUDY, "questions": []}
    questions = [{"id": one.id, "words": one.words, "rows": len(one.rows)} for one in page.questions]
    return {"study": page.study, "why": "", "questions": questions}


def study_rows(workspace: Workspace, session: Session, request: Rows, answer: Answer) -> dict[str, Any]:
    """Send the picture of each row of a question."""
    asked = _asked(workspace, request.question)
    for row, (media_type, content) in enumerate(asked.rows):
        answer.picture(content, media_type, (0, 0), row=row)
    return {"rows": len(asked.rows)}


def votes_file(workspace: Workspace, session: Session, request: Votes, answer: Answer) -> dict[str, Any]:
    """Offer the votes as a file that `ganstrata study read` reads."""
    page = workspace.study
    if page is None:
        raise UserError(NO_STUDY)
    rows = {one.id: len(one.rows) for one in page.questions}
    for question, choice in request.votes.items():
        if question not in rows or (choice != "none" and choice >= rows[question]):
            raise UserError(f"the study has no question {question} with a row {choice}; load the page again")
    text = ballot_text(page.study, request.rater, request.votes, datetime.now(UTC))
    name = f"votes-{request.rater}.json"
    return {"file": session.offer(name, "application/json", text.encode()), "name": name}


def _asked(workspace: Workspace, place: int) -> ShownQuestion:
    """Return a question.

    Raises:
        UserError: there is none.
    """
    page = workspace.study
    if page is None:
        raise UserError(NO_STUDY)
    if place >= len(page.questions):
        raise UserError(f"question {place + 1}: the study has {len(page.questions)}")
    return page.questions[place]


HANDLERS: Handlers = {
    "study": Handler(Nothing, study, THUMBNAIL, "study"),
    "study_rows": Handler(Rows, study_rows, THUMBNAIL, "study_rows"),
    "votes_file": Handler(Votes, votes_file, THUMBNAIL, "votes_file"),
}
