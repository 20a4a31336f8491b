"""Store boundaries: normals and offsets as safetensors, everything else as JSON beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..config.faults import describe
from ..errors import UserError
from ..messages import visible
from ..plugins.boundary import Boundaries, Boundary
from ..runs.run import Run
from ..storage.disk import read_bytes, write_bytes, write_text
from ..storage.json_values import JsonObject
from ..storage.name_rules import fault_of

FILES = ("boundaries.safetensors", "boundaries.json")


class _Row(BaseModel):
    """Represent one boundary in boundaries.json. Unknown keys are ignored."""

    model_config = ConfigDict(strict=True)
    concept: str
    level: Literal["layout", "category", "attribute", "colour", "object", ""]
    space: Literal["z", "w", "w+", "s"]
    generator: str
    layers: list[NonNegativeInt] | None
    given: list[str]
    facts: dict[str, Any]
    direction: str = ""

    @model_validator(mode="after")
    def _is_named(self) -> _Row:
        if not (self.concept or self.direction):
            raise ValueError("a boundary has neither a concept nor a name of its own")
        if bool(self.concept) != bool(self.level):
            raise ValueError("a concept has a level, and no concept has none")
        return self


class _Content(BaseModel):
    """Represent boundaries.json.

    Attributes:
        boundaries: in the order of their tensors.
        skipped: concept without a boundary -> reason.
        tensors: SHA-256 of boundaries.safetensors; None in files of older versions.
    """

    model_config = ConfigDict(strict=True)
    boundaries: list[_Row]
    skipped: dict[str, str]
    tensors: str | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> _Content:
        names = [(row.direction or row.concept, *row.given) for row in self.boundaries]
        if len(set(names)) < len(names):
            raise ValueError("two boundaries have the same name")
        return self


def save_boundaries(boundaries: Boundaries, folder: Path, skipped: Mapping[str, str] | None = None) -> None:
    """Write boundaries.safetensors and boundaries.json.

    Args:
        boundaries: boundaries to store.
        folder: folder for both files.
        skipped: concept without a boundary -> reason.
    """
    tensors = {}
    rows: list[JsonObject] = []
    for i, boundary in enumerate(boundaries):
        tensors[f"{i:04d}.normal"] = np.ascontiguousarray(boundary.normal, dtype=np.float32)
        if boundary.slope is not None:
            tensors[f"{i:04d}.slope"] = np.ascontiguousarray(boundary.slope, dtype=np.float32)
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
                **({"direction": boundary.direction} if boundary.direction else {}),
            }
        )
    data = save(tensors)
    content = {
        "boundaries": rows,
        "skipped": dict(skipped or {}),
        "tensors": hashlib.sha256(data).hexdigest(),
    }
    write_bytes(folder / FILES[0], data)
    write_text(folder / FILES[1], json.dumps(content, indent=2) + "\n")


def load_boundaries(folder: Path) -> tuple[Boundaries, dict[str, str]]:
    """Read the boundaries of a folder, and the reasons why other concepts have none.

    Returns:
        The boundaries, and a dict concept -> reason.

    Raises:
        UserError: the files are missing or damaged, or do not belong together. The message
            names file and key.
    """
    file = FILES[0]
    try:
        data = read_bytes(folder / FILES[0])
        tensors = load(data)
        file = FILES[1]
        rows = json.loads(read_bytes(folder / FILES[1]))
        content = _Content.model_validate(rows)
        if content.tensors not in (None, hashlib.sha256(data).hexdigest()):
            raise ValueError(f"{FILES[0]} is not the file that was written with it")
        return Boundaries(
            _boundary(row, f"{i:04d}", tensors) for i, row in enumerate(content.boundaries)
        ), content.skipped
    except ValidationError as error:
        reason = f"{file} -> {describe(error, _Content, rows)[0]}"
    except UserError as error:
        reason = str(error)
    except (OSError, SafetensorError, LookupError, ValueError, TypeError, RecursionError) as error:
        reason = f"{file}: {type(error).__name__}: {visible(str(error), 200)}"
    raise UserError(
        f"{folder}: its boundaries are missing or damaged ({reason}); run `ganstrata learn {folder}` again"
    ) from None


def boundaries_in(folder: Path) -> tuple[Boundaries, dict[str, str]]:
    """Read the boundaries of any folder. In a run directory, check first that stage `learn` wrote them.

    Raises:
        UserError: as for `load_boundaries`, or the files of the run have changed since they were written.
    """
    if (folder / "run.json").exists():
        Run.open(folder).require("learn")
    return load_boundaries(folder)


def _boundary(row: _Row, key: str, tensors: Mapping[str, NDArray[Any]]) -> Boundary:
    """Build one boundary from its row and its tensors.

    Raises:
        LookupError: a tensor is missing.
        ValueError: a name is not allowed, or a tensor has another shape or dtype than it must have.
    """
    for name in (*filter(None, (row.concept, row.direction)), *row.given):
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
            f"boundary {key} has a normal {normal.dtype} {normal.shape[:4]} "
            f"and an offset {offset.dtype} {offset.shape[:4]} in {FILES[0]}"
        )
    slope = tensors.get(f"{key}.slope")
    if slope is not None and (slope.shape, slope.dtype) != (normal.shape, normal.dtype):
        raise ValueError(
            f"boundary {key} has a slope {slope.dtype} {slope.shape[:4]} in {FILES[0]}, unlike its normal"
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
        direction=row.direction,
        slope=slope,
    )
