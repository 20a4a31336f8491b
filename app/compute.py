"""Run what handlers compute, one thing at a time, so that nothing waits behind work that matters less.

All computing with the networks happens in one thread, so nothing has to be locked. Waiting work is taken by
priority, then tab by tab, of one tab in the order in which it came. Of one session and channel the newest
wins: what waits there is replaced, and keeps its place in the queue. A job breathes between its steps: what
matters more is done then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum

import torch

MOST_TURNS = 1000  # remembered


class Priority(IntEnum):
    """Order of work: a lower number is done first."""

    FRAME = 0
    SCORES = 1
    THUMBNAIL = 2
    JOB = 3


class Stopped(Exception):
    """Raised in work that the user has stopped, or that newer work has replaced."""


@dataclass(eq=False)
class Work:
    """Represent something to compute for a session.

    Attributes:
        session: its id.
        channel: of waiting work of one session and channel, the newest alone is done.
        priority: when it is done.
        perform: what is done; called with `breathe`, which raises Stopped once the work is to end.
        dropped: called if it is not done, because newer work took its place or its session ended.
        stopped: whether it is to end at its next breath.
        number: of the request that asked for it.
    """

    session: str
    channel: str
    priority: Priority
    perform: Callable[[Callable[[], None]], None]
    dropped: Callable[[], None]
    stopped: bool = False
    number: int = 0


@dataclass
class Compute:
    """Represent the thread that computes. Methods may be called from any thread.

    Attributes:
        on_fault: called with an error that work let through, which is a fault of the program.
    """

    on_fault: Callable[[BaseException], None]
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _waiting: dict[tuple[str, str], Work] = field(default_factory=dict)
    _running: list[Work] = field(default_factory=list)
    _ended: bool = False
    _turns: dict[str, int] = field(default_factory=dict)  # of each session, when it was served last
    _turn: int = 0
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="ganstrata-compute", daemon=True)
        self._thread.start()

    def end(self, seconds: float = 5.0) -> None:
        """Stop all work, and wait for the thread for some seconds: a step of a search may take longer."""
        with self._changed:
            self._ended = True
            for work in self._running:
                work.stopped = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
            self._changed.notify_all()
        for work in waiting:
            work.dropped()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def submit(self, work: Work) -> None:
        """Add work to the queue; it replaces what waits for the same session and channel."""
        with self._changed:
            key = (work.session, work.channel)
            replaced, ended = self._waiting.get(key), self._ended
            if not ended:
                self._waiting[key] = work
                # What is under way on the channel answers a question that nobody asks any more.
                for other in self._running:
                    if (other.session, other.channel) == key:
                        other.stopped = True
            self._changed.notify_all()
        if replaced is not None:
            replaced.dropped()
        if ended:
            work.dropped()

    def stop(
        self,
        session: str,
        channel: str | None = None,
        number: int | None = None,
        *,
        before: Priority | None = None,
    ) -> None:
        """Stop the work of a session: on one channel or on all, of one request or of all.

        Args:
            session: its id.
            channel: the channel, None for all.
            number: of the request, None for all.
            before: stop only what matters more than this.
        """

        def meant(work: Work) -> bool:
            return (
                work.session == session
                and channel in (None, work.channel)
                and number in (None, work.number)
                and (before is None or work.priority < before)
            )

        with self._changed:
            for work in self._running:
                work.stopped = work.stopped or meant(work)
            keys = [key for key, work in self._waiting.items() if meant(work)]
            dropped = [self._waiting.pop(key) for key in keys]
        for work in dropped:
            work.dropped()

    def waiting(self, session: str) -> int:
        """Return how much work of a session waits."""
        with self._changed:
            return sum(key[0] == session for key in self._waiting)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if self._ended:
                    return
                work = self._next(Priority.JOB)
            if work is not None:
                self._perform(work)

    def _next(self, below: Priority) -> Work | None:
        """Take the next work that matters as much as `below` or more; the condition is held."""
        fitting = [work for work in self._waiting.values() if work.priority <= below]
        if not fitting:
            return None
        # Of equals the tab that has waited longest for its turn, and of one tab the first in the queue.
        first = min(fitting, key=lambda work: (work.priority, self._turns.get(work.session, 0)))
        del self._waiting[first.session, first.channel]
        self._turn += 1
        self._turns[first.session] = self._turn
        if len(self._turns) > MOST_TURNS:
            del self._turns[min(self._turns, key=lambda session: self._turns[session])]
        self._running.append(first)
        return first

    def _perform(self, work: Work) -> None:
        try:
            work.perform(lambda: self._breathe(work))
        except Stopped:
            work.dropped()
        except BaseException as error:
            with suppress(Exception):  # where faults are told may be closed; the other tabs go on
                self.on_fault(error)
        finally:
            with self._changed:
                self._running.remove(work)

    def _breathe(self, work: Work) -> None:
        """Do what waits and matters more than `work`.

        Raises:
            Stopped: the work is to end.
        """
        while True:
            if work.stopped:
                raise Stopped
            with self._changed:
                urgent = self._next(Priority(work.priority - 1)) if work.priority else None
            if urgent is None:
                return
            # A search computes gradients around its steps; what interrupts it must not add to them. It may
            # keep tensors for later searches, which could not use those of inference mode.
            with torch.inference_mode(False), torch.no_grad():
                self._perform(urgent)


class Pace:
    """Say when a new message is due, so that a fast job does not flood the page.

    Args:
        every: seconds between two messages.
        clock: returns the time in seconds.
    """

    def __init__(self, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock, self._last = every, clock, -1e9

    def due(self) -> bool:
        """Return whether a message is due, and if so count it as sent."""
        now = self._clock()
        if now - self._last < self._every:
            return False
        self._last = now
        return True
