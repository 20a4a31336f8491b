"""Limit the time and memory that reading a file may take, in proportion to its size."""

from __future__ import annotations

STEPS = 2_000_000  # operations of a pickle; published checkpoints take about ten thousand
DEPTH = 64  # nesting of modules and of settings
DIMENSIONS = 16  # dimensions of a tensor
EXTENT = 2**31  # size of a dimension; nothing else bounds the shape of a tensor without elements
TENSORS = 50_000  # tensors in a file; the largest published checkpoints have about 20,000
LENGTH = 300  # characters of a tensor's name
NAMES = 4_000_000  # characters of the names of all tensors
SLACK = 4  # size of data stored in another form, as a multiple of the file size
SHARED = 3  # size of all tensors that share storages, as a multiple of the file size: each may be copied
SPARE = 2**24  # extra bytes on top of SLACK, for small files


class Damaged(Exception):
    """Signal that the bytes of a file make no sense; the message says where."""


class Refused(Exception):
    """Signal that a file is valid but not supported or not safe; the message says why and what to do."""


class Budget:
    """Count the time and memory that reading a file takes, and stop it at the limits.

    Args:
        size: bytes of the file.

    Attributes:
        foreign: names of packages that are not known here, in the order in which the file has them.
        unnamed: number of tensors that are left out of state dicts, since their names are no names.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.foreign: dict[str, None] = {}
        self.unnamed = 0
        self._steps = STEPS
        self._bytes = size
        self._copies = SLACK * size + SPARE
        self._objects = 2 * TENSORS

    def step(self, count: int = 1) -> None:
        """Count operations of a pickle.

        Raises:
            Refused: there are more than any checkpoint needs.
        """
        self._steps -= count
        if self._steps < 0:
            raise Refused(f"its pickle takes more than {STEPS} steps, which no checkpoint does")

    def copy(self, count: int) -> None:
        """Count bytes that are copied into another form.

        Raises:
            Damaged: they exceed `SLACK` times the file size, plus `SPARE`.
        """
        self._copies -= count
        if self._copies < 0:
            raise Damaged(f"its data claim more than the {self.size} bytes that the file has")

    def take(self, count: int) -> None:
        """Count the bytes of a tensor or an array before memory for them is allocated.

        Raises:
            Damaged: all tensors together claim more bytes than the file has.
        """
        self._bytes -= count
        if self._bytes < 0:
            raise Damaged(f"its tensors claim more than the {self.size} bytes that the file has")

    def hold(self) -> None:
        """Count a tensor, an array or a storage; each takes memory and time even without elements.

        Raises:
            Refused: there are more than any checkpoint has.
        """
        self._objects -= 1
        if self._objects < 0:
            raise Refused(f"it has more than {TENSORS} tensors, which no checkpoint has")
