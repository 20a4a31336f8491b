"""Read .npy and .npz files, also those with a pickled dictionary, without running anything in them."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from ..errors import CheckpointError
from ..messages import shown, visible
from ..storage.disk import open_file
from .archive import member, opened
from .limits import DEPTH, Budget, Damaged, Refused
from .pickles.arrays import KINDS, Array, are_sizes, numbers
from .pickles.names import Allowed
from .pickles.unpickler import Unpickler

MAGIC = b"\x93NUMPY"
HEADER = 64 * 1024  # bytes; no header is longer
SUFFIX = ".npy"  # ending of the members of an archive
UNPACKED = 2**28  # unpacked bytes of a compressed archive, at most


def read_npy(path: Path) -> Any:
    """Return the content of an .npy file: an array, or one pickled object.

    The object may consist of dictionaries, lists and tuples of arrays, numbers and text. Its pickle is read
    like that of a checkpoint: nothing that it names is imported or called.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or not an .npy file.
    """
    with _error_context(path, "a NumPy array"), open_file(path) as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise Refused("it does not begin as NumPy's files do")
        content = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
        return read_npy_bytes(content, Budget(len(content)))


def read_npz(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the arrays of an .npz file that have one of the given names.

    If the file has none of them, return all names in the file, each with the value None.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or not an .npz file, or the arrays unpack to
            more bytes than both `UNPACKED` and the file size.
    """
    with _error_context(path, "a NumPy archive"), opened(path) as archive:
        members = {
            entry.filename.removesuffix(SUFFIX): entry.filename
            for entry in archive.infolist()
            if entry.filename.endswith(SUFFIX)
        }
        selected = {name: members[name] for name in names if name in members}
        limit = max(UNPACKED, path.stat().st_size)
        claimed = sum(archive.getinfo(inner).file_size for inner in selected.values())
        if claimed > limit:
            raise Refused(f"its arrays unpack to {claimed} bytes; at most {limit} are allowed")
        if not selected:
            return dict.fromkeys(members)
        return {name: _array(archive, inner, limit) for name, inner in selected.items()}


def _array(archive: ZipFile, name: str, limit: int) -> Any:
    """Return an array of an archive.

    Raises:
        Refused: the member is not an .npy file, or holds a pickle.
    """
    array = read_member(archive, name, Budget(limit))
    if not isinstance(array, np.ndarray):
        raise Refused(f"its {visible(name)} is a pickle; arrays of numbers are read")
    return array


def read_member(archive: ZipFile, name: str, budget: Budget) -> Any:
    """Return the content of a member of an archive: an array, or one pickled object.

    Raises:
        Refused: the member is not an .npy file, or is unsafe.
        Damaged: it is damaged.
    """
    content = memoryview(member(archive, name, budget))
    if bytes(content[: len(MAGIC)]) != MAGIC:
        raise Refused(f"its {visible(name)} does not begin as NumPy's files do")
    return read_npy_bytes(content, budget)


@contextmanager
def _error_context(path: Path, what: str) -> Iterator[None]:
    """Turn every error in the block into a CheckpointError about `path`.

    Raises:
        CheckpointError: any exception was raised in the block.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about headers that Python 2 wrote
            yield
    except Refused as error:
        raise CheckpointError(f"{path} is not a readable array: {error}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged header may raise almost anything
        reason = (
            str(error) if isinstance(error, Damaged) else f"{type(error).__name__}: {visible(str(error))}"
        )
        raise CheckpointError(
            f"{path} looks like {what} but is damaged or cut short; nothing in it was run: {reason}"
        ) from None


def read_npy_bytes(data: memoryview, budget: Budget) -> Any:
    """Return the content of an .npy file, given its bytes; see `read_npy`.

    Raises:
        Refused: it is of another version or type, or unsafe.
        Damaged: it is damaged; NumPy may also raise almost anything.
    """
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
        return _plain(Unpickler(body, Allowed(budget, objects=True), budget).run(), 0, budget)
    if not KINDS.fullmatch(dtype.str[1:]) or not dtype.itemsize:
        raise Refused(f"it is an array of type {visible(str(dtype))}; numbers and text are read")
    length = math.prod(shape) * dtype.itemsize
    return numbers(body[:length], dtype, shape, budget, fortran=fortran)


def _plain(value: Any, depth: int, budget: Budget) -> Any:
    """Return an unpickled object with NumPy arrays in place of `Array` objects.

    Raises:
        Refused: the object is nested too deeply, or holds something other than plain values.
    """
    budget.step()
    if depth > DEPTH:
        raise Refused("what it holds is nested without end")
    if isinstance(value, Array):
        return (
            value.values if isinstance(value.values, np.ndarray) else _plain(value.values, depth + 1, budget)
        )
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1, budget) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item, depth + 1, budget) for item in value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise Refused(
        f"it holds a {type(value).__name__}; arrays, numbers, text, lists and dictionaries are read"
    )
