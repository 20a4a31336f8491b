"""What boundaries, codes and scores lie in a folder, in rows for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..boundaries.files import FILES, boundaries_in
from ..checkpoints import read_npy
from ..errors import UserError
from ..strata.layers import show_layers
from .arrays import boundary_of, describe
from .lists import read_list


@dataclass(frozen=True)
class SurveyRow:
    """One thing that was found; what is unknown is None.

    Attributes:
        kind: boundary, array, dictionary, list, or unreadable.
        name: of the boundary, or of the file.
        level, space, layers, generator: of a boundary.
        shape: of its normal, or of the array.
        remark: what else there is to say.
    """

    kind: str
    name: str
    level: str | None = None
    space: str | None = None
    shape: tuple[int, ...] | None = None
    layers: str | None = None
    generator: str | None = None
    remark: str = ""


def survey(folder: Path) -> list[SurveyRow]:
    """The project's boundaries in a folder, or in a run; else every .npy file and every list of boundaries.

    Raises:
        UserError: no such folder, nothing of the kind in it, or damaged boundaries of our own.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    if any((folder / name).exists() for name in FILES):
        return list(_own(folder))
    rows = [*(_array(path) for path in sorted(folder.glob("*.npy"))), *_lists(folder)]
    if not rows:
        raise UserError(f"{folder} has neither {FILES[1]} nor .npy files nor a list of boundaries")
    return rows


def _own(folder: Path) -> Iterator[SurveyRow]:
    found, skipped = boundaries_in(folder)
    for b in found:
        layers = None if b.layers is None else show_layers(b.layers)
        accuracy = b.facts.get("held_out_accuracy")
        remark = (
            f"held-out accuracy {accuracy:.3f}"
            if isinstance(accuracy, float)
            else f"from {b.facts['source']}"
            if "source" in b.facts
            else ""
        )
        yield SurveyRow("boundary", b.name, b.level, b.space, b.normal.shape, layers, b.generator, remark)
    for name, reason in skipped.items():
        yield SurveyRow("none", name, remark=reason)


def _array(path: Path) -> SurveyRow:
    try:
        content: Any = read_npy(path)
    except UserError as error:
        return SurveyRow("unreadable", path.name, remark=str(error))
    try:
        foreign = boundary_of(content, path)
    except UserError:
        if isinstance(content, np.ndarray):
            return SurveyRow(
                "array", path.name, shape=content.shape, remark=f"{content.dtype}; codes or scores"
            )
        return SurveyRow("dictionary", path.name, remark=describe(content))
    if foreign.container == "array" and not foreign.was_unit:
        return SurveyRow(
            "array",
            path.name,
            shape=content.shape,
            remark=f"{content.dtype}; one code, or a boundary of length {foreign.length:.4g}",
        )
    remark = foreign.container if foreign.was_unit else f"{foreign.container}, length {foreign.length:.4g}"
    return SurveyRow(
        "boundary", path.name, foreign.kind, None, foreign.normal.shape, foreign.layers, None, remark
    )


def _lists(folder: Path) -> Iterator[SurveyRow]:
    for path in sorted(folder.glob("*.txt")):
        try:
            listed = read_list(path)
        except UserError:
            continue  # any text may lie there
        off = f", {len(listed.disabled)} lines switched off" if listed.disabled else ""
        yield SurveyRow("list", path.name, remark=f"{len(listed.entries)} boundaries{off}")
        yield from (
            SurveyRow("entry", entry.name, space=entry.space, remark=f"line {entry.line}: {entry.path}")
            for entry in listed.entries
        )
