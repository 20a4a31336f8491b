"""What reading a file may cost, and the ways in which it fails. Everything is bounded by the size of the file."""

from __future__ import annotations

STEPS = 2_000_000  # operations of a pickle; published checkpoints take some ten thousand
DEPTH = 64  # of modules in modules, of settings in settings
DIMENSIONS = 16  # of a tensor
EXTENT = 2**31  # of a dimension; of tensors without numbers the file says nothing else that bounds it
TENSORS = 50_000  # of a file; the largest published checkpoints have some 20,000
LENGTH = 300  # characters of a tensor's name
NAMES = 4_000_000  # characters of the names of all tensors
SLACK = 4  # data may be kept in another form, but not claim more than this many times the file
SHARED = (
    3  # times the file: what all tensors may claim that look at the same numbers, since each may be copied
)
SPARE = 2**24  # bytes that small files may take beyond that


class Damaged(Exception):
    """The bytes do not make sense; the message says where."""


class Refused(Exception):
    """The file makes sense, but is not read here; the message says why, and what to do."""


class Budget:
    """Counts what reading a file of `size` bytes takes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._steps = STEPS
        self._bytes = size
        self._copies = SLACK * size + SPARE
        self._held = 2 * TENSORS

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

    def hold(self) -> None:
        """Pay for a tensor, an array, or the storage of one, which take memory and time even without numbers.

        Raises:
            Refused: there are more than a checkpoint has.
        """
        self._held -= 1
        if self._held < 0:
            raise Refused(f"it has more than {TENSORS} tensors, which no checkpoint has")
