"""Notes of worker processes in shared memory, which the first process reads after one of them has died."""

from __future__ import annotations

import os
from multiprocessing.context import BaseContext
from typing import Any

from ..plugins.activity import SIZE, text_of


class WorkerNotes:
    """Hold for each worker its process number, whether it has begun, and the plugin that it is calling.

    It can be handed to processes when they start.
    """

    def __init__(self, context: BaseContext, workers: int) -> None:
        self._taken: Any = context.Value("i", 0)
        self._pids: Any = context.RawArray("q", workers)
        self._ready: Any = context.RawArray("b", workers)
        self._calls: list[Any] = [context.RawArray("c", SIZE) for _ in range(workers)]
        self._place = 0  # of this process

    def claim(self) -> Any:
        """Take a place for this process, and return the array of its notes."""
        with self._taken.get_lock():
            self._place = self._taken.value
            self._taken.value += 1
        self._pids[self._place] = os.getpid()
        return self._calls[self._place]

    @property
    def place(self) -> int:
        """Number of this process among the workers, from 0."""
        return self._place

    def is_ready(self) -> None:
        """Note that this process has built its plugins."""
        self._ready[self._place] = 1

    def has_ready(self) -> bool:
        """Return whether some worker has built its plugins."""
        return any(self._ready)

    def any_call(self) -> str:
        """Return a plugin that some worker is calling; empty if there is none."""
        return next(filter(None, self.calls().values()), "")

    def calls(self) -> dict[int, str]:
        """Return the plugin that each worker is or was calling, by process number; empty for none."""
        return {pid: text_of(call) for pid, call in zip(self._pids, self._calls, strict=True) if pid}
