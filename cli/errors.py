"""Turns errors into one message and an exit code: 2 for the user's mistakes, 1 for failures, 130 for Ctrl-C."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..core.errors import GanstrataError
from ..core.text import MESSAGE, message, visible

INTERRUPTED = 130


@contextmanager
def reported(kept: str = "") -> Iterator[None]:
    """Report what ganstrata raises without a traceback.

    Args:
        kept: what to say after an interruption about what is kept.
    """
    try:
        yield
    except GanstrataError as error:
        raise _stop(str(error), error.exit_code) from None
    except KeyboardInterrupt:
        raise _stop("interrupted. " + kept if kept else "interrupted.", INTERRUPTED) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _stop(f"the disk is full: {error}. What was computed before is kept.", 1) from None


def clean(text: str, *, lines: bool = True) -> str:
    r"""Return text that may come out of a file with the signs escaped that move the cursor or colour the terminal, and not too long.

    >>> clean("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return message(text) if lines else visible(text, MESSAGE)


def _stop(text: str, code: int) -> click.exceptions.Exit:
    click.echo(clean(f"Error: {text}"), err=True)
    sys.stderr.flush()
    return click.exceptions.Exit(code)
