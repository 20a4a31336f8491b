"""What reading a file may cost, and the ways in which it fails. Everything is bounded by the size of the file."""

from __future__ import annotations

STEPS = 2_000_000  # operations of a pickle; published checkpoints take some ten thousand
DEPTH = 64  # of modules in modules, of settings in settings
SLACK = 4  # tensors may share storage, but not claim more than this many times the file


class Damaged(Exception):
    """The bytes do not make sense; the message says where."""


class Refused(Exception):
    """The file makes sense, but is not read here; the message says why, and what to do."""


def printable(text: str) -> str:
    """Text out of a file, for messages: short, and without signs that move the cursor."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])


class Budget:
    """Counts what reading a file of `size` bytes takes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._steps = STEPS
        self._bytes = size
        self._copies = SLACK * size

    def step(self, count: int = 1) -> None:
        """Pay for operations.

        Raises:
            Refused: there are more than a checkpoint has.
        """
        self._steps -= count
        if self._steps < 0:
            raise Refused(f"its pickle takes more than {STEPS} steps, which no checkpoint does")

    def copy(self, count: int) -> None:
        """Pay for bytes that are stored in another form.

        Raises:
            Damaged: they are more than the file has, several times.
        """
        self._copies -= count
        if self._copies < 0:
            raise Damaged(f"its data claim more than the {self.size} bytes that the file has")

    def take(self, count: int) -> None:
        """Pay for the numbers of a tensor or an array, before they are stored.

        Raises:
            Damaged: all tensors together claim more bytes than the file has.
        """
        self._bytes -= count
        if self._bytes < 0:
            raise Damaged(f"its tensors claim more than the {self.size} bytes that the file has")
