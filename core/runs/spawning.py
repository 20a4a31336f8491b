"""Explain why worker processes end, such as that of a script without a `__main__` guard."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterable

NO_GUARD = 78  # exit code of a worker that runs the script of its parent again

GUARD = (
    "the script that called ganstrata runs again in every worker process, because the call is not under\n"
    '  if __name__ == "__main__":\n'
    "Put the call there, or set engine.workers to 1."
)
CRASH = (
    "this is a fault of the plugin, or of a library that it uses. With engine.workers=1 no worker is needed"
)
MEMORY = "run the same command again, with a smaller synthesis.batch_size or fewer engine.workers"


def end_if_imported_again() -> None:
    """End this process if it is a worker that is still importing the script of its parent.

    Raises:
        SystemExit: with the exit code NO_GUARD, which the parent knows.
    """
    # multiprocessing sets this attribute while a worker imports the main script.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        sys.exit(NO_GUARD)


def why_workers_ended(ends: Iterable[tuple[int | None, str]]) -> str:
    """Return why a pool of workers broke.

    Args:
        ends: for each process its exit code, None for a running one, and the plugin that it was calling, or
            an empty text.

    >>> why_workers_ended([(-15, ""), (78, "")])[:40]
    'a worker process ended unexpectedly: the'
    >>> print(why_workers_ended([(3, "scorer 'hue' (score)"), (None, "")])[:88])
    a worker process ended unexpectedly (exit code 3) while it called scorer 'hue' (score).
    """
    known = [(code, call) for code, call in ends if code is not None]
    if NO_GUARD in [code for code, _ in known]:
        return f"a worker process ended unexpectedly: {GUARD}"
    # The pool ends the other workers by SIGTERM when one of them ends.
    code, call = next((end for end in known if end[0] != -signal.SIGTERM), (-signal.SIGTERM, ""))
    place = f" while it called {call}" if call else ""
    return (
        f"a worker process ended unexpectedly ({_end_in_words(code)}){place}. What was finished is kept; "
        + (CRASH if code != -getattr(signal, "SIGKILL", 9) and call else MEMORY)
    )


def _end_in_words(code: int) -> str:
    """Return an exit code in words; a negative one is that of a signal."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"signal {name}" + (", perhaps for lack of memory" if name == "SIGKILL" else "")


def late_message(seconds: float, call: str) -> str:
    """Return the message for workers of which none has begun in this time.

    Args:
        seconds: that were waited.
        call: the plugin that one of them is calling, or an empty text.
    """
    place = f"; one is still calling {call}" if call else ""
    return (
        f"no worker process was ready after {seconds:.0f} seconds{place}. What was finished is kept; {CRASH}"
    )
