"""Defer Ctrl-C while a step runs that must not be interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def defer_interrupt() -> Iterator[None]:
    """Defer Ctrl-C until the end of the block. Can also be used as a decorator.

    This has an effect only in the main thread, and only if Python's default handler is installed. Blocking
    the signal instead would not help, because another thread would receive it.

    Raises:
        KeyboardInterrupt: after the block, if Ctrl-C was pressed during it.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted.is_set():
        raise KeyboardInterrupt
