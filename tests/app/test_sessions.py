"""Tabs: which goes when there are too many, and what belongs to one."""

from __future__ import annotations

import pytest
from ganstrata.app.sessions import MOST_FILE_BYTES, MOST_KEPT, MOST_SESSIONS, Session, Sessions
from ganstrata.core.errors import UserError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("ganstrata.app.sessions.time.monotonic", lambda: now[0])
    return now


def opened(sessions: Sessions, clock: list[float]) -> Session:
    clock[0] += 1.0
    session, closed = sessions.find_or_open("")
    session.send = lambda message: None
    assert closed == []
    return session


def test_the_tab_that_was_left_first_goes(clock: list[float]) -> None:
    sessions = Sessions()
    tabs = [opened(sessions, clock) for _ in range(MOST_SESSIONS)]
    for tab in (tabs[3], tabs[0]):  # the first tab was in use until now
        clock[0] += 1.0
        tab.leave()
    found, closed = sessions.find_or_open(tabs[0].id)
    assert (found, closed) == (tabs[0], [])
    _, closed = sessions.find_or_open("")
    assert closed == [tabs[3]]
    assert sessions.find(tabs[3].id) is None
    assert len(sessions) == MOST_SESSIONS


def test_a_tab_that_fetches_a_file_is_in_use(clock: list[float]) -> None:
    sessions = Sessions()
    tabs = [opened(sessions, clock) for _ in range(MOST_SESSIONS)]
    for tab in tabs[:2]:
        clock[0] += 1.0
        tab.leave()
    clock[0] += 1.0
    assert sessions.find(tabs[0].id) is tabs[0]
    assert sessions.find_or_open("")[1] == [tabs[1]]


def test_no_tab_that_is_open_goes(clock: list[float]) -> None:
    sessions = Sessions()
    for _ in range(MOST_SESSIONS):
        opened(sessions, clock)
    with pytest.raises(UserError, match=f"{MOST_SESSIONS} tabs are open"):
        sessions.find_or_open("")


def test_who_asks_for_room_is_refused_but_what_was_made_is_kept() -> None:
    session = Session("a tab")
    for number in range(MOST_KEPT - 1):
        session.keep(str(number), None)  # type: ignore[arg-type]
    session.require_room()
    session.keep("of another view", None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"holds {MOST_KEPT} pictures"):
        session.require_room()
    key = session.keep("a search of minutes", None)  # type: ignore[arg-type]
    assert session.kept[key].name == "a search of minutes"


def test_a_number_of_a_picture_is_never_used_again() -> None:
    session = Session("a tab")
    first = session.keep("first", None)  # type: ignore[arg-type]
    session.forget(first)
    session.forget(first)
    assert session.kept == {}
    assert session.keep("second", None) != first  # type: ignore[arg-type]


def test_a_picture_that_is_removed_leaves_no_states() -> None:
    session = Session("a tab")
    session.live.update({"kept k1": None, "kept k10": None, "seed 1": None})  # type: ignore[dict-item]
    session.forget("k1")
    assert list(session.live) == ["kept k10", "seed 1"]


def test_the_oldest_files_go_and_one_that_is_too_large_is_refused() -> None:
    session = Session("a tab")
    half = bytes(MOST_FILE_BYTES // 2)
    first, second = (session.offer(name, "image/png", half) for name in ("a", "b"))
    assert list(session.downloads) == [first, second]
    third = session.offer("c", "image/png", b"x")
    assert list(session.downloads) == [second, third]
    with pytest.raises(UserError, match=r"c\.gif would have 64 MiB"):
        session.offer("c.gif", "image/gif", bytes(MOST_FILE_BYTES + 1))
    assert list(session.downloads) == [second, third]
