"""Read scores by name from the files of HiGAN and InterFaceGAN."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import read_values
from ..errors import DataError
from ..messages import listed, shown
from .arrays import as_array, describe

NUMBERS = 50_000_000  # scores in a file, at most
TABLE, INDICES = "score", "name_to_idx"
STEM = "_scores"  # ending of the names of files of one concept


def read_scores(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read scores by name, each (N,) and float32.

    The file holds a dictionary or archive of name to (N,) or (N, 1), HiGAN's
    `{'score': (N, C), 'name_to_idx': {name: column}}`, or the scores of one concept, (N, 1) or (N,), which is
    called as the file is, without `_scores`.

    Raises:
        CheckpointError: the file cannot be read.
        DataError: it holds no such scores, or the columns differ in length.
    """
    content = read_values(path).content
    single = as_array(content)
    if single is not None and _is_column(single):
        _check_size(single.size, path)
        return {path.stem.removesuffix(STEM) or path.stem: single.reshape(-1).astype(np.float32)}
    if not isinstance(content, Mapping) or not content:
        raise DataError(
            f"{path} holds {describe(content)}; "
            "scores are a dictionary of name to (N,), or (N, 1) of one concept"
        )
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
        column = as_array(values)
        if not isinstance(name, str) or column is None or not _is_column(column):
            raise DataError(
                f"{path}: {shown(name)} is {describe(values)}; scores have the shape (N,) or (N, 1)"
            )
        size += len(column)
        _check_size(size, path)
        scores[name] = column.reshape(-1).astype(np.float32)
    if len({len(values) for values in scores.values()}) > 1:
        sizes = listed(f"{name} {len(values)}" for name, values in scores.items())
        raise DataError(f"{path}: its scores are of different numbers of samples ({sizes})")
    return scores


def _is_column(values: NDArray[np.number]) -> bool:
    return bool(values.size) and (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1))


def _check_size(numbers: int, path: Path) -> None:
    """Limit the number of scores: a file may name the same column many times, and each name is a copy.

    Raises:
        DataError: there are more than `NUMBERS` scores.
    """
    if numbers > NUMBERS:
        raise DataError(f"{path} names more than {NUMBERS} scores in all")
