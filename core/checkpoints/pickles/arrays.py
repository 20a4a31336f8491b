"""Build the tensors and arrays of a pickle from its bytes, after checking how many there are."""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...messages import quantity, shown, visible
from ..limits import DIMENSIONS, EXTENT, Budget, Damaged, Refused
from .unpickler import Name

DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}
PLAIN = {str(dtype): dtype for dtype in DTYPES.values()}  # keys as in a pickle: torch.float32
CODE = 16  # characters of a NumPy type code, at most
KINDS = re.compile(r"\|?([?]|b1|[biu][1248]|f[248]|[SU]\d{1,6})")  # types of numbers and text, not objects


class Storage:
    """Hold the elements that one or more tensors view; they may be filled in after the tensors are made.

    Args:
        dtype: type of the elements.
        count: number of elements.
        budget: budget of the file.

    Raises:
        Damaged: `count` is not a whole number from 0, or is more than the file has.
        Refused: the file has too many storages.
    """

    def __init__(self, dtype: torch.dtype, count: int, budget: Budget) -> None:
        if type(count) is not int or count < 0:
            raise Damaged(f"a tensor's storage of {shown(count)} numbers")
        self.dtype, self.count, self.filled = dtype, count, False
        self._budget = budget
        budget.hold()
        budget.take(self.size)
        self._flat = torch.empty(count, dtype=dtype)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.count * self.dtype.itemsize

    def known_as(self, dtype: torch.dtype, count: int) -> Storage:
        """Return the storage itself, if it has this type and count.

        Raises:
            Damaged: it does not, so two tensors disagree about it.
        """
        if (dtype, count) != (self.dtype, self.count):
            raise Damaged(f"tensors that disagree about the {quantity(self.count, 'number')} that they share")
        return self

    def fill(self, data: memoryview | bytes) -> None:
        """Copy bytes into the storage.

        Raises:
            Damaged: it was filled before, or the number of bytes is wrong.
        """
        if self.filled:
            raise Damaged("a tensor's numbers that are given twice")
        if len(data) != self.size:
            raise Damaged(
                f"a tensor's storage has {quantity(len(data), 'byte')} where {self.size} are declared"
            )
        self.filled = True
        if self.size:
            self._flat.view(torch.uint8).numpy()[:] = np.frombuffer(data, np.uint8)

    def part(self, offset: int, count: int) -> Storage:
        """Return a storage that views a part of this one; very old files have such views.

        Raises:
            Damaged: the part is not within this storage.
        """
        if (
            type(offset) is not int
            or type(count) is not int
            or not 0 <= offset <= offset + count <= self.count
        ):
            raise Damaged("a part of a tensor's numbers that is not there")
        part = Storage(self.dtype, 0, self._budget)
        part.count, part.filled, part._flat = count, True, self._flat[offset : offset + count]
        return part

    def view(self, offset: Any, size: Any, stride: Any, dtype: torch.dtype | None = None) -> Tensor:
        """Return a tensor that views a part of the storage.

        Args:
            offset: index of the first element, in elements.
            size: shape of the tensor.
            stride: steps between elements along each dimension.
            dtype: type to view the storage as; None for its own.

        Raises:
            Damaged: the arguments make no sense, or the tensor needs more elements than the storage has.
        """
        if (
            not are_sizes(size)
            or not are_sizes(stride)
            or len(size) != len(stride)
            or not are_sizes((offset,), 2**48)
        ):
            raise Damaged(f"a tensor of shape {shown(size)} with steps {shown(stride)} from {shown(offset)}")
        self._budget.hold()
        flat = self._flat if dtype in (None, self.dtype) else self._flat.view(dtype)
        numbers = math.prod(size)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if numbers else 0
        if numbers > len(flat) or (numbers and last >= len(flat)):
            raise Damaged(
                f"a tensor {size} is not stored in full, as weights are: its storage has "
                f"{quantity(len(flat), 'number')}"
            )
        return (
            flat.as_strided(size, stride, flat.storage_offset() + offset) if numbers else flat.new_empty(size)
        )


def are_sizes(values: Any, most: int = EXTENT) -> bool:
    """Return whether `values` is a tuple of at most `DIMENSIONS` whole numbers from 0 to below `most`."""
    return (
        isinstance(values, tuple)
        and len(values) <= DIMENSIONS
        and all(type(n) is int and 0 <= n < most for n in values)
    )


def tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Stand in for torch._utils._rebuild_tensor and _rebuild_tensor_v2; ignore gradients and hooks."""
    if not isinstance(storage, Storage):
        raise Damaged("a tensor without numbers")
    return storage.view(offset, size, stride)


def typed_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> Tensor:
    """Stand in for torch._utils._rebuild_tensor_v3, which takes an untyped storage and a type."""
    if not isinstance(storage, Storage) or not isinstance(dtype, Name) or dtype.full not in PLAIN:
        raise Damaged("a tensor without numbers")
    return storage.view(offset, size, stride, PLAIN[dtype.full])


def parameter(data: Any, *_: Any) -> Any:
    """Stand in for torch._utils._rebuild_parameter."""
    if not isinstance(data, Tensor):
        raise Damaged("a parameter that is not a tensor")
    return data


class Dtype:
    """Represent a pickled numpy.dtype: its type code, and the byte order from its state."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        if isinstance(code, str) and len(code) > CODE:
            raise Refused(f"it has an array of type {shown(code)}; numbers and text are read")
        self.code = code if isinstance(code, str) else ""
        self.order = "<"

    def build(self, state: Any) -> None:
        """Take the byte order from the state (version, order, ...)."""
        if (
            isinstance(state, tuple)
            and len(state) > 1
            and isinstance(state[1], str)
            and state[1] in ("<", ">", "|", "=")
        ):
            self.order = state[1].replace("=", "<")

    @property
    def objects(self) -> bool:
        """Whether it is the type of Python objects."""
        return self.code in ("O", "O8", "|O")

    def numpy(self) -> np.dtype[Any]:
        """Return the numpy.dtype.

        Raises:
            Refused: it is a type of neither numbers nor text.
            Damaged: its elements have no bytes.
        """
        code = self.code.lstrip("<>=|")
        order = self.code[0] if self.code[:1] in "<>" and self.code else self.order
        if not KINDS.fullmatch(code):
            raise Refused(f"it has an array of type {shown(self.code)}; numbers and text are read")
        dtype = np.dtype(code).newbyteorder(">" if order == ">" else "<")
        if not dtype.itemsize:
            raise Damaged("it has an array of empty texts")
        return dtype


class Array:
    """Represent a pickled numpy.ndarray, which is made empty and filled from its state.

    Attributes:
        values: the array, or the one object in it where objects are allowed; None before it is filled.
    """

    def __init__(self, budget: Budget, *, objects: bool = False) -> None:
        self.values: Any = None
        self._budget, self._objects = budget, objects

    def build(self, state: Any) -> None:
        """Fill the array from its state ([version,] shape, dtype, whether in Fortran order, data).

        Raises:
            Damaged: the state makes no sense.
            Refused: it is an array of objects that is not allowed.
        """
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise Damaged("an array without numbers")
        shape, dtype, fortran, data = state[-4:]
        if not isinstance(fortran, bool | int):
            raise Damaged("an array without an order")
        if isinstance(dtype, Dtype) and dtype.objects and self._objects:
            if not isinstance(shape, tuple) or shape or not isinstance(data, list) or len(data) != 1:
                raise Refused("it has an array of objects; one object is read")
            self.values = data[0]
        else:
            self.fill(data, dtype, shape, fortran=bool(fortran))

    def fill(self, data: Any, dtype: Any, shape: Any, *, fortran: bool) -> None:
        """Fill the array from bytes; see `numbers`."""
        if not isinstance(dtype, Dtype):
            raise Damaged("an array without a type")
        self.values = numbers(data, dtype.numpy(), shape, self._budget, fortran=fortran)

    @cached_property
    def tensor(self) -> Tensor | None:
        """The array as a tensor; None if torch does not have its type."""
        values = self.values
        if (
            not isinstance(values, np.ndarray)
            or values.dtype.kind not in "biuf"
            or values.dtype in (np.uint16, np.uint32, np.uint64)
        ):
            return None
        return torch.from_numpy(values)


def numbers(data: Any, dtype: np.dtype[Any], shape: Any, budget: Budget, *, fortran: bool) -> NDArray[Any]:
    """Return a new array of the given bytes, in native byte order and C order.

    Args:
        data: bytes, or text as Python 2 stored bytes.
        dtype: type of the bytes.
        shape: shape of the array.
        budget: budget of the file.
        fortran: whether the bytes are in Fortran order.

    Raises:
        Damaged: the shape makes no sense, the number of bytes does not fit it, or the file is smaller.
    """
    if not are_sizes(shape, 2**48):
        raise Damaged(f"an array of shape {shown(shape)}")
    budget.hold()
    length = math.prod(shape) * dtype.itemsize
    budget.take(length)
    array: NDArray[Any] = np.frombuffer(raw(data, length), dtype).reshape(
        shape, order="F" if fortran else "C"
    )
    return array.astype(dtype.newbyteorder("="), order="C", copy=True)


def raw(data: Any, length: int) -> bytes | memoryview:
    """Return bytes, which Python 2 may have stored as text.

    Raises:
        Damaged: there are not `length` bytes.
    """
    if not isinstance(data, str | bytes | memoryview):
        raise Damaged(f"an array whose numbers are {shown(data)}")
    if len(data) != length:
        raise Damaged(f"an array of {length} bytes, but the file has {len(data)}")
    return data.encode("latin-1") if isinstance(data, str) else data


def scalar(budget: Budget, dtype: Any, data: Any = None, *_: Any) -> Any:
    """Stand in for numpy._core.multiarray.scalar, and return a plain Python value."""
    if not isinstance(dtype, Dtype) or dtype.objects:
        raise Refused("it has a number of numpy that is an object")
    kind = dtype.numpy()
    budget.copy(2 * kind.itemsize)  # a pickle may convert the same bytes many times
    return np.frombuffer(raw(data, kind.itemsize), kind)[0].item()


def dtype_of(name: Any) -> torch.dtype:
    """Return the type of the elements of a storage class.

    Raises:
        Refused: it is not a storage class of real numbers.
    """
    if (
        not isinstance(name, Name)
        or name.last.removeprefix("_") not in DTYPES
        or not name.full.startswith("torch.")
    ):
        given = visible(name.full) if isinstance(name, Name) else shown(name)
        raise Refused(f"a tensor of type {given}; real numbers are read")
    return DTYPES[name.last.removeprefix("_")]
