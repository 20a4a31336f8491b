"""NumPy's files of one array, also of those that hold a pickled dictionary, as the boundaries of earlier work do."""

from __future__ import annotations

import io
import math
import warnings
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..text import shown, visible
from .arrays import KINDS, Array, are_sizes, numbers
from .limits import DEPTH, Budget, Damaged, Refused
from .machine import Machine
from .names import Allowed

MAGIC = b"\x93NUMPY"
HEADER = 64 * 1024  # bytes, more than any header has


def read_npy(path: Path) -> Any:
    """The array in a file, or the one object in it: dictionaries, lists and tuples of arrays, numbers and text.

    A pickle in it is read as those of checkpoints are: nothing that it names is imported or called.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or no such file.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):  # about headers that Python 2 wrote
            if file.read(len(MAGIC)) != MAGIC:
                raise Refused("it does not begin as NumPy's files do")
            content = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
            return read_array(content, Budget(len(content)))
    except Refused as error:
        raise CheckpointError(f"{path} is no array that can be read: {error}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # headers that are no Python raise many things
        reason = str(error) if isinstance(error, Damaged) else f"{type(error).__name__}: {visible(str(error))}"
        raise CheckpointError(f"{path} looks like a NumPy array but is damaged or cut short; nothing in it was run: {reason}") from None


def read_array(data: memoryview, budget: Budget) -> Any:
    """What the bytes of such a file hold; see `read_npy`."""
    start = io.BytesIO(data[:HEADER])
    version = np.lib.format.read_magic(start)
    if version not in ((1, 0), (2, 0)):
        raise Refused(f"it is of version {version[0]}.{version[1]}; 1.0 and 2.0 are read")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(start)
    if not are_sizes(shape, 2**48):
        raise Damaged(f"an array of shape {shown(shape)}")
    body = data[start.tell() :]
    if dtype == np.dtype(object):
        return _plain(Machine(body, Allowed(budget, objects=True), budget).run(), 0, budget)
    if not KINDS.fullmatch(dtype.str[1:]) or not dtype.itemsize:
        raise Refused(f"it is an array of type {visible(str(dtype))}; numbers and text are read")
    length = math.prod(shape) * dtype.itemsize
    return numbers(body[:length], dtype, shape, budget, fortran=fortran)


def _plain(value: Any, depth: int, budget: Budget) -> Any:
    """The object, with arrays in place of what stands for them."""
    budget.step()
    if depth > DEPTH:
        raise Refused("what it holds is nested without end")
    if isinstance(value, Array):
        return value.values if isinstance(value.values, np.ndarray) else _plain(value.values, depth + 1, budget)
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1, budget) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item, depth + 1, budget) for item in value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise Refused(f"it holds a {type(value).__name__}; arrays, numbers, text, lists and dictionaries are read")
