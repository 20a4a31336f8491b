"""Single files of earlier work: a boundary, codes, or scores by name. Nothing in them is run, and no pickle is written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import read_npy
from ..errors import DataError
from ..storage.disk import file_hash, write_bytes
from ..text import listed, shown, visible

Floats = NDArray[np.float64]
LONGEST = 10_000_000  # numbers of a boundary; 18 layers of 512 have some ten thousand
LAYERS = 1_000  # numbers of layers that a file may name
NUMBERS = 50_000_000  # of all scores in a file
UNIT = 1e-4  # how far from 1 the length of a unit normal in single precision may be
NORMAL, META = "boundary", "meta_data"
SCORES, INDICES = "score", "name_to_idx"


@dataclass(frozen=True)
class ForeignBoundary:
    """A boundary as a file has it.

    Attributes:
        normal: unit normal (D,), or one per layer (L, D).
        length: of the normal before it was normalised; of several, the one farthest from 1.
        layers: for which it is meant, as written there, or None.
        kind: the level that the file names, or None.
        container: what file it is, in words.
        sha256: of the file.
    """

    normal: Floats
    length: float
    layers: str | None
    kind: str | None
    container: str
    sha256: str

    @property
    def was_unit(self) -> bool:
        """Whether the stored normal had length 1, to single precision."""
        return abs(self.length - 1.0) <= UNIT


def read_boundary(path: Path) -> ForeignBoundary:
    """The boundary in an .npy file: (1, D) or (D,), per layer (1, L, D), or a dictionary of one with `meta_data`.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe or no .npy.
        DataError: what it holds is no boundary; the message says what it is.
    """
    return boundary_of(read_npy(path), path)


def boundary_of(content: Any, path: Path) -> ForeignBoundary:
    """What was read from a file, as a boundary; see `read_boundary`."""
    container = "array"
    meta: Mapping[str, Any] = {}
    if isinstance(content, Mapping):
        container = "pickled dictionary"
        if NORMAL not in content:
            raise DataError(f"{path} holds {describe(content)}, but no '{NORMAL}'")
        meta = content[META] if content.get(META) is not None else {}
        if not isinstance(meta, Mapping):
            raise DataError(f"{path}: its '{META}' is {describe(meta)}; a dictionary was expected")
        content = content[NORMAL]
    if not isinstance(content, np.ndarray) or content.dtype.kind not in "fiu":
        raise DataError(f"{path} holds {describe(content)}; a boundary is an array of numbers")
    rows = content[0] if content.ndim in (2, 3) and content.shape[0] == 1 else content
    if rows.ndim not in (1, 2) or not rows.size or (rows.ndim == 2 and content.ndim != 3):
        raise DataError(
            f"{path} holds {describe(content)}; a boundary has the shape (1, D), or (1, L, D) with a normal per layer"
        )
    if rows.size > LONGEST:
        raise DataError(f"{path} holds {describe(content)}; a boundary has at most {LONGEST} numbers")
    rows = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < 1e-12).any():
        raise DataError(f"{path}: its normal has a length of {float(lengths.min()):g}, so it is no direction")
    farthest = float(lengths.ravel()[np.abs(lengths - 1.0).argmax()])
    kind = meta.get("type")
    return ForeignBoundary(
        normal=rows / lengths,
        length=farthest,
        layers=_layers_text(meta.get("manipulate_layers"), path),
        kind=visible(kind) if isinstance(kind, str) else None,
        container=container,
        sha256=file_hash(path),
    )


def _layers_text(value: Any, path: Path) -> str | None:
    """Layers as a file has them, such as '6-11', 4 or [0, 1]; None or nothing means all."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.size <= LAYERS:
        value = value.ravel().tolist()
    if value is None or (isinstance(value, str | list | tuple) and not len(value)):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if (
        isinstance(value, list | tuple)
        and len(value) <= LAYERS
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    ):
        return ",".join(str(item) for item in value)
    if isinstance(value, str):
        return visible(value)
    raise DataError(
        f"{path}: its 'manipulate_layers' is {describe(value)}; numbers or text such as 6-11 were expected"
    )


