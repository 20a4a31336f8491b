"""The page of a study is read again without its key, and votes are written as it exports them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ganstrata import UserError
from ganstrata.core.study.key import PAGE
from ganstrata.core.study.page import build_page, read_page
from ganstrata.core.study.votes import NONE, ballot_text, read_ballot
from study_raters import make_key

KEY_ = make_key(1)
PICTURES = [[("image/png", bytes([q, row])) for row in range(4)] for q in range(len(KEY_.questions))]
WHEN = datetime(2026, 12, 1, 10, tzinfo=UTC)
RATER = "0123456789abcdef"


def written(folder: Path, change=lambda text: text) -> Path:
    (folder / PAGE).write_text(change(build_page(KEY_, PICTURES, (8, 8))), encoding="utf-8")
    return folder


def test_questions_and_pictures_come_back(tmp_path: Path):
    page = read_page(written(tmp_path))
    assert page.study == KEY_.study
    assert [(one.id, one.words) for one in page.questions] == [(q.id, q.words) for q in KEY_.questions]
    assert [list(one.rows) for one in page.questions] == PICTURES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "<html>", "is not a page of a study"),
        (lambda text: text.replace('id="data">{', 'id="data">'), "is damaged"),
        (lambda text: text.replace("image/png", "text/html"), "is damaged: questions"),
        (lambda text: text.replace("base64,", "base64,=="), "is damaged"),
        (lambda text: text.replace('"questions": [', '"questions": [7, '), "is damaged: questions"),
    ],
)
def test_damaged_pages(tmp_path: Path, change, words: str):
    with pytest.raises(UserError, match=words):
        read_page(written(tmp_path, change))


def test_a_folder_without_a_page(tmp_path: Path):
    with pytest.raises(UserError, match=r"cannot be read: .* `ganstrata study make`"):
        read_page(tmp_path)


def test_votes_that_are_written_are_read(tmp_path: Path):
    votes: dict[str, int | str] = {KEY_.questions[0].id: 2, KEY_.questions[1].id: NONE}
    path = tmp_path / "votes.json"
    path.write_text(ballot_text(KEY_.study, RATER, votes, WHEN), encoding="utf-8")
    ballot = read_ballot(KEY_, path)
    assert (ballot.rater, ballot.votes, ballot.saved) == (RATER, votes, WHEN)
    assert set(json.loads(path.read_text())) == {"format", "study", "rater", "saved", "votes"}


@pytest.mark.parametrize(("rater", "vote"), [("x", 0), (RATER, "some"), (RATER, 1.5)])
def test_what_are_no_votes_is_not_written(rater: str, vote: object):
    with pytest.raises(UserError, match="these are not votes"):
        ballot_text(KEY_.study, rater, {"q": vote}, WHEN)  # type: ignore[dict-item]
