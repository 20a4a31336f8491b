"""Ctrl-C where it may not come: in the middle of a step that must be whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def defer_interrupt() -> Iterator[None]:
    """Ctrl-C waits until this is over; also a decorator.

    Only the main thread is ever interrupted, and only where Python's own handler is in force: elsewhere
    this does nothing. Blocking the signal would not do, because another thread would take it.

    Raises:
        KeyboardInterrupt: after the block, if Ctrl-C came during it.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    came = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: came.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came.is_set():
        raise KeyboardInterrupt
