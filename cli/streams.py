"""Write to standard streams safely, even if they are closed, full, broken or of a limited encoding."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from contextlib import suppress
from typing import TextIO

import click

from ..core.messages import MESSAGE, escaped, message

_ours = False  # whether this process and its signals are the command's


def prepare() -> None:
    """Make it safe to write to the standard streams of this process.

    A closed stream is connected to the null device, so that no file opened later gets its number and with it
    the output of libraries. Characters that the encoding lacks are escaped.
    """
    global _ours
    _ours = True
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            # The stream stays open as long as the process.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Write a line to standard output."""
    click.echo(escaped(text, lines=True))


def tell(text: str, *, limit: int | None = MESSAGE) -> None:
    """Write a message to standard error, or nothing if that fails; the exit code reports the error too."""
    with suppress(OSError, ValueError):
        click.echo(escaped(text, lines=True) if limit is None else message(text, limit), err=True)
        sys.stderr.flush()


def has_no_reader(stream: TextIO) -> bool:
    """Return whether the reader of a stream has gone; True if the system cannot say."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLERR)
        return bool(poll.poll(0))
    except (
        AttributeError,
        OSError,
        ValueError,
    ):  # Windows has no poll(), and some streams are not files
        return True


def abandon(stream: TextIO) -> None:
    """Discard what a stream still holds, because Python would fail on it again at exit."""
    if not _ours:
        return
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def no_more_interruptions() -> None:
    """Ignore Ctrl-C from here on, because the process is about to end by itself."""
    if _ours and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # CPython remembers a Ctrl-C that comes while it evaluates text, as dataclasses do, and would end by
        # the signal although the exception was handled. Evaluating any text makes it forget.
        exec("")
