"""Boundaries on disk: normals and offsets as safetensors, everything about them as JSON beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..config.describe import describe
from ..errors import UserError
from ..plugins.records import Boundaries, Boundary
from ..runs.run import Run
from ..storage.disk import read_bytes, write_bytes, write_text
from ..storage.naming import fault_of
from ..text import visible

FILES = ("boundaries.safetensors", "boundaries.json")


class _Row(BaseModel):
    """What boundaries.json says of one boundary. Keys that are not known here are passed over."""

    model_config = ConfigDict(strict=True)
    concept: str = Field(min_length=1)
    level: Literal["layout", "category", "attribute", "colour", "object"]
    space: Literal["z", "w", "w+", "s"]
    generator: str
    layers: list[NonNegativeInt] | None
    given: list[str]
    facts: dict[str, Any]


class _Content(BaseModel):
    """The whole of boundaries.json; `tensors` is SHA-256 of the file beside it, which older versions did not write."""

    model_config = ConfigDict(strict=True)
    boundaries: list[_Row]
    skipped: dict[str, str]
    tensors: str | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> _Content:
        names = [(row.concept, *row.given) for row in self.boundaries]
        if len(set(names)) < len(names):
            raise ValueError("two boundaries have one name")
        return self


def save_boundaries(boundaries: Boundaries, folder: Path, skipped: Mapping[str, str] | None = None) -> None:
    """Write both files; `skipped` says of concepts without a boundary why they have none."""
    tensors = {}
    rows: list[dict[str, Any]] = []
    for i, boundary in enumerate(boundaries):
        tensors[f"{i:04d}.normal"] = np.ascontiguousarray(boundary.normal, dtype=np.float32)
        tensors[f"{i:04d}.offset"] = np.atleast_1d(np.asarray(boundary.offset, dtype=np.float32))
        rows.append(
            {
                "concept": boundary.concept,
                "level": boundary.level,
                "space": boundary.space,
                "generator": boundary.generator,
                "layers": boundary.layers,
                "given": boundary.given,
                "facts": dict(boundary.facts),
            }
        )
    stored = save(tensors)
    content = {
        "boundaries": rows,
        "skipped": dict(skipped or {}),
        "tensors": hashlib.sha256(stored).hexdigest(),
    }
    write_bytes(folder / FILES[0], stored)
    write_text(folder / FILES[1], json.dumps(content, indent=2) + "\n")


def load_boundaries(folder: Path) -> tuple[Boundaries, dict[str, str]]:
    """Boundaries, and why other concepts have none.

    Raises:
        UserError: the files are missing or damaged, or do not belong together; the message names file and key.
    """
    where = FILES[0]
    try:
        stored = read_bytes(folder / FILES[0])
        tensors = load(stored)
        where = FILES[1]
        data = json.loads(read_bytes(folder / FILES[1]))
        content = _Content.model_validate(data)
        if content.tensors not in (None, hashlib.sha256(stored).hexdigest()):
            raise ValueError(f"{FILES[0]} is not the file that was written with it")
        return Boundaries(
            _boundary(row, f"{i:04d}", tensors) for i, row in enumerate(content.boundaries)
        ), content.skipped
    except ValidationError as error:
        reason = f"{where} -> {describe(error, _Content, data)[0]}"
    except UserError as error:
        reason = str(error)
    except (OSError, SafetensorError, LookupError, ValueError, TypeError, RecursionError) as error:
        reason = f"{where}: {type(error).__name__}: {visible(str(error), 200)}"
    raise UserError(
        f"{folder}: its boundaries are missing or damaged ({reason}); run `ganstrata learn {folder}` again"
    ) from None


def boundaries_in(folder: Path) -> tuple[Boundaries, dict[str, str]]:
    """Boundaries of any folder; those of a run must be what its stage `learn` wrote.

    Raises:
        UserError: as `load_boundaries` does, or the run has other files than it wrote.
    """
    if (folder / "run.json").exists():
        Run.open(folder).require("learn")
    return load_boundaries(folder)


def _boundary(row: _Row, key: str, tensors: Mapping[str, NDArray[Any]]) -> Boundary:
    """One boundary with its tensors.

    Raises:
        LookupError: a tensor is missing.
        ValueError: a tensor is not as it must be.
    """
    for name in (row.concept, *row.given):
        fault = fault_of(name, separators="")
        if fault:
            raise ValueError(f"the name '{visible(name)}' {fault}")
    normal, offset = tensors[f"{key}.normal"], tensors[f"{key}.offset"]
    rows = len(normal) if normal.ndim == 2 else 1
    if (
        normal.ndim not in (1, 2)
        or normal.dtype != np.float32
        or offset.dtype != np.float32
        or offset.shape != (rows,)
    ):
        raise ValueError(
            f"boundary {key} has a normal {normal.dtype} {normal.shape[:4]} and an offset {offset.dtype} {offset.shape[:4]} in {FILES[0]}"
        )
    return Boundary(
        concept=row.concept,
        level=row.level,
        normal=normal,
        offset=offset if normal.ndim == 2 else offset[0],
        space=row.space,
        generator=row.generator,
        layers=None if row.layers is None else tuple(row.layers),
        given=tuple(row.given),
        facts=row.facts,
    )