def read_codes(path: Path, *, layers: int | None = None, size: int | None = None) -> NDArray[np.float32]:
    """Codes that were saved: `z.npy` and `w.npy` (N, D), `wp.npy` (N, L, D).

    Args:
        path: of the file.
        layers: L of the generator they are for; None accepts any.
        size: D of it; None accepts any.

    Raises:
        CheckpointError: the file cannot be read.
        DataError: no codes, or of another generator's sizes.
    """
    content = read_npy(path)
    if (
        not isinstance(content, np.ndarray)
        or content.dtype.kind != "f"
        or content.ndim not in (2, 3)
        or not content.size
    ):
        raise DataError(
            f"{path} holds {describe(content)}; codes have the shape (N, D), or (N, L, D) with one per layer"
        )
    if size is not None and content.shape[-1] != size:
        raise DataError(f"{path}: its codes have {content.shape[-1]} numbers; this generator's have {size}")
    if layers is not None and content.ndim == 3 and content.shape[1] != layers:
        raise DataError(f"{path}: its codes are for {content.shape[1]} layers; this generator has {layers}")
    if not np.isfinite(content).all():
        raise DataError(f"{path}: {int((~np.isfinite(content)).sum())} of its numbers are not finite")
    return content.astype(np.float32)


def read_scores(path: Path) -> dict[str, NDArray[np.float32]]:
    """Scores by name, each (N,).

    Read are dictionaries of name to (N,) or (N, 1), and HiGAN's `{'score': (N, C), 'name_to_idx': {name: column}}`.

    Raises:
        CheckpointError: the file cannot be read.
        DataError: no such dictionary, or columns of different lengths.
    """
    content = read_npy(path)
    if not isinstance(content, Mapping) or not content:
        raise DataError(f"{path} holds {describe(content)}; scores are a dictionary of name to (N,)")
    named = dict(content)
    if isinstance(named.get(SCORES), np.ndarray) and isinstance(named.get(INDICES), Mapping):
        table, indices = named[SCORES], named[INDICES]
        if table.ndim != 2 or not all(
            isinstance(i, int) and 0 <= i < table.shape[1] for i in indices.values()
        ):
            raise DataError(f"{path}: its '{INDICES}' does not fit its '{SCORES}' of shape {table.shape}")
        _check_size(len(indices) * len(table), path)
        named = {name: table[:, column] for name, column in indices.items()}
    found = {}
    size = 0
    for name, values in named.items():
        is_column = (
            isinstance(values, np.ndarray)
            and values.dtype.kind in "fiu"
            and (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1))
        )
        if not isinstance(name, str) or not is_column:
            raise DataError(
                f"{path}: {shown(name)} is {describe(values)}; scores have the shape (N,) or (N, 1)"
            )
        size += len(values)
        _check_size(size, path)
        found[name] = values.reshape(-1).astype(np.float32)
    if len({len(values) for values in found.values()}) > 1:
        sizes = listed(f"{name} {len(values)}" for name, values in found.items())
        raise DataError(f"{path}: its scores are of different numbers of samples ({sizes})")
    return found


def _check_size(numbers: int, path: Path) -> None:
    """Refuse columns that are named so often that copies of them fill the memory."""
    if numbers > NUMBERS:
        raise DataError(f"{path} names more than {NUMBERS} scores in all")


def write_array(path: Path, values: NDArray[Any]) -> None:
    """One plain array as .npy, in one step.

    Raises:
        GanstrataError: the disk is full or the folder cannot be written.
    """
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def describe(content: Any) -> str:
    """What was read, in a few words.

    >>> describe(np.zeros((2, 3), np.float32)), describe({"a": 1})
    ('an array (2, 3) of float32', "a dictionary of 'a'")
    """
    if isinstance(content, np.ndarray):
        return f"an array {content.shape} of {content.dtype}"
    if isinstance(content, Mapping):
        names = ", ".join(shown(name) for name in islice(content, 5))
        return "a dictionary of " + (names + (", ..." if len(content) > 5 else "") or "nothing")
    return f"a {type(content).__name__}"
