"""Describe the process that holds a run, for the messages of another one that wants it."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Self

from ..errors import GanstrataError
from ..messages import visible

STALE = 600.0  # seconds without a sign of life, after which a process elsewhere counts as gone
BEAT = 60.0  # seconds between two signs of life
LATEST = 253_402_300_799  # seconds from 1970 to the end of the year 9999, after which no calendar goes


class Holder(NamedTuple):
    """Represent a process that holds a run.

    Attributes:
        host: name of its machine.
        pid: its number there.
        since: when it began, in seconds since 1970.
        beat: when it last gave a sign of life.
        token: distinguishes this hold from every other one.
    """

    host: str
    pid: int
    since: float
    beat: float
    token: str

    @classmethod
    def me(cls) -> Self:
        """Return this process, which begins to hold a run now."""
        now = time.time()
        return cls(socket.gethostname(), os.getpid(), now, now, os.urandom(8).hex())

    @classmethod
    def read(cls, content: bytes | None) -> Self | None:
        """Return the holder that a file describes, or None if it is missing or damaged."""
        try:
            data = json.loads(content or b"")
            holder = cls(
                str(data["host"]),
                int(data["pid"]),
                float(data["since"]),
                float(data["beat"]),
                str(data["token"]),
            )
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            return None
        times = (holder.since, holder.beat)
        return holder if all(math.isfinite(time) and 0.0 <= time <= LATEST for time in times) else None

    def text(self) -> bytes:
        """Return the content of the file that describes this holder now."""
        return json.dumps(self._replace(beat=time.time())._asdict()).encode()

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended: there is no such process here, or it has long given no sign of life."""
        if time.time() - self.beat > STALE:
            return True
        # Where processes are numbered anew, as in a container, a killed one had the number of this one.
        return self.is_here and (self.pid == os.getpid() or not process_exists(self.pid))

    def __str__(self) -> str:
        """Return it in words."""
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        where = "on this machine" if self.is_here else f"on {visible(self.host)}"
        return f"process {self.pid} {where}, since {began}"


@contextmanager
def beating(beat: Callable[[], object]) -> Iterator[None]:
    """Give a sign of life every BEAT seconds during the block."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(BEAT):
            with suppress(GanstrataError, OSError):  # it may be possible again at the next beat
                beat()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def process_exists(pid: int) -> bool:
    """Return whether there is a process of this number on this machine; True if that cannot be told."""
    if os.name == "nt":  # there, signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no process has a number beyond what the system counts
        return False
    except OSError:  # it is another user's
        return True
    return True
