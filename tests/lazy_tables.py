"""Tables that are computed when they are read, and the memory that reading them takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
from ganstrata.core.storage.rows import Rows


class Lazy:
    """A table that is computed when its rows are read, as one on disk is."""

    def __init__(self, shape: tuple[int, ...], rows: Callable[[int, int], np.ndarray]) -> None:
        self.shape, self._rows = shape, rows

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self.shape[0])
        return self._rows(start, stop)


def of_array(array: np.ndarray) -> Rows:
    return Lazy(array.shape, lambda start, stop: array[start:stop].copy())


def peak_of(work: Callable[[], object]) -> int:
    """Return the most bytes that were allocated at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
