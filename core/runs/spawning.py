"""What a process must know of having been spawned: that a script without a guard runs once more in every worker."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterable

NO_GUARD = 78  # exit code of a worker in which the script has begun its work again

GUARD = (
    "the script that called ganstrata runs again in every worker process, because its work is not under\n"
    '  if __name__ == "__main__":\n'
    "Put the call there, or set engine.workers to 1."
)
MEMORY = "run the same command again, with a smaller synthesis.batch_size or fewer engine.workers"


def end_if_imported_again() -> None:
    """End this process quietly if it is a worker that is still importing the script which started it.

    Raises:
        SystemExit: it is; the parent knows the exit code.
    """
    # As multiprocessing itself tells it; only then does it know the parent.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        sys.exit(NO_GUARD)


def why_workers_ended(codes: Iterable[int | None]) -> str:
    """Say why a pool of workers broke, from the exit codes of its processes; None is one that still runs.

    >>> why_workers_ended([-15, 78])[:40]
    'a worker process ended unexpectedly: the'
    >>> print(why_workers_ended([3, None])[:68])
    a worker process ended unexpectedly (exit code 3). What was finished
    """
    known = [code for code in codes if code not in (None, 0)]
    if NO_GUARD in known:
        return f"a worker process ended unexpectedly: {GUARD}"
    # The others are terminated when one of them ends.
    first = next((code for code in known if code != -signal.SIGTERM), -signal.SIGTERM)
    reason = f" (exit code {first})" if first is not None and first > 0 else ", perhaps for want of memory"
    return f"a worker process ended unexpectedly{reason}. What was finished is kept; {MEMORY}"
