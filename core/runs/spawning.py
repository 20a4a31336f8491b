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
MEMORY = "run the same command again, with a smaller synthesis.batch_size or fewer engine.workers"


def end_if_imported_again() -> None:
    """End this process if it is a worker that is still importing the script of its parent.

    Raises:
        SystemExit: with the exit code NO_GUARD, which the parent knows.
    """
    # multiprocessing sets this attribute while a worker imports the main script.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        sys.exit(NO_GUARD)


def why_workers_ended(codes: Iterable[int | None]) -> str:
    """Return why a pool of workers broke, from the exit codes of its processes (None for a running one).

    >>> why_workers_ended([-15, 78])[:40]
    'a worker process ended unexpectedly: the'
    >>> print(why_workers_ended([3, None])[:68])
    a worker process ended unexpectedly (exit code 3). What was finished
    """
    known = [code for code in codes if code not in (None, 0)]
    if NO_GUARD in known:
        return f"a worker process ended unexpectedly: {GUARD}"
    # The pool terminates the other workers when one of them ends.
    first = next((code for code in known if code != -signal.SIGTERM), -signal.SIGTERM)
    reason = f" (exit code {first})" if first is not None and first > 0 else ", perhaps for lack of memory"
    return f"a worker process ended unexpectedly{reason}. What was finished is kept; {MEMORY}"
