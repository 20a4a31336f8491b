"""Decide when previews are smaller than the picture, from how long whole pictures took."""

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
FIRST = 8  # the same for a slider of which no picture was timed yet


@dataclass
class _Pace:
    """Hold how long the last whole pictures of a slider took, and how many smaller ones came since.

    Attributes:
        seconds: of whole pictures but the first, which computes what all that follow begin with.
        begun: whether there was a first.
        smaller: how many smaller ones were shown since the last whole one.
    """

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    begun: bool = False
    smaller: int = 0


class PreviewSize:
    """Remember how long whole pictures took, for each slider: those of late layers are quicker.

    Args:
        expected: seconds that a picture takes whose slider was not timed yet.
    """

    def __init__(self, expected: float = 0.0) -> None:
        self._paces: OrderedDict[Hashable, _Pace] = OrderedDict()
        self._expected = expected

    def note(self, key: Hashable, seconds: float) -> None:
        """Note how long a whole picture took; the first of a key counts for nothing."""
        pace = self._pace(key)
        if pace.begun:
            pace.seconds.append(seconds)
        pace.begun = True

    def seconds(self, key: Hashable) -> float:
        """Return how long the next whole picture will take, as far as that is known."""
        pace = self._paces.get(key)
        return statistics.median(pace.seconds) if pace is not None and pace.seconds else self._expected

    def divisor(self, key: Hashable) -> int:
        """Return by what to divide the size of the next picture: 1, 2 or 4.

        >>> preview = PreviewSize()
        >>> for seconds in (0.9, 0.1, 0.12, 0.11):
        ...     preview.note("bedroom", seconds)
        >>> preview.divisor("bedroom"), preview.divisor("daylight")
        (2, 1)
        """
        seconds = self.seconds(key)
        if seconds < SLOW:
            return 1
        pace = self._pace(key)
        pace.smaller += 1
        if pace.smaller > (AGAIN if pace.seconds else FIRST):
            pace.smaller = 0
            pace.seconds.clear()
            return 1
        return 2 if seconds < VERY_SLOW else 4

    def _pace(self, key: Hashable) -> _Pace:
        """Return what is known of a slider, the last one that was used; the one used longest ago goes."""
        pace = self._paces.setdefault(key, _Pace())
        self._paces.move_to_end(key)
        if len(self._paces) > MOST_KEYS:
            self._paces.popitem(last=False)
        return pace
