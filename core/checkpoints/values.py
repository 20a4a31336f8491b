"""Read the arrays, numbers and text in a file of any common format, without running anything in it.

The format is recognised by the first bytes, never by the file name: NumPy's .npy and .npz, torch files of all
ages, pickles, safetensors and JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..messages import visible
from ..storage.disk import open_file
from .archive import check_archive, opened
from .limits import DEPTH, Budget, Damaged, Refused
from .npy import MAGIC, read_member, read_npy_bytes
from .pickles.arrays import Array
from .pickles.unpickler import Name, Record
from .refused_kinds import HEAD, PICKLE, ZIP, is_safetensors, refuse_other_archives, refuse_other_kinds
from .refused_kinds import READ as CHECKPOINTS
from .safetensors_file import parse_integer, read_safetensors
from .torch_file import read_archive, read_pickle

JSON = 2**23  # bytes of a JSON file, at most; a matrix of 512 x 512 takes about five million
MEMBERS = 10_000  # arrays in an archive, at most
UNPACKED = 2**28  # unpacked bytes of an archive, at most
READ = "NumPy's .npy and .npz, torch files, pickles, safetensors and JSON are read"
OWN = "ganstrata"  # key of ganstrata's own description in a file
BLANK = b" \t\r\n\xef\xbb\xbf"  # what may come before the first sign of a JSON file


@dataclass(frozen=True)
class Inert:
    """Stand for something in a file that is neither array, number, text, list nor dictionary; see `words`."""

    words: str


@dataclass(frozen=True)
class Values:
    """Hold the content of a file.

    Attributes:
        path: path of the file.
        content: arrays, numbers and text, in lists, tuples and dictionaries; anything else as `Inert`.
        container: storage format, in words.
        sha256: SHA-256 of the file, in hex.
    """

    path: Path
    content: Any
    container: str
    sha256: str


def read_values(path: Path, wanted: Iterable[str] = ()) -> Values:
    """Read a file of arrays, numbers and text.

    Args:
        path: path of the file.
        wanted: names of arrays to prefer where all arrays of an archive together are too large.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or of another format.
    """
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(HEAD)
            container, content = _read(file, size, head, path, tuple(wanted))
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except Refused as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from None
    except MemoryError:
        raise CheckpointError(f"{path} cannot be read: it needs more memory than there is") from None
    except Exception as error:  # zipfile, numpy and json raise many kinds of errors on damaged data
        reason = (
            str(error) if isinstance(error, Damaged) else f"{type(error).__name__}: {visible(str(error))}"
        )
        raise CheckpointError(f"{path} is damaged or cut short; nothing in it was run: {reason}") from None
    return Values(path, content, container, digest)


def is_text(path: Path) -> bool:
    """Return whether a file looks like text that is not JSON, such as a list of boundaries.

    Raises:
        OSError: it cannot be read.
    """
    with open_file(path) as file:
        head = file.read(HEAD)
    if head.startswith((MAGIC, PICKLE, ZIP)) or is_safetensors(head) or _is_json(head):
        return False
    text = head.decode("utf-8", "ignore")
    return sum(sign.isprintable() or sign.isspace() for sign in text) > 0.9 * len(head)


def _is_json(head: bytes) -> bool:
    return head.lstrip(BLANK)[:1] in (b"{", b"[")


def _read(
    file: io.BufferedReader, size: int, head: bytes, path: Path, wanted: tuple[str, ...]
) -> tuple[str, Any]:
    """Return the format of a file and its content."""
    budget = Budget(size)
    if head.startswith(MAGIC):
        content = read_npy_bytes(memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)), budget)
        return ("array" if hasattr(content, "dtype") else "pickled dictionary"), content
    if is_safetensors(head):
        tensors, settings = read_safetensors(path, budget)
        arrays = {name: plain(tensor, budget) for name, tensor in tensors.items()}
        return "safetensors", arrays | ({OWN: settings} if settings is not None else {})
    if head.startswith(ZIP):
        return _archive(path, size, budget, wanted)
    if head.startswith(PICKLE):
        content, container = read_pickle(
            memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)), budget, objects=True
        )
        return container, plain(content, budget)
    if _is_json(head):
        if size > JSON:
            raise Refused(f"it is JSON of {size} bytes; at most {JSON} are read")
        text = (head + file.read(JSON)).decode("utf-8-sig")
        return "JSON", json.loads(text, parse_int=parse_integer)
    try:
        refuse_other_kinds(head, size)
    except Refused as error:
        raise Refused(str(error).replace(CHECKPOINTS, READ)) from None
    raise Refused(f"its format is unknown; {READ}")


def _archive(path: Path, size: int, budget: Budget, wanted: tuple[str, ...]) -> tuple[str, Any]:
    """Return the format and content of a zip archive: NumPy's, or torch's."""
    with opened(path) as archive:
        names = archive.namelist()
        if not names or not all(name.endswith(".npy") for name in names):
            refuse_other_archives(names)
            check_archive(archive, size)
            return "torch zip", plain(read_archive(archive, budget), budget)
        if len(names) > MEMBERS:
            raise Refused(f"it has {len(names)} arrays; at most {MEMBERS} are read")
        limit = max(UNPACKED, size)
        members = {name.removesuffix(".npy"): name for name in names}
        if sum(entry.file_size for entry in archive.infolist()) > limit:
            chosen = {name: inner for name, inner in members.items() if name in wanted}
            if not chosen or sum(archive.getinfo(inner).file_size for inner in chosen.values()) > limit:
                raise Refused(f"its arrays unpack to more than {limit} bytes, which is the most that is read")
        else:
            chosen = members
        shared = Budget(limit)
        left = {name: Inert("an array that is not needed") for name in members if name not in chosen}
        read = {name: read_member(archive, inner, shared) for name, inner in chosen.items()}
        return "NumPy archive", read | left


def plain(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Return what a reader rebuilt with NumPy arrays for tensors, and `Inert` for what holds no data.

    Raises:
        Refused: it is nested too deeply, or takes too many steps.
    """
    budget.step()
    if depth > DEPTH:
        raise Refused("what it holds is nested without end")
    if isinstance(value, Array):
        inner = value.values
        return inner if hasattr(inner, "dtype") else plain(inner, budget, depth + 1)
    if isinstance(value, Tensor):
        return _array(value, budget)
    if isinstance(value, dict):
        return {
            key if isinstance(key, str | int) else visible(str(key.full)): plain(item, budget, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item, budget, depth + 1) for item in value]
    if value is None or isinstance(value, str | bool | int | float) or hasattr(value, "dtype"):
        return value
    if isinstance(value, Record):
        return Inert(f"an object of {visible(value.name.full)}")
    if isinstance(value, Name):
        return Inert(f"the name {visible(value.full)}")
    return Inert(f"a {type(value).__name__}")


def _array(tensor: Tensor, budget: Budget) -> Any:
    """Return a tensor as an array; NumPy has no bfloat16, so those are widened to single precision."""
    if tensor.dtype in (torch.float32, torch.float64, torch.float16, torch.bool) or not (
        tensor.is_floating_point() or tensor.is_complex()
    ):
        return tensor.detach().numpy()
    if tensor.is_complex():
        return Inert(f"complex numbers {tuple(tensor.shape)}")
    budget.copy(4 * tensor.numel())
    return tensor.detach().float().numpy()
