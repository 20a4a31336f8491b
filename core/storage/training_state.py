"""Store the state of a training that was stopped: tensors as safetensors, and its log in the header."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..errors import RunError
from ..messages import visible
from .disk import read_bytes, write_bytes


@dataclass(frozen=True)
class TrainingState:
    """Hold the state of a training that was stopped.

    Attributes:
        tensors: parameters, and moments of Adam.
        position: number of pictures that were learnt from.
        rows: rows of the log so far.
        seconds: how long the training took so far.
    """

    tensors: Mapping[str, Tensor]
    position: int
    rows: Sequence[Sequence[Any]]
    seconds: float


def save_state(file: Path, state: TrainingState) -> None:
    """Write the state of an unfinished training, in one step."""
    header = {
        "position": json.dumps(state.position),
        "rows": json.dumps(state.rows),
        "seconds": json.dumps(round(state.seconds, 1)),
    }
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    write_bytes(file, save(tensors, metadata=header))


def read_state(file: Path) -> TrainingState | None:
    """Return the state of an unfinished training, or None if there is none.

    Raises:
        RunError: the file is damaged.
    """
    if not file.exists():
        return None
    try:
        data = read_bytes(file)
        length = int.from_bytes(data[:8], "little")
        header: dict[str, Any] = json.loads(data[8 : 8 + length])["__metadata__"]
        return TrainingState(
            load(data),
            int(json.loads(header["position"])),
            [list(row) for row in json.loads(header["rows"])],
            float(json.loads(header["seconds"])),
        )
    except (
        OSError,
        SafetensorError,
        LookupError,
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise RunError(
            f"{file} is damaged ({visible(str(error), 200)}); delete it, and the training begins again"
        ) from None
