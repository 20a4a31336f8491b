"""The thread that computes: order, newest wins, breathing, stopping, and faults that do not end it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from ganstrata.app.compute import MOST_TURNS, Compute, Pace, Priority, Work

PATIENCE = 20.0


class Log:
    """What was done and dropped, in order, and a gate that holds the thread."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.dropped: list[str] = []
        self.faults: list[BaseException] = []
        self.gate, self.entered = threading.Event(), threading.Event()

    def work(
        self,
        name: str,
        priority: Priority = Priority.FRAME,
        channel: str = "",
        session: str = "s",
        perform: Callable[[Callable[[], None]], None] | None = None,
    ) -> Work:
        def plain(_: Callable[[], None]) -> None:
            self.done.append(name)

        return Work(session, channel or name, priority, perform or plain, lambda: self.dropped.append(name))

    def hold(self, compute: Compute) -> None:
        """Hold the thread, so that what is submitted waits."""

        def held(_: Callable[[], None]) -> None:
            self.entered.set()
            assert self.gate.wait(PATIENCE)

        compute.submit(self.work("holder", session="holder", perform=held))
        assert self.entered.wait(PATIENCE)

    def release(self, compute: Compute) -> None:
        """Let the thread go on, and wait until it has done everything."""
        finished = threading.Event()
        compute.submit(self.work("last", Priority.JOB, session="last", perform=lambda _: finished.set()))
        self.gate.set()
        assert finished.wait(PATIENCE)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def compute(log: Log) -> Iterator[Compute]:
    thread = Compute(on_fault=log.faults.append)
    thread.start()
    yield thread
    log.gate.set()
    thread.end(PATIENCE)


def test_what_matters_more_is_done_first_and_equals_in_their_order(compute: Compute, log: Log) -> None:
    log.hold(compute)
    compute.submit(log.work("job", Priority.JOB))
    compute.submit(log.work("thumbnail", Priority.THUMBNAIL))
    compute.submit(log.work("scores", Priority.SCORES))
    compute.submit(log.work("frame 1"))
    compute.submit(log.work("frame 2", session="other"))
    log.release(compute)
    assert log.done == ["frame 1", "frame 2", "scores", "thumbnail", "job"]
    assert log.dropped == []


def test_the_newest_of_a_session_and_channel_wins_and_keeps_the_place_in_the_queue(
    compute: Compute, log: Log
) -> None:
    log.hold(compute)
    compute.submit(log.work("old", channel="frame"))
    compute.submit(log.work("of another tab", channel="frame", session="other"))
    compute.submit(log.work("of another channel", channel="before"))
    compute.submit(log.work("new", channel="frame"))
    log.release(compute)
    assert log.done == ["new", "of another tab", "of another channel"]
    assert log.dropped == ["old"]


def test_a_job_breathes_what_matters_more_and_nothing_else(compute: Compute, log: Log) -> None:
    steps = threading.Event()

    def job(breathe: Callable[[], None]) -> None:
        log.done.append("step 1")
        compute.submit(log.work("frame"))
        compute.submit(log.work("scores", Priority.SCORES))
        compute.submit(log.work("job of another tab", Priority.JOB, session="other"))
        breathe()
        log.done.append("step 2")
        steps.set()

    compute.submit(log.work("job", Priority.JOB, perform=job))
    assert steps.wait(PATIENCE)
    log.release(compute)
    assert log.done == ["step 1", "frame", "scores", "step 2", "job of another tab"]


def test_what_interrupts_a_search_computes_no_gradients_and_the_search_goes_on_with_them(
    compute: Compute, log: Log
) -> None:
    modes: list[bool] = []

    def job(breathe: Callable[[], None]) -> None:
        with torch.enable_grad():
            compute.submit(log.work("frame", perform=lambda _: modes.append(torch.is_grad_enabled())))
            breathe()
            modes.append(torch.is_grad_enabled())

    compute.submit(log.work("job", Priority.JOB, perform=job))
    log.release(compute)
    assert modes == [False, True]


def test_what_interrupts_work_in_inference_mode_makes_tensors_that_searches_can_use(
    compute: Compute, log: Log
) -> None:
    made: list[torch.Tensor] = []

    def job(breathe: Callable[[], None]) -> None:
        with torch.inference_mode():
            compute.submit(log.work("frame", perform=lambda _: made.append(torch.ones(2))))
            breathe()

    compute.submit(log.work("job", Priority.JOB, perform=job))
    log.release(compute)
    (kept,) = made
    (torch.ones(2, requires_grad=True) * kept).sum().backward()  # saves it for the gradient


