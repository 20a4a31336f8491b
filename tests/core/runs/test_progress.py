"""Progress: lines, a bar on a terminal, or nothing."""

from __future__ import annotations

import errno
import io
import os

import pytest
from ganstrata.core.runs import progress as module
from ganstrata.core.runs.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_come_every_ten_seconds(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress(stream=stream).stage("rescore", total=1000, done=200) as step:
        for _ in range(8):
            clock[0] += 4.0
            step(50)
    assert stream.getvalue().splitlines() == [
        "rescore: 200 of 1000 were done before",
        "rescore: 350 of 1000, 12/s, 52 s left",
        "rescore: 500 of 1000, 12/s, 40 s left",
        "rescore: done in 32 s",
    ]
    assert step.done == 600
    assert step.seconds == 32.0


def test_lines_say_that_a_stage_may_stop_early(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress(stream=stream).stage("rescore", total=1000, may_stop_early=True) as step:
        clock[0] += 10.0
        step(100)
    first = stream.getvalue().splitlines()[0]
    assert first == "rescore: 100 of at most 1000, 10/s, at most 1 min 30 s left"


def test_quiet_says_nothing() -> None:
    stream = Terminal()
    reporter = Progress(quiet=True, stream=stream)
    with reporter.stage("learn", total=3) as step:
        step(3)
    reporter.say("words")
    assert stream.getvalue() == ""
    assert step.done == 3


def test_a_terminal_has_a_bar() -> None:
    stream = Terminal()
    reporter = Progress(stream=stream)
    with reporter.stage("edit", total=4, done=1) as step:
        step(3)
        assert reporter._bar is not None
        assert reporter._bar.tasks[0].completed == 4
        reporter.line("not shown beside a bar")
    assert reporter._bar is None
    assert "not shown" not in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("edit: done in under 1 s")


def test_an_error_ends_the_bar_and_is_not_swallowed() -> None:
    reporter = Progress(stream=Terminal())
    with pytest.raises(KeyboardInterrupt), reporter.stage("edit", total=4):
        raise KeyboardInterrupt
    assert reporter._bar is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "under 1 s"),
        (0.96, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.7, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


class Gone(Terminal):
    """A terminal that is closed while a program draws on it."""

    is_gone = False

    def write(self, text: str) -> int:
        if self.is_gone:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write(text)

    def flush(self) -> None:
        if self.is_gone:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_command_outlives_its_terminal(is_gone: bool) -> None:
    stream = Gone()
    stream.is_gone = is_gone
    progress = Progress(stream=stream)
    with progress.stage("rescore", total=3) as step:
        step(1)
        stream.is_gone = True
        step.note("loss 0.1")
        step(2)
    progress.warn("nobody reads this")
    with progress.stage("edit", total=1) as step:
        step(1)
    assert step.done == 1
    assert ("rescore" in stream.getvalue()) is not is_gone


def test_a_warning_is_written_even_if_quiet_and_escaped() -> None:
    stream = io.StringIO()
    Progress(quiet=True, stream=stream).warn("\x1b[31m")
    assert stream.getvalue() == "Warning: \\x1b[31m\n"
