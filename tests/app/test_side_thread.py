"""What is done beside the thread that computes: others are served, and one thing is done at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from ganstrata.app.compute import Stopped
from ganstrata.app.sessions import Session
from ganstrata.app.side_thread import SideThread
from ganstrata.app.views import photograph
from ganstrata.app.workspace import Workspace
from ganstrata.core.errors import DataError
from hostile_pictures import encoded

PATIENCE = 20.0


def test_it_breathes_until_the_work_is_done_in_another_thread() -> None:
    goes, breaths = threading.Event(), []

    def breathe() -> None:
        breaths.append(threading.current_thread())
        if len(breaths) == 3:
            goes.set()

    def work() -> threading.Thread:
        assert goes.wait(PATIENCE)
        return threading.current_thread()

    assert SideThread().run(work, breathe) is not threading.current_thread()
    assert len(breaths) >= 3
    assert set(breaths) == {threading.current_thread()}


def test_what_the_work_raises_is_raised_and_leaves_the_place_free() -> None:
    place = SideThread()

    def fails() -> None:
        raise DataError("this is not a picture")

    for _ in range(2):
        with pytest.raises(DataError, match="this is not a picture"):
            place.run(fails, lambda: None)
    assert place.run(lambda: 3, lambda: None) == 3


def test_where_the_system_has_no_thread_left_the_place_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    place, breaths = SideThread(), []

    def breathe() -> None:
        breaths.append(1)
        assert len(breaths) < 1000, "nobody lets go of the place"

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="new thread"):
            place.run(lambda: 3, breathe)
    assert place.run(lambda: 3, breathe) == 3


def test_work_that_nobody_wants_any_more_ends_before_other_work_begins() -> None:
    place, goes, order = SideThread(), threading.Event(), []

    def slow() -> None:
        assert goes.wait(PATIENCE)
        order.append("first")

    def stop() -> None:
        raise Stopped

    for _ in range(3):  # of what does not even begin, nothing is done
        with pytest.raises(Stopped):
            place.run(slow, stop)
    threads = [thread for thread in threading.enumerate() if thread.name == "ganstrata-side"]
    assert len(threads) == 1
    breaths: list[int] = []

    def breathe() -> None:
        breaths.append(1)
        if len(breaths) == 3:
            assert order == []
            goes.set()

    place.run(lambda: order.append("second"), breathe)
    assert order == ["first", "second"]


@pytest.mark.parametrize(("name", "decoder"), [("look", "decode"), ("invert", "target_from_bytes")])
def test_frames_are_served_while_a_picture_is_decoded(
    ask: Callable[..., Any],
    workspace: Workspace,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    decoder: str,
) -> None:
    session.uploads["u"] = encoded("PNG")
    plain, goes, frames = getattr(photograph, decoder), threading.Event(), []

    def slow(*given: Any, **more: Any) -> Any:
        assert goes.wait(PATIENCE)
        return plain(*given, **more)

    def breathe() -> None:
        if not goes.is_set():
            frames.append(ask("frame", edit={"picture": {"seed": 1}}))
            goes.set()

    monkeypatch.setattr(photograph, decoder, slow)
    way = {"way": {"embed": "mean", "refine": ["w+"], "steps": 2}} if name == "invert" else {}
    ask(name, upload="u", breathe=breathe, **way)
    assert len(frames) == 1
