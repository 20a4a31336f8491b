"""Describe the arrays of a file, take lists of numbers as arrays, and write plain .npy files."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import Inert
from ..messages import shown
from ..storage.disk import write_parts

LISTED = 4  # levels of lists that are taken as one array, at most


def as_array(value: Any) -> NDArray[Any] | None:
    """Return an array of real numbers, or a list of numbers or of equal arrays as one; None for others.

    >>> as_array([[1, 2.5], [3, 4]]).shape, as_array([[1], [2, 3]]), as_array(["1"]), as_array(True)
    ((2, 2), None, None, None)
    """
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind in "fiu" else None
    if not isinstance(value, list | tuple) or not len(value) or _shape(value, LISTED) is None:
        return None
    try:
        return np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None


def _shape(value: Any, depth: int) -> tuple[int, ...] | None:
    """Return the shape of a number, an array or a list of them; None if they are not of one shape."""
    if isinstance(value, np.ndarray):
        return value.shape if value.dtype.kind in "fiu" else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ()
    if not isinstance(value, list | tuple) or not len(value) or depth == 0:
        return None
    if all(type(item) in (int, float) for item in value):
        return (len(value),)
    first = _shape(value[0], depth - 1)
    if first is None or any(_shape(item, depth - 1) != first for item in value[1:]):
        return None
    return (len(value), *first)


def times(shape: tuple[int, ...]) -> str:
    """Write a shape as `2 x 8 x 512`.

    >>> times((2, 8)), times(())
    ('2 x 8', 'of one number')
    """
    return " x ".join(map(str, shape)) or "of one number"


class Streamed(NamedTuple):
    """Represent an array of which only a block of rows is in memory at a time.

    Attributes:
        shape: its shape, (N, ...).
        dtype: type of its numbers.
        blocks: returns its rows, in arrays of as many as are read together.

    >>> [len(part) for part in Streamed.of(np.zeros((2, 3), np.float32)).parts()]
    [128, 24]
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[NDArray[Any]]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Streamed:
        """Return an array that is in memory."""
        return cls(array.shape, array.dtype, lambda: iter([array]))

    def header(self) -> bytes:
        """Return the header of a .npy file.

        Raises:
            ValueError: the numbers are objects, which only a pickle could hold.
        """
        if self.dtype.hasobject:
            raise ValueError("Object arrays cannot be saved when allow_pickle=False")
        content = io.BytesIO()
        described = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": self.shape,
        }
        np.lib.format.write_array_header_1_0(content, described)
        return content.getvalue()

    def parts(self) -> Iterator[bytes]:
        """Yield the content of a .npy file: its header, then its rows in C order."""
        yield self.header()
        for block in self.blocks():
            yield block.tobytes()

    @property
    def bytes(self) -> int:
        """Size of the content of a .npy file."""
        return len(self.header()) + math.prod(self.shape) * self.dtype.itemsize


def write_array(path: Path, values: NDArray[Any] | Streamed) -> None:
    """Write an array as .npy, atomically and without a pickle.

    Raises:
        GanstrataError: the disk is full, or the folder is not writable.
    """
    write_parts(path, (values if isinstance(values, Streamed) else Streamed.of(values)).parts())


def describe(content: Any) -> str:
    """Describe the content of a file in a few words.

    >>> describe(np.zeros((2, 3), np.float32)), describe({"a": 1})
    ('an array (2, 3) of float32', "a dictionary of 'a'")
    """
    if isinstance(content, np.ndarray):
        return f"an array {content.shape} of {content.dtype}"
    if isinstance(content, Mapping):
        names = ", ".join(shown(name) for name in islice(content, 5))
        return "a dictionary of " + (names + (", ..." if len(content) > 5 else "") or "nothing")
    if isinstance(content, Inert):
        return content.words
    return f"a {type(content).__name__}"
