"""Test that Ctrl-C is deferred during a step and raised right after it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest
from ganstrata.core.storage.interrupts import defer_interrupt


def interrupted(then: Callable[[], object]) -> None:
    """Run a step that is interrupted, and then continues with `then`."""
    with defer_interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        then()


def test_an_interruption_waits_until_the_step_is_over() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(lambda: steps.append("whole"))
    assert steps == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interruption_nothing_happens() -> None:
    with defer_interrupt(), defer_interrupt():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_inner_step_does_not_end_the_waiting_of_the_outer() -> None:
    steps: list[str] = []

    @defer_interrupt()
    def outer() -> None:
        interrupted(lambda: steps.append("inner"))
        steps.append("outer")

    with pytest.raises(KeyboardInterrupt):
        outer()
    assert steps == ["inner", "outer"]


def test_a_failure_of_the_step_is_what_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        interrupted(lambda: 1 / 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_are_left_alone() -> None:
    seen = []

    def step() -> None:
        with defer_interrupt():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_handler_of_the_callers_own_stays_in_force() -> None:
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        with defer_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
        assert came == [True]
    finally:
        signal.signal(signal.SIGINT, before)
