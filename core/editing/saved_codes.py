"""Read saved codes for the generator of a run, and check that they fit it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints import read_values
from ..checkpoints.values import OWN
from ..errors import DataError, MismatchError, UserError
from ..interchange.arrays import times
from ..interchange.code_shapes import CodeSizes
from ..interchange.codes import find_codes
from ..messages import quantity
from ..randomness import Stream
from ..runs.prepare import Prepared
from ..storage.paths import why_no_file
from .request import MOST

KINDS = {"w+": "codes", "w": "w", "z": "z"}  # space -> entry of manipulate.json


class SavedCodes(NamedTuple):
    """Hold codes (N, L, D) of a file with condition and numbers in the stream, and what they were made of."""

    codes: Tensor
    condition: Tensor | None
    numbers: Tensor
    kind: str
    sha256: str
    remarks: tuple[str, ...]


def holds_inversion(path: Path) -> bool:
    """Return whether codes are those of inverted pictures: a folder, or a file of codes that says so."""
    if path.is_dir():
        return True
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    content = read_values(path).content
    own = content.get(OWN) if isinstance(content, Mapping) else None
    return isinstance(own, Mapping) and "inversion" in own


@torch.inference_mode()
def read_saved(
    prepared: Prepared, path: Path, *, codes_as: str | None = None, space: str | None = None
) -> SavedCodes:
    """Read codes, w or z from a file; w and z become codes as samples of the run do.

    Args:
        prepared: plugins of the run, whose generator the codes are for.
        path: path of the file (docs/interchange.md).
        codes_as: what the axes of an array mean; see interchange.code_shapes.FORMS.
        space: latent space z, w or w+, where the file does not say it.

    Raises:
        UserError: the file is missing, its shape has several readings, or its arrays do not fit.
        MismatchError: it names another generator.
        DataError: condition or index do not fit.
    """
    generator, card = prepared.generator, prepared.generator.card
    if not path.is_file():
        raise UserError(f"--codes {path}: {why_no_file(path)}")
    sizes = CodeSizes(card.layers, card.code_size, card.latent_size, generator.space != "z")
    codes_file = find_codes(path, sizes, codes_as=codes_as, space=space)
    if codes_file.generator not in (None, generator.fingerprint):
        raise MismatchError(
            f"--codes {path}: its codes are of generator {codes_file.generator}; "
            f"this one is {generator.fingerprint} ({card.family}, {card.source})"
        )
    values, count = torch.from_numpy(codes_file.values).to(prepared.device), len(codes_file.values)
    if count > MOST:
        raise UserError(f"{path} holds {quantity(count, 'sample')}; at most {MOST} are edited at once")
    condition = _condition(prepared, codes_file.optional, count, path)
    # Batches of one size, as everywhere else: the last one is filled up.
    parts = []
    for start in range(0, count, prepared.batch):
        rows = torch.arange(start, start + prepared.batch).clamp(max=count - 1)
        part = values[rows]
        classes = None if condition is None else condition[rows.to(condition.device)]
        if codes_file.space == "z":
            part = generator.map(part, classes)
        parts.append(part if codes_file.space == "w+" else generator.broadcast(part, classes))
    codes = torch.cat(parts)[:count]
    index = _index(codes_file.optional, count, path)
    return SavedCodes(codes, condition, index, KINDS[codes_file.space], codes_file.sha256, codes_file.remarks)


def _condition(
    prepared: Prepared, arrays: Mapping[str, NDArray[Any]], count: int, path: Path
) -> Tensor | None:
    """Return the classes of a file in the form that the generator draws; None if it takes none."""
    drawn = prepared.generator.sample(1, 0, 0, Stream.EDITING).condition
    condition = arrays.get("condition")
    if drawn is None:
        if condition is not None:
            raise DataError(f"{path} has a condition, but this generator takes none")
        return None
    if condition is None:
        raise DataError(
            f"{path}: this generator draws classes; save the codes with their classes, "
            "as np.savez(FILE, codes=..., condition=...)"
        )
    if condition.shape != (count, *drawn.shape[1:]):
        raise DataError(
            f"{path}: condition has shape {times(condition.shape)}; "
            f"{times((count, *drawn.shape[1:]))} is needed"
        )
    return torch.from_numpy(np.ascontiguousarray(condition)).to(drawn)


def _index(arrays: Mapping[str, NDArray[Any]], count: int, path: Path) -> Tensor:
    """Return the indices of a file's samples in their stream; 0, 1, 2, … by default."""
    index = arrays.get("index", np.arange(count))
    if index.shape != (count,) or index.dtype.kind not in "iu" or (index < 0).any():
        raise DataError(
            f"{path}: index must hold a number, 0 or more, for each of {quantity(count, 'sample')}"
        )
    return torch.from_numpy(index.astype(np.int64))
