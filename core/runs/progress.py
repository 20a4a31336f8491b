"""Show progress: a bar on a terminal, lines of text elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

from ..messages import escaped

EVERY = 10.0  # seconds between two plain lines


class Step:
    """Count the finished part of a stage, and measure its time."""

    def __init__(self, report: Progress, label: str, total: int, done: int, at_most: str) -> None:
        self._report, self.label, self.total, self.done, self._at_most = report, label, total, done, at_most
        self._first, self._began, self._spoke = done, time.monotonic(), time.monotonic()
        self._note = ""

    @property
    def seconds(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """What was finished in a second, of what this step has finished."""
        return (self.done - self._first) / max(self.seconds, 1e-9)

    def note(self, text: str) -> None:
        """Show a short text beside the count, such as the loss of a training."""
        self._note = f", {text}"
        self._report.describe(f"{self.label} {text}")

    def __call__(self, count: int) -> None:
        """Add to the finished count, and show a line every 10 seconds."""
        self.done += count
        self._report.advance(self, count)
        now = time.monotonic()
        if now - self._spoke >= EVERY:
            self._spoke = now
            rate = self.rate
            left = (self.total - self.done) / max(rate, 1e-9)
            self._report.line(
                f"{self.label}: {self.done} of {self._at_most}{self.total}, {speed(rate)}, "
                f"{self._at_most}{duration(left)} left{self._note}"
            )


class _Outlived:
    """Write to a terminal as long as there is one: a bar is drawn at moments at which nobody handles errors.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write, or nothing if the terminal is closed."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, or nothing if the terminal is closed."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Return True: a bar is drawn on nothing else."""
        return True


class Progress:
    """Show progress on a stream.

    Attributes:
        current: the stage that is going on; None between two.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream: TextIO | None = stream if stream is not None else sys.stderr
        self._quiet = quiet or self._stream is None  # None: the process has no standard error
        self._live = self._stream is not None and not quiet and self._stream.isatty()
        self._bar: object | None = None
        self._task: object | None = None
        self.current: Step | None = None

    def say(self, text: str) -> None:
        """Print a line, unless quiet. A closed stream is ignored, so a command can outlive its terminal."""
        if self._quiet:
            return
        self._print(text)

    def warn(self, text: str) -> None:
        """Print a warning, even if quiet. A closed stream is ignored here too."""
        self._print(f"Warning: {text}")

    def _print(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            print(escaped(text, lines=True), file=self._stream, flush=True)
        except (OSError, ValueError):
            self._quiet, self._live = True, False

    def line(self, text: str) -> None:
        """Print a line if there is no bar."""
        if not self._live:
            self.say(text)

    @contextmanager
    def stage(self, name: str, *, total: int, done: int = 0, may_stop_early: bool = False) -> Iterator[Step]:
        """Show a bar during a stage, and a line at its end.

        Args:
            name: name of the stage.
            total: amount of work, in the unit of `Step`.
            done: amount that was finished before.
            may_stop_early: whether `total` is an upper bound, which the lines then say.
        """
        step = Step(self, name, total, done, "at most " if may_stop_early else "")
        if done:
            self.say(f"{name}: {done} of {total} were done before")
        self.current = step
        try:
            with self._shown(name, total, done):
                yield step
        finally:
            self.current = None
        self.say(f"{name}: done in {duration(step.seconds)}")

    def advance(self, step: Step, count: int) -> None:
        """Advance the bar."""
        if self._bar is not None:
            self._bar.advance(self._task, count)  # type: ignore[attr-defined]

    def describe(self, text: str) -> None:
        """Change the text before the bar."""
        if self._bar is not None:
            self._bar.update(self._task, description=text)  # type: ignore[attr-defined]

    @contextmanager
    def _shown(self, name: str, total: int, done: int) -> Iterator[None]:
        if not self._live or self._stream is None:
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Bar(
            *columns, console=Console(file=cast(TextIO, _Outlived(self._stream))), transient=True
        ) as bar:
            self._bar, self._task = bar, bar.add_task(name, total=total, completed=done)
            try:
                yield
            finally:
                self._bar = None


def speed(rate: float) -> str:
    """Return how much is finished in a second as text; below 1, how long one takes.

    >>> speed(12.4), speed(0.4), speed(0.001)
    ('12/s', '2.5 s each', '1000.0 s each')
    """
    return f"{rate:.0f}/s" if rate >= 1.0 or rate <= 0.0 else f"{1.0 / rate:.1f} s each"


def duration(seconds: float) -> str:
    """Return a duration as text.

    >>> duration(0.3), duration(4.2), duration(100), duration(4000)
    ('under 1 s', '4 s', '1 min 40 s', '1 h 06 min')
    """
    if seconds < 0.95:
        return "under 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
