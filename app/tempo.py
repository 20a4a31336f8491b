"""Decide when smaller pictures are shown, from how long whole ones took."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Hashable

SLOW = 0.08  # seconds of a picture from which on smaller ones are shown while a slider moves
VERY_SLOW = 3 * SLOW
REMEMBERED = 5  # last pictures of which the median counts, so that one that was held up does not
AGAIN = 40  # smaller pictures after which whole ones are tried again


class Tempo:
    """Remember how long whole pictures took, for each slider: those of late layers are quicker."""

    def __init__(self) -> None:
        self._seconds: dict[Hashable, deque[float]] = {}
        self._begun: set[Hashable] = set()
        self._smaller: dict[Hashable, int] = {}

    def note(self, key: Hashable, seconds: float) -> None:
        """Note how long a whole picture took.

        The first of a key is left out: it computes what all that follow begin with.
        """
        if key not in self._begun:
            self._begun.add(key)
            return
        self._seconds.setdefault(key, deque(maxlen=REMEMBERED)).append(seconds)

    def divisor(self, key: Hashable) -> int:
        """Return by what to divide the size of the next picture: 1, 2 or 4.

        >>> tempo = Tempo()
        >>> for seconds in (0.9, 0.1, 0.12, 0.11):
        ...     tempo.note("bedroom", seconds)
        >>> tempo.divisor("bedroom"), tempo.divisor("daylight")
        (2, 1)
        """
        known = self._seconds.get(key)
        if not known:
            return 1
        seconds = statistics.median(known)
        if seconds < SLOW:
            return 1
        self._smaller[key] = self._smaller.get(key, 0) + 1
        if self._smaller[key] > AGAIN:
            self._smaller[key] = 0
            known.clear()
            return 1
        return 2 if seconds < VERY_SLOW else 4
