"""Exported votes and keys: which files are read, which are refused, and the remarks on raters."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.errors import ConfigError, UserError
from ganstrata.core.study.key import KEY, Key, shuffled
from ganstrata.core.study.shares import MISSING
from ganstrata.core.study.votes import read_votes
from study_raters import CHOICES, GROUPS, ballot, make_key, put

KEY_ = make_key(2)  # ten questions
ALL = ["bottom", "none", "top", "lower", "upper", "bottom", "none", "top", "lower", "upper"]


def test_rows_become_groups(tmp_path: Path) -> None:
    votes = read_votes(KEY_, [put(tmp_path / "a.json", ballot(KEY_, ALL, 1))])
    assert [CHOICES[i] for i in votes.choices[0]] == ALL
    for q, question in enumerate(KEY_.questions):
        assert ALL[q] == ("none" if votes.rows[0, q] == 4 else question.order[votes.rows[0, q]])
    assert votes.raters == (f"{1:016x}",)
    assert votes.remarks == ()


def test_missing_votes_are_remarked(tmp_path: Path) -> None:
    votes = read_votes(KEY_, [put(tmp_path / "a.json", ballot(KEY_, ["", *ALL[1:8], "", ""], 1))])
    assert (votes.choices[0] == MISSING).tolist() == [True] + [False] * 7 + [True] * 2
    assert votes.remarks == (f"rater {1:016x}: 3 of 10 votes are missing",)


def test_of_two_files_of_one_rater_the_later_counts(tmp_path: Path) -> None:
    late = put(tmp_path / "a.json", ballot(KEY_, ALL, 1, saved="2026-11-21T10:00:01.000Z"))
    early = put(tmp_path / "b.json", ballot(KEY_, ["top"] * 10, 1, saved="2026-11-21T12:00:00+02:00"))
    for paths in ([late, early], [early, late]):
        votes = read_votes(KEY_, paths)
        assert [CHOICES[i] for i in votes.choices[0]] == ALL
        assert len(votes.raters) == 1
        assert votes.remarks == (
            f"rater {1:016x}: a.json was saved after b.json, with different votes; "
            "only the later file counts",
        )


def test_of_two_votes_on_one_question_the_last_counts_and_is_remarked(tmp_path: Path) -> None:
    content = ballot(KEY_, ALL, 1)
    content["votes"].append({"question": KEY_.questions[0].id, "choice": "none"})
    votes = read_votes(KEY_, [put(tmp_path / "a.json", content)])
    assert CHOICES[votes.choices[0, 0]] == "none"
    assert votes.remarks == (
        f"rater {1:016x}: a.json has several votes on 1 question; the last of each counts",
    )


def test_a_rater_who_always_takes_the_same_row_is_remarked(tmp_path: Path) -> None:
    votes = read_votes(
        KEY_, [put(tmp_path / "a.json", ballot(KEY_, [question.order[1] for question in KEY_.questions], 1))]
    )
    assert votes.remarks == (
        f"rater {1:016x}: all 10 votes are for row 2; they count, but check whether they should",
    )


def changed(**changes: object) -> bytes:
    return json.dumps(ballot(KEY_, ALL, 1) | changes).encode()


VOTE = {"question": KEY_.questions[0].id, "choice": 0}
BAD = {
    "empty": (b"", "it is damaged"),
    "cut": (changed()[:-20], "it is damaged"),
    "binary": (b"\xff\xfe\x00", "it is damaged"),
    "nested": (b"[" * 200_000, "it is damaged"),
    "list": (b"[]", "does not contain exported votes"),
    "large": (b" " * 1_000_001, "more than 1000000 bytes"),
    "other study": (
        changed(study="012345678901"),
        "votes on another study ('012345678901', not 'abcdefabcdef')",
    ),
    "format": (changed(format="x"), "format: must be 'ganstrata study votes 1' (got 'x')"),
    "more": (changed(name="Eve"), "name: is not an option"),
    "rater": (changed(rater="../../x"), "rater: must have the form"),
    "saved": (changed(saved="yesterday"), "it is damaged: Invalid isoformat string"),
    "year 1": (changed(saved="0001-01-01T00:00:00"), "it says that it was saved in the year 1"),
    "year 9999": (changed(saved="9999-12-31T23:59:59-14:00"), "it says that it was saved in the year 9999"),
    "question": (
        changed(votes=[{**VOTE, "question": "zzz"}]),
        "a vote on question 'zzz', which this study does not ask",
    ),
    "row": (changed(votes=[{**VOTE, "choice": 4}]), "is for row 4; there are rows 0 to 3"),
    "negative": (changed(votes=[{**VOTE, "choice": -1}]), "is for row -1"),
    "true": (changed(votes=[{**VOTE, "choice": True}]), "votes -> 0 -> choice"),
    "text": (changed(votes=[{**VOTE, "choice": "bottom"}]), "votes -> 0 -> choice"),
    "key": (make_key(2).text.encode(), "does not contain exported votes"),
}


def test_bad_files_are_refused_by_name_all_at_once(tmp_path: Path) -> None:
    paths = [put(tmp_path / "good.json", ballot(KEY_, ALL, 1)), tmp_path / "none.json"]
    for name, (content, _) in BAD.items():
        (tmp_path / f"{name}.json").write_bytes(content)
        paths.append(tmp_path / f"{name}.json")
    with pytest.raises(UserError) as caught:
        read_votes(KEY_, paths)
    assert isinstance(caught.value, ConfigError)
    assert len(str(caught.value)) <= 2000
    lines = [str(fault) for fault in caught.value.faults]
    assert not any("good.json" in line for line in lines)
    assert any("none.json: it cannot be read: No such file" in line for line in lines)
    for name, (_, words) in BAD.items():
        assert any(f"{name}.json: " in line and words in line for line in lines), name


def test_a_key_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / KEY).write_text(KEY_.text)
    assert Key.read(tmp_path) == KEY_


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("study"), "is damaged: study"),
        (lambda c: c.update(format="x"), "is not the key of a study"),
        (
            lambda c: c["questions"][0].update(order=["bottom", "lower", "upper", "upper"]),
            "does not show every layer group once",
        ),
        (lambda c: c["questions"].append(c["questions"][0]), "two questions have one id"),
        (lambda c: c["groups"].clear(), "is damaged: groups"),
        (lambda c: c["questions"].clear(), "is damaged: questions"),
    ],
)
def test_damaged_keys(tmp_path: Path, change, words: str) -> None:
    content = json.loads(KEY_.text)
    change(content)
    put(tmp_path / KEY, content)
    with pytest.raises(UserError, match=words):
        Key.read(tmp_path)


def test_a_folder_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no study"):
        Key.read(tmp_path)
    (tmp_path / KEY).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        Key.read(tmp_path)


@pytest.mark.parametrize("count", [1, 3, 4, 8, 12, 30])
def test_each_group_stands_at_each_place_as_often_as_can_be(count: int) -> None:
    orders = shuffled(tuple(GROUPS), count, np.random.default_rng(count))
    assert len(orders) == count
    assert all(sorted(order) == sorted(GROUPS) for order in orders)
    for place in range(4):
        times = Counter(order[place] for order in orders)
        assert max(times.values()) <= -(-count // 4)
    assert len({shuffled(tuple(GROUPS), 4, np.random.default_rng(seed))[0] for seed in range(60)}) > 12
