"""Find the pictures to edit: fresh ones, the run's own, or those of a file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints import read_npy, read_npz
from ..errors import DataError, UserError
from ..interchange.arrays import describe
from ..messages import listed
from ..randomness import Stream
from ..runs.prepare import Prepared
from ..storage.disk import file_hash
from ..storage.json_values import JsonObject
from .request import MOST, EditRequest, parse_numbers

SPACES = ("codes", "w", "z")
BESIDE = ("condition", "index")  # optional arrays of a file


@dataclass(frozen=True)
class DrawnSamples:
    """Hold which samples of a stream are edited.

    Attributes:
        kind: `seeds` for fresh ones, `samples` for those of the run.
        indices: of the samples.
        seed: of the run.
    """

    kind: str
    indices: tuple[int, ...]
    seed: int

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        return {"from": self.kind, "indices": list(self.indices), "seed": self.seed}


@dataclass(frozen=True)
class CodesFile:
    """Hold which file the codes are from: its name and digest, one of SPACES, and the number of codes."""

    file: str
    sha256: str | None
    kind: str
    count: int

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        return {"from": "file", **asdict(self)}


@dataclass(frozen=True)
class Source:
    """Represent pictures to edit.

    Attributes:
        codes: (N, L, D).
        condition: class indices or weights, or None.
        index: index of each sample in its stream (N,); decides noise and jitter.
        stream: stream of the noise.
        names: names of the samples, as shown to the user.
        origin: where the pictures come from.
    """

    codes: Tensor
    condition: Tensor | None
    index: Tensor
    stream: Stream
    names: tuple[str, ...]
    origin: DrawnSamples | CodesFile


def find_source(prepared: Prepared, request: EditRequest) -> Source:
    """Return the requested pictures; by default those that the report edits.

    Raises:
        UserError: numbers beyond the run's samples, or a file that does not fit the generator.
    """
    if request.codes is not None:
        return _from_file(prepared, request.codes)
    if request.samples is not None:
        indices, count = parse_numbers(request.samples, "--samples"), prepared.config.synthesis.samples
        beyond = [i for i in indices if i >= count]
        if beyond:
            raise UserError(
                f"--samples {request.samples}: there is no sample {beyond[0]}; "
                f"this run has 0 to {count - 1}. --seeds draws new samples"
            )
        return _drawn(prepared, indices, Stream.PROBING, "sample")
    return _drawn(
        prepared,
        parse_numbers(
            f"0-{prepared.config.editing.samples - 1}" if request.seeds is None else request.seeds, "--seeds"
        ),
        Stream.EDITING,
        "seed",
    )


def _drawn(prepared: Prepared, indices: tuple[int, ...], stream: Stream, word: str) -> Source:
    """Draw samples from a stream; `word` names them, as in `seed 0`."""
    codes, condition = gathered(prepared, indices, stream)
    origin = DrawnSamples(f"{word}s", indices, prepared.config.synthesis.seed)
    return Source(
        codes, condition, torch.tensor(indices), stream, tuple(f"{word} {i}" for i in indices), origin
    )


@torch.inference_mode()
def gathered(prepared: Prepared, indices: tuple[int, ...], stream: Stream) -> tuple[Tensor, Tensor | None]:
    """Return codes (N, L, D) and condition of any samples of a stream, from batches of the fixed grid."""
    batches = {
        start: prepared.draw(start, stream)
        for start in sorted({i // prepared.batch * prepared.batch for i in indices})
    }
    places = [(batches[i // prepared.batch * prepared.batch], i % prepared.batch) for i in indices]
    codes = torch.stack([codes[row] for (_, _, codes), row in places])
    conditions = [latents.condition[row] for (latents, _, _), row in places if latents.condition is not None]
    return codes, torch.stack(conditions) if conditions else None


@torch.inference_mode()
def _from_file(prepared: Prepared, path: Path) -> Source:
    """Read codes, w or z from a file and check that they fit the generator.

    Raises:
        UserError: the file is missing, or its arrays do not fit.
        DataError: condition or index do not fit.
    """
    generator, card = prepared.generator, prepared.generator.card
    arrays = _read(path)
    kinds = [key for key in SPACES if key in arrays]
    if len(kinds) != 1:
        raise UserError(
            f"{path} holds {listed(arrays) or 'nothing'}; exactly one of {', '.join(SPACES)} is needed, "
            f"with {' and '.join(BESIDE)} if wanted"
        )
    kind, values = kinds[0], arrays[kinds[0]]
    shape = {"codes": (card.layers, card.code_size), "w": (card.code_size,), "z": (card.latent_size,)}[kind]
    if values.shape[1:] != shape or not len(values):
        wanted = " x ".join(("N", *map(str, shape)))
        hint = (
            f" or {card.layers} x {card.code_size} (codes) after the number of samples" if kind == "w" else ""
        )
        raise UserError(
            f"{path}: {kind} has shape {_times(values.shape)}; this generator needs {wanted}{hint}"
        )
    if len(values) > MOST:
        raise UserError(f"{path}: {kind} holds {len(values)} samples; at most {MOST} are edited at once")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise UserError(
            f"{path}: {kind} holds numbers that are not finite, or too large for single precision"
        )
    condition = _condition(prepared, arrays, len(values), path)
    tensor = torch.from_numpy(values).to(prepared.device)
    # Batches of one size, as everywhere else: the last one is filled up.
    parts = []
    for start in range(0, len(values), prepared.batch):
        rows = torch.arange(start, start + prepared.batch).clamp(max=len(values) - 1)
        part = tensor[rows]
        if kind == "z":
            part = generator.map(part, None if condition is None else condition[rows.to(condition.device)])
        parts.append(part if kind == "codes" else generator.broadcast(part))
    codes = torch.cat(parts)[: len(values)]
    index = _index(arrays, len(values), path)
    origin = CodesFile(path.name, file_hash(path), kind, len(values))
    return Source(
        codes, condition, index, Stream.EDITING, tuple(f"code {i}" for i in range(len(values))), origin
    )


def _read(path: Path) -> dict[str, Any]:
    """Read the arrays of a file by name; a .npy holds codes if it has three axes, else w."""
    if not path.is_file():
        raise UserError(f"--codes {path}: there is no such file")
    if zipfile.is_zipfile(path):
        arrays = read_npz(path, (*SPACES, *BESIDE))
    else:
        values = read_npy(path)
        arrays = {"codes" if getattr(values, "ndim", 0) == 3 else "w": values}
    for values in arrays.values():
        if values is not None and not (isinstance(values, np.ndarray) and values.dtype.kind in "fiu"):
            raise UserError(f"{path} holds {describe(values)}; arrays of numbers are needed")
    return arrays


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
            f"{path}: condition has shape {_times(condition.shape)}; "
            f"{_times((count, *drawn.shape[1:]))} is needed"
        )
    return torch.from_numpy(np.ascontiguousarray(condition)).to(drawn)


def _index(arrays: Mapping[str, NDArray[Any]], count: int, path: Path) -> Tensor:
    """Return the indices of a file's samples in their stream; 0, 1, 2, … by default."""
    index = arrays.get("index", np.arange(count))
    if index.shape != (count,) or index.dtype.kind not in "iu" or (index < 0).any():
        raise DataError(f"{path}: index must hold a number, 0 or more, for each of {count} samples")
    return torch.from_numpy(index.astype(np.int64))


def _times(shape: tuple[int, ...]) -> str:
    """Write a shape as `2 x 8 x 512`."""
    return " x ".join(map(str, shape)) or "of one number"
