"""HiGAN's boundary lists are read with remarks, and written so that HiGAN's own reader accepts them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.lists import Entry, list_text, parse_list, read_list, space_of


def test_what_a_list_may_hold() -> None:
    lines = [
        "# ours",
        "",
        "(wood, w): a/wood_boundary.npy",
        "  ( dirt ,WP ) :  b c.npy  ",
        "DISABLE(view, w): v.npy",
        "DISABLE nonsense",
    ]
    text = "\ufeff" + "\r\n".join([*lines, "(far-away_horizon, z): x:y.npy"])
    parsed = parse_list(text, "list")
    assert parsed.entries == (
        Entry("wood", "w", "a/wood_boundary.npy", 3),
        Entry("dirt", "w+", "b c.npy", 4),
        Entry("far-away_horizon", "z", "x:y.npy", 7),
    )
    assert parsed.disabled == (5, 6)
    assert parsed.remarks == ()


def test_the_last_of_repeated_pairs_counts_and_a_remark_says_so() -> None:
    parsed = parse_list("(a, w): 1.npy\n(b, w): 2.npy\n(a, W): 3.npy\n(a, z): 4.npy", "list")
    assert [(e.name, e.space, e.path) for e in parsed.entries] == [
        ("b", "w", "2.npy"),
        ("a", "w", "3.npy"),
        ("a", "z", "4.npy"),
    ]
    assert parsed.remarks == ("list: 'a' in w comes in line 1 and in line 3; the last counts",)


def test_all_unreadable_lines_are_reported_with_their_numbers() -> None:
    with pytest.raises(UserError) as caught:
        parse_list(
            "(a, w): 1.npy\nwood: 2.npy\n\n(b, q): 3.npy\n(c, w) 4.npy\n(d, w):\n(, w): 5.npy\n(e w): 6.npy",
            "some.txt",
        )
    message = str(caught.value)
    for line in (2, 4, 5, 6, 7, 8):
        assert f"line {line}: " in message
    assert "line 1:" not in message
    assert "'q' is not a latent space; z, w, wp are known" in message
    assert message.startswith("some.txt: 6 faults")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "names no boundary."), ("# all\nDISABLE(a, w): b", "names no boundary; 1 line is switched off")],
)
def test_an_empty_list(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_list(text, "some.txt")


def test_files_that_are_not_lists_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00(")
    with pytest.raises(UserError, match=r"neither an \.npy file nor a list"):
        read_list(tmp_path / "a.txt")
    with pytest.raises(UserError, match=r"cannot read .*none\.txt: No such file"):
        read_list(tmp_path / "none.txt")
    (tmp_path / "b.txt").write_text("(a, w): b\n" * 200_000)
    with pytest.raises(UserError, match="less than 1000000 bytes"):
        read_list(tmp_path / "b.txt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.5,-2e-3,0.25", "holds numbers as text; in Python, numpy.save"),
        ("0.5\n-1.25\n", "holds numbers as text"),
        ("\n<!DOCTYPE html>\n<html>", "a web page: the download has failed"),
    ],
)
def test_texts_that_are_something_else_are_named(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_list(text, "a.txt")


def higans(text: str) -> dict[tuple[str, str], str]:
    """Parse a list as genforce/higan 2088e23 does, which fails on any other line."""
    paths = {}
    for line in text.splitlines():
        if line.startswith("DISABLE"):
            continue
        info, path = line.strip().split(":")
        name, space = info.strip()[1:-1].split(",")
        paths[name.strip(), space.strip().lower()] = path.strip()
    return paths


def test_what_is_written_can_be_read_by_both() -> None:
    rows = [
        ("wood", "w", "wood_boundary.npy"),
        ("view", "z", "/a/b/view_boundary.npy"),
        ("dirt", "w+", "dirt_boundary.npy"),
    ]
    text = list_text(rows)
    assert higans(text) == {("wood", "w"): rows[0][2], ("view", "z"): rows[1][2], ("dirt", "wp"): rows[2][2]}
    assert [(e.name, e.space, e.path) for e in parse_list(text, "list").entries] == rows


@pytest.mark.parametrize(
    ("word", "space"),
    [("z", "z"), ("W", "w"), ("wp", "w+"), ("W+", "w+"), (" w ", "w"), ("", None), ("s", None)],
)
def test_names_of_spaces(word: str, space: str | None) -> None:
    assert space_of(word) == space