def test_newer_work_on_a_channel_ends_the_one_that_is_under_way(compute: Compute, log: Log) -> None:
    def endless(breathe: Callable[[], None]) -> None:
        log.entered.set()
        while True:
            breathe()

    compute.submit(log.work("grid", Priority.THUMBNAIL, channel="grid", perform=endless))
    assert log.entered.wait(PATIENCE)
    compute.submit(log.work("new grid", Priority.THUMBNAIL, channel="grid"))
    log.release(compute)
    assert (log.done, log.dropped) == (["new grid"], ["grid"])


def test_stopping_a_channel_leaves_the_others(compute: Compute, log: Log) -> None:
    log.hold(compute)
    compute.submit(log.work("a", channel="one"))
    compute.submit(log.work("b", channel="two"))
    compute.submit(log.work("c", channel="one", session="other"))
    compute.stop("s", "one")
    log.release(compute)
    assert (log.done, log.dropped) == (["b", "c"], ["a"])


def test_stopping_a_request_leaves_the_others_of_its_session(compute: Compute, log: Log) -> None:
    log.hold(compute)
    for number in (1, 2):
        work = log.work(f"request {number}", channel=f"channel {number}")
        work.number = number
        compute.submit(work)
    compute.stop("s", number=1)
    compute.stop("another tab", number=2)
    log.release(compute)
    assert (log.done, log.dropped) == (["request 2"], ["request 1"])


def test_what_is_stopped_stays_so_whatever_else_is_stopped_before_its_next_breath(
    compute: Compute, log: Log
) -> None:
    def job(breathe: Callable[[], None]) -> None:
        log.entered.set()
        assert log.gate.wait(PATIENCE)
        breathe()
        log.done.append("job")

    compute.submit(log.work("job", Priority.JOB, perform=job))
    assert log.entered.wait(PATIENCE)
    compute.stop("s")
    compute.stop("another tab")
    log.release(compute)
    assert (log.done, log.dropped) == ([], ["job"])


def test_a_fault_is_told_and_ends_nothing(compute: Compute, log: Log) -> None:
    def broken(_: Callable[[], None]) -> None:
        raise ZeroDivisionError("broken")

    compute.submit(log.work("broken", perform=broken))
    compute.submit(log.work("after"))
    log.release(compute)
    assert [str(fault) for fault in log.faults] == ["broken"]
    assert log.done == ["after"]


def test_ending_stops_what_is_under_way_and_drops_what_waits(log: Log) -> None:
    compute = Compute(on_fault=log.faults.append)
    compute.start()

    def endless(breathe: Callable[[], None]) -> None:
        log.entered.set()
        while True:
            breathe()

    compute.submit(log.work("endless", Priority.JOB, perform=endless))
    assert log.entered.wait(PATIENCE)
    compute.submit(log.work("waiting", Priority.JOB))
    compute.end(PATIENCE)
    compute.submit(log.work("too late"))
    assert log.done == []
    assert sorted(log.dropped) == ["endless", "too late", "waiting"]
    assert log.faults == []


def test_a_message_is_due_once_in_a_while() -> None:
    now = [0.0]
    pace = Pace(0.1, clock=lambda: now[0])
    due = []
    for t in (0.0, 0.05, 0.1, 0.15, 0.2, 0.35):
        now[0] = t
        due.append(pace.due())
    assert due == [True, False, True, False, True, True]


@pytest.mark.parametrize("remembered", [MOST_TURNS, 1])
def test_tabs_take_turns(
    compute: Compute, log: Log, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    monkeypatch.setattr(
        "ganstrata.app.compute.MOST_TURNS", remembered
    )  # the turns of longest ago are forgotten
    log.hold(compute)
    for i in range(3):
        compute.submit(log.work(f"busy {i}", session="busy"))
    compute.submit(log.work("quiet", session="quiet"))
    assert compute.waiting("busy") == 3
    assert compute.waiting("nobody") == 0
    log.release(compute)
    assert log.done == ["busy 0", "quiet", "busy 1", "busy 2"]
    assert compute.waiting("busy") == 0


def test_what_a_tab_looked_at_ends_with_it_and_its_jobs_go_on(compute: Compute, log: Log) -> None:
    log.hold(compute)
    for name, priority in (("frame", Priority.FRAME), ("small", Priority.THUMBNAIL), ("job", Priority.JOB)):
        compute.submit(log.work(name, priority))
    compute.submit(log.work("of another", session="other"))
    compute.stop("s", before=Priority.JOB)
    log.release(compute)
    assert log.done == ["of another", "job"]
    assert sorted(log.dropped) == ["frame", "small"]


def test_a_fault_that_can_be_told_nowhere_ends_nothing(log: Log) -> None:
    def closed(_: BaseException) -> None:
        raise BrokenPipeError("the terminal is gone")

    def broken(_: Callable[[], None]) -> None:
        raise ValueError("broken")

    compute = Compute(on_fault=closed)
    compute.start()
    compute.submit(log.work("broken", perform=broken))
    compute.submit(log.work("after"))
    log.release(compute)
    assert log.done == ["after"]
    compute.end(PATIENCE)
