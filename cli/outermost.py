"""The outermost frame of every command: however it ends, in a few lines at most, and with the right exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from ..core.text import message, visible
from . import streams
from .errors import ENOUGH, INTERRUPTED, TRACEBACK, BrokenPipe, show_traceback

USAGE = 1_500  # characters of what is wrong with an option, beside the usage
HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())  # its text is a command's help
ROOT = Path(__file__).resolve().parents[1]


def exit_code(perform: Callable[[], int | None], *, own_process: bool) -> int:
    """Perform a command, and say what went wrong.

    Args:
        perform: gives the exit code, or None for 0.
        own_process: whether the process ends with the command, so that its streams and signals may be changed.
    """
    if own_process:
        streams.prepare()
    try:
        code = perform() or 0
        sys.stdout.flush()
    except click.ClickException as error:
        if not isinstance(error, HELP):
            error.message = message(error.message, USAGE)  # type: ignore[misc]  # there is no other way to shorten it
        with suppress(OSError, ValueError):
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        streams.no_more_interruptions()
        streams.tell("Error: interrupted.")
        return INTERRUPTED
    except BrokenPipe as error:
        return _failed_by(error.error)
    except OSError as error:
        return _failed_by(error)
    except MemoryError:
        streams.tell("Error: it needs more memory than there is. What was computed before is kept.")
        return 1
    except Exception as error:
        show_traceback(error)
        streams.tell(internal_error(error))
        return 1
    finally:
        streams.no_more_interruptions()  # which would only spoil the end of the process
    return code


def internal_error(error: Exception) -> str:
    """What to say of an exception that nobody expected: its kind, its text, and where in ganstrata it arose."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if ROOT in Path(frame.filename).parents
    ]
    place = (
        f" ({Path(frames[-1].filename).relative_to(ROOT).as_posix()}, line {frames[-1].lineno}, in {frames[-1].name})"
        if frames
        else ""
    )
    return (
        f"Error: this is a mistake in ganstrata, not yours: {type(error).__name__}: {visible(str(error), 500)}{place}\n"
        f"Please report it with this line and the command; {TRACEBACK}=1 shows the whole traceback. What was computed before is kept."
    )


def _failed_by(error: OSError) -> int:
    """The exit code after an error of the system, which is told unless whoever was reading has enough."""
    if isinstance(error, BrokenPipeError) and streams.has_no_reader(sys.stdout):
        streams.abandon(sys.stdout)
        return ENOUGH
    streams.tell(f"Error: {_system_error(error)}")
    if error.filename is None:
        streams.abandon(sys.stdout)
    return 1


def _system_error(error: OSError) -> str:
    reason = error.strerror or visible(str(error), 500)
    if error.filename is not None:
        return f"{visible(str(error.filename))}: {reason}"
    where = "the output" if error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EPIPE) else "a file"
    return f"cannot write {where}: {reason}. What was computed before is kept."
