"""Boundaries on disk: normals and offsets as safetensors, everything about them as JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from .contracts import Generator
from .disk import write_bytes, write_text
from .errors import MismatchError, UserError
from .records import Boundaries, Boundary

FILES = ("boundaries.safetensors", "boundaries.json")


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
    write_bytes(folder / FILES[0], save(tensors))
    write_text(folder / FILES[1], json.dumps({"boundaries": rows, "skipped": dict(skipped or {})}, indent=2) + "\n")


def load_boundaries(folder: Path) -> tuple[Boundaries, dict[str, str]]:
    """Boundaries, and why other concepts have none.

    Raises:
        UserError: the files are missing or damaged.
    """
    try:
        tensors = load_file(folder / FILES[0])
        content = json.loads((folder / FILES[1]).read_text(encoding="utf-8"))
        found = []
        for i, row in enumerate(content["boundaries"]):
            normal, offset = tensors[f"{i:04d}.normal"], tensors[f"{i:04d}.offset"]
            found.append(
                Boundary(
                    concept=row["concept"],
                    level=row["level"],
                    normal=normal,
                    offset=offset if normal.ndim == 2 else offset[0],
                    space=row["space"],
                    generator=row["generator"],
                    layers=None if row["layers"] is None else tuple(row["layers"]),
                    given=tuple(row["given"]),
                    facts=row["facts"],
                )
            )
        return Boundaries(found), dict(content["skipped"])
    except (OSError, SafetensorError, LookupError, ValueError, TypeError) as error:
        raise UserError(
            f"{folder}: its boundaries are missing or damaged ({type(error).__name__}: {error}); run `ganstrata learn {folder}` again"
        ) from None


def check_fits(boundary: Boundary, generator: Generator) -> None:
    """Refuse to apply a boundary to another generator or latent space.

    Raises:
        MismatchError: it says which two things do not match.
    """
    card = generator.card
    if boundary.generator and boundary.generator != generator.fingerprint:
        raise MismatchError(
            f"boundary '{boundary.concept}' was learnt for generator {boundary.generator}; "
            f"this one is {generator.fingerprint} ({card.family}, {card.source})"
        )
    if boundary.space not in (generator.space, "w+"):
        raise MismatchError(f"boundary '{boundary.concept}' lies in space {boundary.space}, but the codes of this generator are in {generator.space}")
    expected = (card.layers, card.code_size) if boundary.space == "w+" else (card.code_size,)
    if boundary.normal.shape != expected:
        raise MismatchError(f"boundary '{boundary.concept}' has a normal of shape {boundary.normal.shape}; this generator needs {expected}")
