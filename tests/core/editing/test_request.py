"""Requests for edits: what may be written, and the errors for the rest."""

from __future__ import annotations

import pytest
from ganstrata.core.editing.request import EditRequest, Move, parse_move, parse_numbers
from ganstrata.core.errors import UserError

KNOWN = ("colour/red", "colour/red|colour/blue", "odd/a:2", "odd/a", "mail/x@y")


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("colour/red", Move("colour/red")),
        ("colour/red:2.5", Move("colour/red", 2.5)),
        ("colour/red:-1@6-11", Move("colour/red", -1.0, "6-11")),
        ("colour/red@ 0, 2,5-7 ", Move("colour/red", None, "0, 2,5-7")),
        ("colour/red|colour/blue:3@top", Move("colour/red|colour/blue", 3.0, "top")),
        ("odd/a:2", Move("odd/a:2")),
        ("odd/a:2:3", Move("odd/a:2", 3.0)),
        ("odd/a:3", Move("odd/a", 3.0)),
        ("mail/x@y@1", Move("mail/x@y", None, "1")),
    ],
)
def test_names_amounts_and_layers(text: str, move: Move) -> None:
    assert parse_move(text, KNOWN) == move


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour/rde:2", "colour/rde: no boundary has this name. Did you mean 'colour/red'?"),
        ("", "no boundary has this name"),
        ("colour/red:", "'' is not a distance to move"),
        ("colour/red:much", "'much' is not a distance to move"),
        ("colour/red:nan", "'nan' is not a distance"),
        ("colour/red:0", "'0' is not a distance"),
        ("colour/red@", "no layers follow the @"),
        ("colour/reds", "Did you mean 'colour/red'?"),
    ],
)
def test_mistakes_in_a_move(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_move(text, KNOWN)
    assert words in str(caught.value)


def test_numbers_keep_their_order_and_come_once() -> None:
    assert parse_numbers("7, 0-2,1", "--seeds") == (7, 0, 1, 2)
    for text in ("", "3-1", "a", "1,", "-1", "0-10000", "99999999999999999"):
        with pytest.raises(UserError, match=r"^--seeds"):
            parse_numbers(text, "--seeds")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"along": ()}, "name at least one boundary"),
        ({"mode": "joimt"}, "'joimt' is not a known mode. Did you mean 'joint'?"),
        ({"kinds": ("strip", "mp5")}, "'mp5' is not a known output. Did you mean 'mp4'?"),
        ({"seeds": "0", "samples": "0"}, "give one of them"),
        ({"search": True, "mode": "absolute"}, "mode absolute does not step that way"),
        ({"search": True, "scores": False}, "--search looks at scores"),
        ({"noise_sd": 1.0}, "--noise-sd is the noise of --mode jitter"),
        ({"noise_sd": -1.0, "mode": "jitter"}, "give a number above 0"),
        ({"kinds": ("grid",), "mode": "joint"}, "a grid crosses two boundaries"),
        ({"kinds": ("grid",), "along": ("a", "b")}, "a grid crosses two boundaries"),
        ({"start": float("nan")}, "--start nan: give a finite number"),
        ({"fps": 0.0}, "--fps 0"),
        ({"steps": 0}, "--steps 0: give at least 1"),
    ],
)
def test_what_does_not_go_together(options: dict, words: str) -> None:
    with pytest.raises(UserError) as caught:
        EditRequest(**{"along": ("a",)} | options).check()
    assert words in str(caught.value)
    EditRequest(along=("a",)).check()
