"""Run a command so that it always ends with at most a few lines of message and the right exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from ..core.messages import message, visible
from ..core.shortage import shortage
from . import streams
from .errors import INTERRUPTED, OUTPUT_CLOSED, TRACEBACK, BrokenPipe, show_traceback

USAGE = 1_500  # most characters of the message about an option
HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())  # its text is a command's help
ROOT = Path(__file__).resolve().parents[1]


def exit_code(perform: Callable[[], int | None], *, own_process: bool, quiet: bool) -> int:
    """Run a command, report its error, and return the exit code.

    Args:
        perform: runs the command and returns its exit code, or None for 0.
        own_process: whether the process ends with the command, so its streams and signals may be changed.
        quiet: whether to say nothing of slow plugins.
    """
    if own_process:
        streams.prepare()
    try:
        code = perform() or 0
        sys.stdout.flush()
    except click.ClickException as error:
        if not isinstance(error, HELP):
            # There is no other way to shorten it.
            error.message = message(error.message, USAGE)  # type: ignore[misc]
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
    except Exception as error:
        show_traceback(error)
        lacking = shortage(error)
        streams.tell(f"Error: {lacking}. Earlier results are kept." if lacking else internal_error(error))
        return 1
    finally:
        if not quiet:
            _name_slow_plugins()
        streams.no_more_interruptions()  # an interruption now would only disturb the exit
    return code


def _name_slow_plugins() -> None:
    """Write a line about each plugin that made the command wait, if plugins were loaded at all."""
    module = sys.modules.get("ganstrata.core.plugins.registry")
    if module is not None and module.registry.cache_info().currsize:
        for slow in module.registry().slow:
            streams.tell(f"Slow: {slow}")


def internal_error(error: Exception) -> str:
    """Return the message for an unexpected exception: its type, its text, and its place in ganstrata."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if ROOT in Path(frame.filename).parents
    ]
    place = ""
    if frames:
        file = Path(frames[-1].filename).relative_to(ROOT).as_posix()
        place = f" ({file}, line {frames[-1].lineno}, in {frames[-1].name})"
    return (
        f"Error: this is a mistake in ganstrata, not yours: "
        f"{type(error).__name__}: {visible(str(error), 500)}{place}\n"
        f"Please report it with this line and the command; {TRACEBACK}=1 shows the whole traceback. "
        "Earlier results are kept."
    )


def _failed_by(error: OSError) -> int:
    """Report a system error, unless it only says that the output has no reader, and return the exit code."""
    if isinstance(error, BrokenPipeError) and streams.has_no_reader(sys.stdout):
        streams.abandon(sys.stdout)
        return OUTPUT_CLOSED
    streams.tell(f"Error: {_system_error(error)}")
    if error.filename is None:
        streams.abandon(sys.stdout)
    return 1


def _system_error(error: OSError) -> str:
    reason = shortage(error) or error.strerror or visible(str(error), 500)
    if error.filename is not None:
        return f"{visible(str(error.filename))}: {reason}"
    where = "the output" if error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EPIPE) else "a file"
    return f"cannot write {where}: {reason}. Earlier results are kept."
