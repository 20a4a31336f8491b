"""Smaller pictures are shown where whole ones take long, and there alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from ganstrata.app.sessions import Session
from ganstrata.app.views.tempo import AGAIN, MOST_KEYS, REMEMBERED, SLOW, VERY_SLOW, Tempo
from ganstrata.core.editing.live import LivePicture
from ganstrata.core.errors import UserError

EDIT = {"picture": {"seed": 3}, "moves": [{"along": "seen/red", "by": 1.5}]}


def tempo_of(*seconds: float) -> Tempo:
    tempo = Tempo()
    for value in seconds:
        tempo.note("key", value)
    return tempo


@pytest.mark.parametrize(
    ("seconds", "divisor"),
    [
        ((), 1),
        ((9.0,), 1),
        ((9.0, SLOW * 0.9), 1),
        ((0.0, SLOW * 1.1), 2),
        ((0.0, VERY_SLOW * 0.9), 2),
        ((0.0, VERY_SLOW * 1.1), 4),
        ((0.0, 0.0, 9.0, 0.0), 1),
        ((0.0, *[9.0] * 5, *[0.0] * (REMEMBERED // 2 + 1)), 1),
    ],
)
def test_the_median_of_the_last_pictures_decides(seconds: tuple[float, ...], divisor: int) -> None:
    assert tempo_of(*seconds).divisor("key") == divisor


def test_each_slider_has_its_own_tempo() -> None:
    assert tempo_of(0.0, 9.0).divisor("other") == 1


def test_whole_pictures_are_tried_again_after_a_while() -> None:
    tempo = tempo_of(0.0, 9.0)
    assert [tempo.divisor("key") for _ in range(AGAIN)] == [4] * AGAIN
    assert tempo.divisor("key") == 1
    assert tempo.divisor("key") == 1
    tempo.note("key", 9.0)
    assert tempo.divisor("key") == 4


def test_the_sliders_moved_last_are_remembered_and_no_more() -> None:
    tempo = tempo_of(0.0, 9.0)
    for other in range(MOST_KEYS - 1):
        tempo.note(other, 0.0)
    tempo.note("key", 9.0)  # used again: not the oldest any more
    for other in range(MOST_KEYS - 1):
        tempo.note(f"more {other}", 0.0)
    assert tempo.divisor("key") == 4
    tempo.note("the last straw", 0.0)
    assert tempo.divisor("key") == 1


class Slow(Tempo):
    def divisor(self, key: Any) -> int:
        return 2


def header(message: bytes) -> dict[str, Any]:
    return json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])


@pytest.mark.parametrize("final", [False, True])
def test_a_slow_model_shows_what_it_has_and_the_last_picture_whole(
    ask: Callable[..., Any], session: Session, monkeypatch: pytest.MonkeyPatch, final: bool
) -> None:
    asked: list[Any] = []

    def preview(self: Any, parts: Any, amounts: Any, moving: Any, most: int, truncation: float) -> Any:
        asked.append((amounts, moving, most, truncation))
        return torch.full((1, 3, 2, 3), 0.5)

    monkeypatch.setattr(LivePicture, "preview", preview)
    session.memory["tempo"] = Slow()
    _, (message,) = ask("frame", edit={**EDIT, "truncation": 0.5}, moving=0, final=final)
    assert header(message)["final"] is final
    assert header(message)["frame"] is True
    if final:
        assert asked == []
        assert header(message)["width"] > 3
    else:
        assert (header(message)["height"], header(message)["width"]) == (2, 3)
        ((amounts, moving, most, truncation),) = asked
        assert (amounts, moving, truncation) == ([1.5], 0, 0.5)
        _, (whole,) = ask("frame", edit=EDIT, final=True)
        assert most == header(whole)["width"] // 2


def test_a_generator_without_smaller_pictures_sends_whole_ones(
    ask: Callable[..., Any], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LivePicture, "preview", lambda *_, **__: None)
    _, (whole,) = ask("frame", edit=EDIT, final=True)
    session.memory["tempo"] = Slow()
    _, (message,) = ask("frame", edit=EDIT, moving=0)
    assert header(message)["width"] == header(whole)["width"]


def test_a_part_that_does_not_exist_cannot_be_dragged_in_small(
    ask: Callable[..., Any], session: Session
) -> None:
    session.memory["tempo"] = Slow()
    with pytest.raises(UserError, match="moving 1: the edit has 1 move"):
        ask("frame", edit=EDIT, moving=1)
