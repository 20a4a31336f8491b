"""Smaller pictures are shown where whole ones take long, and there alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from ganstrata.app.compute import Stopped
from ganstrata.app.sessions import Session
from ganstrata.app.views import explore
from ganstrata.app.views.preview_size import AGAIN, FIRST, MOST_KEYS, REMEMBERED, SLOW, VERY_SLOW, PreviewSize
from ganstrata.app.workspace import Workspace
from ganstrata.core.editing.live import LivePicture
from ganstrata.core.errors import UserError

EDIT = {"picture": {"seed": 3}, "moves": [{"along": "seen/red", "by": 1.5}]}


def preview_of(*seconds: float) -> PreviewSize:
    preview = PreviewSize()
    for value in seconds:
        preview.note("key", value)
    return preview


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
    assert preview_of(*seconds).divisor("key") == divisor


def test_each_slider_has_its_own_tempo() -> None:
    assert preview_of(0.0, 9.0).divisor("other") == 1


def test_whole_pictures_are_tried_again_after_a_while() -> None:
    preview = preview_of(0.0, 9.0)
    assert [preview.divisor("key") for _ in range(AGAIN)] == [4] * AGAIN
    assert preview.divisor("key") == 1
    assert preview.divisor("key") == 1
    preview.note("key", 9.0)
    assert preview.divisor("key") == 4


def test_before_a_slider_was_timed_the_first_picture_of_the_page_counts() -> None:
    preview = PreviewSize(expected=9.0)
    assert [preview.divisor("key") for _ in range(FIRST)] == [4] * FIRST
    assert preview.divisor("key") == 1  # a whole one, which computes what others begin with
    preview.note("key", 9.0)
    assert [preview.divisor("key") for _ in range(FIRST)] == [4] * FIRST
    assert preview.divisor("key") == 1
    preview.note("key", 0.0)
    assert preview.divisor("key") == 1
    assert preview.seconds("key") == 0.0
    assert preview.seconds("other") == 9.0
    assert PreviewSize(expected=SLOW * 0.9).divisor("key") == 1


def test_the_sliders_moved_last_are_remembered_and_no_more() -> None:
    preview = preview_of(0.0, 9.0)
    for other in range(MOST_KEYS - 1):
        preview.note(other, 0.0)
    preview.note("key", 9.0)  # used again: not the oldest any more
    for other in range(MOST_KEYS - 1):
        preview.note(f"more {other}", 0.0)
    assert preview.seconds("key") == 9.0
    preview.note("the last straw", 0.0)
    assert preview.seconds("key") == 0.0


class Slow(PreviewSize):
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
    session.memory["preview size"] = Slow()
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
    session.memory["preview size"] = Slow()
    _, (message,) = ask("frame", edit=EDIT, moving=0)
    assert header(message)["width"] == header(whole)["width"]


def test_a_part_that_does_not_exist_cannot_be_dragged_in_small(
    ask: Callable[..., Any], session: Session
) -> None:
    session.memory["preview size"] = Slow()
    with pytest.raises(UserError, match="moving 1: the edit has 1 move"):
        ask("frame", edit=EDIT, moving=1)


def test_a_slider_has_one_tempo_wherever_it_stands(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(0.0, 2 * VERY_SLOW)
    monkeypatch.setattr(explore.time, "perf_counter", lambda: next(now))
    monkeypatch.setattr(LivePicture, "preview", lambda *_, **__: torch.full((1, 3, 2, 3), 0.5))
    widths = []
    for by in (0.5, 1.0, 1.5):  # the first counts for nothing
        _, (message,) = ask("frame", edit={**EDIT, "moves": [{"along": "seen/red", "by": by}]}, moving=0)
        widths.append(header(message)["width"])
    assert widths == [8, 8, 3]


@pytest.mark.parametrize(("seconds", "sizes"), [(explore.LONG, [3, 8]), (explore.LONG * 0.99, [8])])
def test_ahead_of_a_slow_whole_picture_comes_a_smaller_one(
    ask: Callable[..., Any],
    session: Session,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    sizes: list[int],
) -> None:
    monkeypatch.setattr(LivePicture, "preview", lambda *_, **__: torch.full((1, 3, 2, 3), 0.5))
    workspace.memory[explore.TYPICAL] = seconds
    _, sent = ask("frame", edit=EDIT, final=True)
    assert [header(message)["width"] for message in sent] == sizes
    assert [header(message)["final"] for message in sent] == [False, True][-len(sizes) :]


def test_a_picture_that_nobody_wants_any_more_is_not_finished(
    ask: Callable[..., Any], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise Stopped

    monkeypatch.setattr(LivePicture, "preview", lambda *_, **__: torch.full((1, 3, 2, 3), 0.5))
    monkeypatch.setattr(LivePicture, "render", lambda *_, **__: pytest.fail("it is rendered"))
    workspace.memory[explore.TYPICAL] = explore.LONG
    with pytest.raises(Stopped):
        ask("frame", edit=EDIT, final=True, breathe=stopped)


def test_the_first_picture_is_timed_once(ask: Callable[..., Any], workspace: Workspace) -> None:
    ask("hello")
    seconds = workspace.memory[explore.TYPICAL]
    assert seconds > 0.0
    ask("hello")
    assert workspace.memory[explore.TYPICAL] == seconds
