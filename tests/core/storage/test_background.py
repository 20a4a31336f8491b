"""One call at a time in a thread, errors at the next call or at the end, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from ganstrata.core.storage.background import Background


def _writers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("writer")]


def test_a_call_waits_for_the_one_before_and_the_caller_for_none() -> None:
    going, most, go_on = [0], [0], threading.Event()

    def call() -> None:
        going[0] += 1
        most[0] = max(most[0], going[0])
        assert go_on.wait(30.0)
        going[0] -= 1

    with Background() as background:
        background(call)  # returns although the call is held up
        go_on.set()
        for _ in range(5):
            background(call)
    assert (most[0], going[0]) == (1, 0), "the block ends with the last call"
    assert _writers() == []


def _fail() -> None:
    raise OSError("full")


def _two(second: Callable[[], object], *, alone: bool = False) -> None:
    """A call that fails, and a second one."""
    with Background(alone=alone) as background:
        background(_fail)
        second()
        background(second)


def test_an_error_is_raised_by_the_next_call_which_is_not_made() -> None:
    made: list[int] = []

    def later() -> None:
        made.append(1)

    with pytest.raises(OSError, match="full"):
        _two(later)
    assert made == [1], "by this thread, and not again by the other"
    assert _writers() == []


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_the_error_of_the_block_hides_that_of_a_call() -> None:
    with pytest.raises(KeyboardInterrupt):
        _two(_interrupt)


def test_an_error_of_the_last_call_is_raised_at_the_end() -> None:
    with pytest.raises(OSError, match="full"), Background() as background:
        background(_fail)


def test_what_has_begun_is_finished_when_the_block_is_interrupted() -> None:
    made: list[int] = []
    go_on = threading.Event()

    def call() -> None:
        assert go_on.wait(30.0)
        made.append(1)

    def block() -> None:
        with Background() as background:
            background(call)
            threading.Timer(0.05, go_on.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block()
    assert made == [1]


def test_alone_it_calls_at_once_in_the_same_thread() -> None:
    threads: list[threading.Thread] = []
    with Background(alone=True) as background:
        background(lambda: threads.append(threading.current_thread()))
        assert threads == [threading.main_thread()]
        with pytest.raises(OSError, match="full"):
            background(_fail)
