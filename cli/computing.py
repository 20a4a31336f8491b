"""Set up what every computing command needs: error messages, progress and memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from .errors import reported

if TYPE_CHECKING:
    from ..core.runs.progress import Progress


@contextmanager
def computing(after_interruption: str, *, quiet: bool) -> Iterator[Progress]:
    """Report errors without a traceback, and yield the progress display.

    Args:
        after_interruption: sentence to add to the message of an interruption.
        quiet: whether to show no progress.
    """
    with reported(after_interruption):
        from ..core.runs.malloc import keep_freed_memory
        from ..core.runs.progress import Progress

        keep_freed_memory()
        # What a plugin prints is not a result of the command.
        with redirect_stdout(sys.stderr):
            yield Progress(quiet=quiet)
