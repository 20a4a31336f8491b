"""Read and write single files of HiGAN and its relatives: a boundary, codes, or scores by name.

Nothing in a file is run, and no pickle is written.
"""

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
from ..messages import listed, shown, visible
from ..storage.disk import file_hash, write_bytes

Floats = NDArray[np.float64]
LONGEST = 10_000_000  # elements of a boundary, at most; 18 layers of 512 have about ten thousand
LAYERS = 1_000  # layer numbers that a file may name, at most
NUMBERS = 50_000_000  # scores in a file, at most
UNIT = 1e-4  # tolerance for the length of a unit normal in single precision
NORMAL, META = "boundary", "meta_data"
TABLE, INDICES = "score", "name_to_idx"


@dataclass(frozen=True)
class ForeignBoundary:
    """Hold a boundary as stored in a file.

    Attributes:
        normal: unit normal (D,), or one per layer (L, D), float64.
        length: length of the stored normal; of several, the one farthest from 1.
        layers: layers that it is meant for, as written in the file, or None.
        kind: level that the file names, or None.
        container: storage format, in words.
        sha256: SHA-256 of the file, in hex.
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
    """Read the boundary in an .npy file.

    The file holds an array (1, D) or (D,), or (1, L, D) with a normal per layer, or a pickled dictionary with
    such an array under `boundary` and optionally `meta_data`.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or not an .npy file.
        DataError: it does not hold a boundary; the message says what it holds.
    """
    return boundary_of(read_npy(path), path)


def boundary_of(content: Any, path: Path) -> ForeignBoundary:
    """Convert the content of an .npy file to a boundary; see `read_boundary`."""
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
            f"{path} holds {describe(content)}; "
            "a boundary has the shape (1, D), or (1, L, D) with a normal per layer"
        )
    if rows.size > LONGEST:
        raise DataError(f"{path} holds {describe(content)}; a boundary has at most {LONGEST} numbers")
    rows = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < 1e-12).any():
        raise DataError(
            f"{path}: its normal has a length of {float(lengths.min()):g}, so it is not a direction"
        )
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
    """Return the layers in a file, such as '6-11', 4 or [0, 1], as text; None if the file names none."""
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
    """Read saved codes: (N, D) as in `z.npy` and `w.npy`, or (N, L, D) as in `wp.npy`.

    Args:
        path: path of the .npy file.
        layers: number of layers L of the generator; None accepts any.
        size: code size D of the generator; None accepts any.

    Raises:
        CheckpointError: the file cannot be read.
        DataError: it does not hold codes, or they do not fit the generator or are not finite.
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
    """Read scores by name, each (N,) and float32.

    The file holds a dictionary of name to (N,) or (N, 1), or HiGAN's
    `{'score': (N, C), 'name_to_idx': {name: column}}`.

    Raises:
        CheckpointError: the file cannot be read.
        DataError: it holds no such dictionary, or the columns differ in length.
    """
    content = read_npy(path)
    if not isinstance(content, Mapping) or not content:
        raise DataError(f"{path} holds {describe(content)}; scores are a dictionary of name to (N,)")
    columns = dict(content)
    if isinstance(columns.get(TABLE), np.ndarray) and isinstance(columns.get(INDICES), Mapping):
        table, indices = columns[TABLE], columns[INDICES]
        if table.ndim != 2 or not all(
            isinstance(i, int) and 0 <= i < table.shape[1] for i in indices.values()
        ):
            raise DataError(f"{path}: its '{INDICES}' does not fit its '{TABLE}' of shape {table.shape}")
        _check_size(len(indices) * len(table), path)
        columns = {name: table[:, column] for name, column in indices.items()}
    scores = {}
    size = 0
    for name, values in columns.items():
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
        scores[name] = values.reshape(-1).astype(np.float32)
    if len({len(values) for values in scores.values()}) > 1:
        sizes = listed(f"{name} {len(values)}" for name, values in scores.items())
        raise DataError(f"{path}: its scores are of different numbers of samples ({sizes})")
    return scores


def _check_size(numbers: int, path: Path) -> None:
    """Limit the number of scores: a file may name the same column many times, and each name is a copy.

    Raises:
        DataError: there are more than `NUMBERS` scores.
    """
    if numbers > NUMBERS:
        raise DataError(f"{path} names more than {NUMBERS} scores in all")


def write_array(path: Path, values: NDArray[Any]) -> None:
    """Write an array as .npy, atomically and without a pickle.

    Raises:
        GanstrataError: the disk is full, or the folder is not writable.
    """
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def describe(content: Any) -> str:
    """Describe the content of an .npy file in a few words.

    >>> describe(np.zeros((2, 3), np.float32)), describe({"a": 1})
    ('an array (2, 3) of float32', "a dictionary of 'a'")
    """
    if isinstance(content, np.ndarray):
        return f"an array {content.shape} of {content.dtype}"
    if isinstance(content, Mapping):
        names = ", ".join(shown(name) for name in islice(content, 5))
        return "a dictionary of " + (names + (", ..." if len(content) > 5 else "") or "nothing")
    return f"a {type(content).__name__}"
