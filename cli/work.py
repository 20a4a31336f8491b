"""What every command that computes shares: its errors, its progress and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import reported

if TYPE_CHECKING:
    from ..core.runs.progress import Progress


@contextmanager
def working(kept: str, *, quiet: bool) -> Iterator[Progress]:
    """Report errors without a traceback, and hand out the progress to show.

    Args:
        kept: what to say after an interruption about what is kept.
        quiet: whether to show nothing.
    """
    with reported(kept):
        from ..core.runs.malloc import keep_freed_memory
        from ..core.runs.progress import Progress

        keep_freed_memory()
        yield Progress(quiet=quiet)
