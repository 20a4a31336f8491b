"""Decide when smaller pictures are shown, from how long whole ones took."""

from __future__ import annotations

import statistics
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

SLOW = 0.08  # seconds of a picture from which on smaller ones are shown while a slider moves
VERY_SLOW = 3 * SLOW
REMEMBERED = 5  # last pictures of which the median counts, so that one that was held up does not
MOST_KEYS = 64  # sliders that are remembered; a slider with other layers is another one
AGAIN = 40  # smaller pictures after which whole ones are tried again


@dataclass
class _Pace:
    """Hold how long the last whole pictures of a slider took, and how many smaller ones came since."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    smaller: int = 0


class Tempo:
    """Remember how long whole pictures took, for each slider: those of late layers are quicker."""

    def __init__(self) -> None:
        self._paces: OrderedDict[Hashable, _Pace] = OrderedDict()

    def note(self, key: Hashable, seconds: float) -> None:
        """Note how long a whole picture took.

        The first of a key is left out: it computes what all that follow begin with.
        """
        if key in self._paces:
            self._paces.move_to_end(key)
            self._paces[key].seconds.append(seconds)
            return
        self._paces[key] = _Pace()
        if len(self._paces) > MOST_KEYS:
            self._paces.popitem(last=False)

    def divisor(self, key: Hashable) -> int:
        """Return by what to divide the size of the next picture: 1, 2 or 4.

        >>> tempo = Tempo()
        >>> for seconds in (0.9, 0.1, 0.12, 0.11):
        ...     tempo.note("bedroom", seconds)
        >>> tempo.divisor("bedroom"), tempo.divisor("daylight")
        (2, 1)
        """
        pace = self._paces.get(key)
        if pace is None or not pace.seconds:
            return 1
        seconds = statistics.median(pace.seconds)
        if seconds < SLOW:
            return 1
        pace.smaller += 1
        if pace.smaller > AGAIN:
            pace.smaller = 0
            pace.seconds.clear()
            return 1
        return 2 if seconds < VERY_SLOW else 4
