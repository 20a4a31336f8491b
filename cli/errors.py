"""Turns errors into one message and an exit code: 2 for the user's mistakes, 1 for failures, 130 for Ctrl-C."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..core.errors import GanstrataError
from ..core.text import MESSAGE, message, visible
from . import streams

INTERRUPTED = 130
ENOUGH = 141  # whoever was reading the output has gone: 128 and the number of SIGPIPE
TRACEBACK = "GANSTRATA_TRACEBACK"  # the environment variable that asks for whole tracebacks


class BrokenPipe(Exception):
    """A broken pipe under a name that click lets pass: it ends the process at any, whosever it is, without a word."""

    def __init__(self, error: BrokenPipeError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def unhidden() -> Iterator[None]:
    """Let a broken pipe pass through click.

    Raises:
        BrokenPipe: instead of it.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise BrokenPipe(error) from error


@contextmanager
def reported(kept: str = "") -> Iterator[None]:
    """Report what ganstrata raises without a traceback.

    Args:
        kept: what to say after an interruption about what is kept.
    """
    try:
        yield
    except GanstrataError as error:
        show_traceback(error)
        raise _stop(str(error), error.exit_code) from None
    except KeyboardInterrupt:
        streams.no_more_interruptions()
        raise _stop("interrupted. " + kept if kept else "interrupted.", INTERRUPTED) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _stop(f"the disk is full: {error}. What was computed before is kept.", 1) from None


def show_traceback(error: BaseException) -> None:
    """Write the whole traceback before the message, where GANSTRATA_TRACEBACK=1 asks for it."""
    if os.environ.get(TRACEBACK) == "1":
        streams.tell("".join(traceback.format_exception(error)), limit=None)


def clean(text: str, *, lines: bool = True) -> str:
    r"""Return text that may come out of a file with the signs escaped that move the cursor or colour the terminal, and not too long.

    >>> clean("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return message(text) if lines else visible(text, MESSAGE)


def _stop(text: str, code: int) -> click.exceptions.Exit:
    streams.tell(f"Error: {text}")
    return click.exceptions.Exit(code)
