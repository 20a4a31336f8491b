"""Name the coordinates of z that a network was trained to give a meaning of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class PriorCode:
    """Represent a code of a network's prior: neighbouring coordinates of z, as InfoGAN has them.

    Attributes:
        name: name of the code; a part of the names of its directions.
        start: its first coordinate, from 0.
        stop: one past its last coordinate.
        categorical: whether the coordinates are one-hot, 1 at one of the categories and 0 at the others. If
            not, each is a number of its own.

    >>> PriorCode("digit", 0, 10, categorical=True).width
    10
    """

    name: str
    start: int
    stop: int
    categorical: bool = False

    @property
    def width(self) -> int:
        """Return the number of coordinates."""
        return self.stop - self.start


def fault_of_codes(codes: Iterable[PriorCode], size: int) -> str:
    """Return what is wrong with the codes of a prior of `size` coordinates; empty if nothing is.

    >>> fault_of_codes([PriorCode("digit", 0, 10), PriorCode("tilt", 9, 10)], 62)
    "'tilt' begins at 9, but the code before ends at 10"
    """
    end, names = 0, set()
    for code in sorted(codes, key=lambda code: code.start):
        least = 2 if code.categorical else 1
        if code.start < end:
            return f"'{code.name}' begins at {code.start}, but the code before ends at {end}"
        if code.stop > size or code.width < least:
            return f"'{code.name}' has coordinates {code.start} to {code.stop - 1} of {size}"
        if code.name in names:
            return f"two codes are called '{code.name}'"
        names.add(code.name)
        end = code.stop
    return ""
