"""Turn errors into a message and an exit code: 2 for user errors, 1 for failures, 130 for Ctrl-C."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..core.errors import GanstrataError
from ..core.messages import MESSAGE, message, visible
from . import streams

INTERRUPTED = 130
OUTPUT_CLOSED = 141  # the reader of the output has gone: 128 and the number of SIGPIPE
TRACEBACK = "GANSTRATA_TRACEBACK"  # the environment variable that asks for whole tracebacks


class BrokenPipe(Exception):
    """Represent a broken pipe for click, which would silently end the process at a BrokenPipeError."""

    def __init__(self, error: BrokenPipeError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def unhidden() -> Iterator[None]:
    """Pass a broken pipe through click.

    Raises:
        BrokenPipe: in place of a BrokenPipeError.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise BrokenPipe(error) from error


@contextmanager
def reported(after_interruption: str = "") -> Iterator[None]:
    """Report the errors of ganstrata without a traceback.

    Args:
        after_interruption: sentence to add to the message of an interruption.
    """
    try:
        yield
    except GanstrataError as error:
        show_traceback(error)
        raise _stop(str(error), error.exit_code) from None
    except KeyboardInterrupt:
        streams.no_more_interruptions()
        raise _stop(
            "interrupted. " + after_interruption if after_interruption else "interrupted.", INTERRUPTED
        ) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _stop(f"the disk is full: {error}. Earlier results are kept.", 1) from None


def show_traceback(error: BaseException) -> None:
    """Write the whole traceback if the environment variable GANSTRATA_TRACEBACK is 1."""
    if os.environ.get(TRACEBACK) == "1":
        streams.tell("".join(traceback.format_exception(error)), limit=None)


def clean(text: str, *, lines: bool = True) -> str:
    r"""Return untrusted text shortened, with the characters escaped that control the terminal.

    >>> clean("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return message(text) if lines else visible(text, MESSAGE)


def _stop(text: str, code: int) -> click.exceptions.Exit:
    streams.tell(f"Error: {text}")
    return click.exceptions.Exit(code)
