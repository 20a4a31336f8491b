"""List the boundaries, codes and scores in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..boundaries.files import FILES, boundaries_in
from ..checkpoints import read_values
from ..errors import UserError
from ..messages import quantity
from ..storage.paths import why_no_file
from ..strata.layers import show_layers
from .arrays import describe
from .directions import directions_of
from .files import SUFFIXES
from .lists import read_list

MANY = 50  # directions of a file, from which on they are not listed one by one


@dataclass(frozen=True)
class SurveyRow:
    """Describe one boundary, file or list entry in a folder; unknown fields are None.

    Attributes:
        kind: boundary, array, dictionary, list, entry, unreadable, or none for a concept without boundary.
        name: name of the boundary, or of the file.
        level, space, layers, generator: facts of a boundary.
        shape: shape of its normal, or of the array.
        remark: further facts, in words.
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
    """List ganstrata's boundaries in a folder or run; if it has none, all files of arrays and all lists.

    A file is listed by itself, whatever it is called.

    Raises:
        UserError: there is no such folder, it has no such files, or ganstrata's boundaries are damaged.
    """
    if folder.is_file():
        return list(_lists([folder])) or list(_file(folder))
    if not folder.is_dir():
        what = f"{folder}: {why_no_file(folder)}" if folder.exists() else f"there is no folder {folder}"
        raise UserError(what)
    if any((folder / name).exists() for name in FILES):
        return list(_own_boundaries(folder))
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    rows = [*(row for path in files for row in _file(path)), *_lists(sorted(folder.glob("*.txt")))]
    if not rows:
        raise UserError(
            f"{folder} has neither {FILES[1]} nor {', '.join(SUFFIXES)} files nor a list of boundaries"
        )
    return rows


def _own_boundaries(folder: Path) -> Iterator[SurveyRow]:
    boundaries, skipped = boundaries_in(folder)
    for boundary in boundaries:
        layers = None if boundary.layers is None else show_layers(boundary.layers)
        accuracy = boundary.facts.get("held_out_accuracy")
        remark = (
            f"held-out accuracy {accuracy:.3f}"
            if isinstance(accuracy, float)
            else f"from {boundary.facts['source']}"
            if "source" in boundary.facts
            else ""
        )
        yield SurveyRow(
            "boundary",
            boundary.name,
            boundary.level,
            boundary.space,
            boundary.normal.shape,
            layers,
            boundary.generator,
            remark,
        )
    for name, reason in skipped.items():
        yield SurveyRow("none", name, remark=reason)


def _file(path: Path) -> Iterator[SurveyRow]:
    """Yield a row for each direction in a file, or one for a file that holds something else."""
    try:
        values = read_values(path)
    except UserError as error:
        yield SurveyRow("unreadable", path.name, remark=str(error))
        return
    content: Any = values.content
    try:
        directions, _ = directions_of(values)
    except UserError:
        if isinstance(content, np.ndarray):
            remark = f"{content.dtype}; codes, scores, or several directions"
            yield SurveyRow("array", path.name, shape=content.shape, remark=remark)
        else:
            yield SurveyRow("dictionary", path.name, remark=describe(content))
        return
    if values.container == "array" and not directions[0].was_unit:
        yield SurveyRow(
            "array",
            path.name,
            shape=content.shape,
            remark=f"{content.dtype}; one code, or a boundary of length {directions[0].length:.4g}",
        )
        return
    if len(directions) > MANY:
        words = f"{quantity(len(directions), 'direction')}, {values.container}"
        yield SurveyRow(
            "boundary", path.name, space=directions[0].space, shape=directions[0].normal.shape, remark=words
        )
        return
    for foreign in directions:
        length = "" if foreign.was_unit else f", length {foreign.length:.4g}"
        name = f"{path.name}: {foreign.name}" if foreign.name else path.name
        yield SurveyRow(
            "boundary",
            name,
            foreign.kind,
            foreign.space,
            foreign.normal.shape,
            foreign.layers,
            foreign.generator or None,
            f"{foreign.container}{length}",
        )


def _lists(paths: Iterable[Path]) -> Iterator[SurveyRow]:
    for path in paths:
        try:
            listed = read_list(path)
        except UserError:
            continue  # any text may lie there
        off = f", {quantity(len(listed.disabled), 'line')} switched off" if listed.disabled else ""
        count = quantity(len(listed.entries), "boundary", "boundaries")
        yield SurveyRow("list", path.name, remark=count + off)
        yield from (
            SurveyRow("entry", entry.name, space=entry.space, remark=f"line {entry.line}: {entry.path}")
            for entry in listed.entries
        )
