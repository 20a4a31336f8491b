"""People vote on a study in the app, whose key it never reads, and their file is read like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ganstrata import UserError
from ganstrata.app.sessions import Session
from ganstrata.app.workspace import Workspace
from ganstrata.core.study.key import KEY, PAGE
from ganstrata.core.study.page import build_page, read_page
from ganstrata.core.study.votes import read_ballot
from study_raters import make_key

Ask = Callable[..., Any]
KEY_ = make_key(1)
PICTURES = [[("image/png", bytes([q, row])) for row in range(4)] for q in range(len(KEY_.questions))]
RATER = "0123456789abcdef"


@pytest.fixture
def ask(workspace: Workspace, asking: Callable[[Workspace], Ask], tmp_path: Path) -> Ask:
    (tmp_path / PAGE).write_text(build_page(KEY_, PICTURES, (8, 8)), encoding="utf-8")
    return asking(replace(workspace, study=read_page(tmp_path)))


def test_questions_are_asked_without_the_key(ask: Ask, tmp_path: Path):
    assert not (tmp_path / KEY).exists()
    answer, _ = ask("study")
    assert answer["study"] == KEY_.study
    assert answer["questions"] == [{"id": q.id, "words": q.words, "rows": 4} for q in KEY_.questions]
    rows, sent = ask("study_rows", question=1)
    assert rows == {"rows": 4}
    contents = [message[4 + int.from_bytes(message[:4], "big") :] for message in sent]
    assert contents == [content for _, content in PICTURES[1]]


def test_votes_come_back_as_the_command_reads_them(ask: Ask, session: Session, tmp_path: Path):
    votes = {KEY_.questions[0].id: 3, KEY_.questions[1].id: "none"}
    answer, _ = ask("votes_file", rater=RATER, votes=votes)
    file = session.downloads[answer["file"]]
    assert file.name == f"votes-{RATER}.json"
    path = tmp_path / file.name
    path.write_bytes(file.content)
    ballot = read_ballot(KEY_, path)
    assert (ballot.rater, ballot.votes) == (RATER, votes)


@pytest.mark.parametrize("votes", [{"ffff": 0}, {KEY_.questions[0].id: 4}])
def test_votes_on_what_is_not_asked_are_refused(ask: Ask, votes: Any):
    with pytest.raises(UserError, match="the study has no question"):
        ask("votes_file", rater=RATER, votes=votes)


def test_a_question_beyond_the_last(ask: Ask):
    with pytest.raises(UserError, match=f"the study has {len(KEY_.questions)}"):
        ask("study_rows", question=len(KEY_.questions))


def test_without_a_study_the_page_says_how_to_make_one(
    workspace: Workspace, asking: Callable[[Workspace], Ask]
):
    ask = asking(workspace)
    answer, _ = ask("study")
    assert answer["study"] is None
    assert "ganstrata study make" in answer["why"]
    with pytest.raises(UserError, match="No study was named"):
        ask("study_rows", question=0)
