"""Write in a thread of its own while the next results are computed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec

P = ParamSpec("P")


class Background:
    """Call one function after the other in one thread; each call waits for the one before.

    So at most one call is going on, and memory holds what it writes and what is computed meanwhile. An error
    of a call is raised by the next one, or at the end of the `with` block, which waits for the last call. If
    the block itself fails, or is interrupted, a call that has begun is finished, and its error is not shown.

    Args:
        alone: whether the thread of the caller makes the calls itself, at once.

    >>> lines = []
    >>> with Background() as background:
    ...     background(lines.append, "first")
    ...     background(lines.append, "second")
    >>> lines
    ['first', 'second']
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._pool = None if alone else ThreadPoolExecutor(1, "writer")
        self._going_on: Future[object] | None = None

    def __enter__(self) -> Background:
        return self

    def __call__(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Wait for the call before this one, and begin this one.

        Raises:
            Exception: what the call before raised; then this one is not made.
        """
        if self._pool is None:
            function(*args, **kwargs)
            return
        self._finish()
        self._going_on = self._pool.submit(function, *args, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=True)

    def _finish(self) -> None:
        going_on, self._going_on = self._going_on, None
        if going_on is not None:
            going_on.result()
