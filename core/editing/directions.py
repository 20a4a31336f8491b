"""Turn names of boundaries and layers into normals, layers and steps that fit the generator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boundaries.files import FILES, boundaries_in, load_boundaries
from ..errors import DataError, LayerError, UserError, nearest
from ..plugins.boundary import STYLES, Boundaries, Boundary
from ..plugins.compatibility import check_fits, lie_in_styles
from ..runs.prepare import Prepared
from ..runs.run import Run
from ..storage.disk import file_hash
from ..storage.json_values import JsonObject
from ..strata.displacements import Displacement
from ..strata.layers import layer_sets, layers_in_words, show_layers
from ..strata.moves import conditioned, edit_direction
from ..strata.styles import styles_at
from .request import EditRequest, Move, parse_move

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class EditPart:
    """Represent one boundary to move along.

    Attributes:
        boundary: as learnt, or with the directions to keep projected out of its normal.
        set_name: name of the layer set.
        layers: layers to move.
        amount: distance at the last step; None for the last step of the edit.
        direction: the change of the codes per unit of distance, (L, D); zeros in space s.
        column: column of its concept among all scores; None if no scorer has it.
        styles: in space s, the change of the styles per unit of distance, stratum -> (C_s,); the codes stay.
        asked: whether these layers were asked for, and are not the boundary's own.
    """

    boundary: Boundary
    set_name: str
    layers: tuple[int, ...]
    amount: float | None
    direction: Floats
    column: int | None
    styles: Mapping[int, Floats] | None = None
    asked: bool = False

    @property
    def in_styles(self) -> bool:
        """Whether it moves styles, and not codes."""
        return self.styles is not None

    @property
    def displacement(self) -> Displacement:
        """The change per unit of distance."""
        if self.styles is not None:
            return Displacement(self.layers, styles=self.styles)
        return Displacement(self.layers, codes=self.direction)

    @property
    def name(self) -> str:
        """The boundary and its layers."""
        return f"{self.boundary.name} at {self.set_name}"

    @property
    def beyond(self) -> str:
        """A remark where layers are moved for which the boundary was not made; else empty.

        They were not moved in re-scoring, so no effect of it, and no meaning, holds there.
        """
        own = self.boundary.layers
        if own is None or set(self.layers) <= set(own):
            return ""
        others = sorted(set(self.layers) - set(own))
        return (
            f"{self.boundary.name} was made for {layers_in_words(own)} and re-scored there alone: what it "
            f"means is not known for {layers_in_words(others)}, which {'is' if len(others) == 1 else 'are'} "
            "moved because they were named with @"
        )

    @property
    def where(self) -> str:
        """The layers in words."""
        shown = show_layers(self.layers)
        if self.styles is not None:
            return f"style channels of {layers_in_words(self.layers)}"
        return layers_in_words(self.layers) if self.set_name == shown else f"{self.set_name} layers ({shown})"

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        digest = hashlib.sha256(
            np.ascontiguousarray(self.boundary.normal, dtype=np.float32).tobytes()
        ).hexdigest()
        return {
            "boundary": self.boundary.name,
            "space": self.boundary.space,
            "kept": list(self.boundary.given),
            "layers": list(self.layers),
            "layer_set": self.set_name,
            "normal_sha256": digest,
        }


class BoundarySource(NamedTuple):
    """Hold where boundaries are from: `run` or the name of a folder, and the digest of their file."""

    name: str
    sha256: str


def find_boundaries(run: Run, folder: Path | None) -> tuple[Boundaries, BoundarySource]:
    """Load the boundaries of the run, or of a folder (or one of its files) in the same format.

    Returns:
        The boundaries, and where they are from.

    Raises:
        UserError: there are none, or they are damaged.
    """
    if folder is None:
        return load_boundaries(run.path)[0], BoundarySource("run", _digest(run.path))
    place = folder.parent if folder.name in FILES else folder
    if place.exists() and not place.is_dir():
        raise UserError(f"--boundaries {folder}: it is not a folder; name the folder that holds {FILES[0]}")
    missing = [name for name in FILES if not (place / name).is_file()]
    if missing:
        raise UserError(f"--boundaries {folder}: there is no {' and no '.join(missing)} in {place}")
    return boundaries_in(place)[0], BoundarySource(place.name, _digest(place))


def _digest(folder: Path) -> str:
    """Return the digest of the file of the normals, which was just read."""
    digest = file_hash(folder / FILES[0])
    assert digest is not None
    return digest


def find_parts(
    prepared: Prepared, known: Boundaries, request: EditRequest, unit_in: Callable[[str], float]
) -> tuple[EditPart, ...]:
    """Return one part for each --along. Names are checked before anything else.

    Args:
        prepared: plugins of the run, whose generator the boundaries must fit.
        known: boundaries to choose from.
        request: names the boundaries and layers.
        unit_in: gives the length of one step in a space.

    Raises:
        UserError: a name, an amount or layers that do not exist.
        MismatchError: a boundary of another generator or latent space, or some lie in s and some not.
        DataError: a direction lies in the span of those to keep.
    """
    moves = [parse_move(text, known.names) for text in request.along]
    unknown = [name for name in request.keep if name not in known.names]
    if unknown:
        raise UserError(
            f"--keep {unknown[0]}: no boundary has this name.{nearest(unknown[0], known.names)} "
            f"There are {', '.join(known.names)}"
        )
    conditions = [known.of(name) for name in request.keep]
    named = [*(known.of(move.name) for move in moves), *conditions]
    for boundary in named:
        check_fits(boundary, prepared.generator)
    lie_in_styles(named, "one edit")
    unit = unit_in(named[0].space)
    parts = tuple(_part(prepared, known.of(move.name), conditions, move, unit) for move in moves)
    _check_styles(parts, request)
    repeated = sorted({part.name for part in parts if sum(other.name == part.name for other in parts) > 1})
    if repeated:
        raise UserError(f"{repeated[0]} layers is named twice; name each boundary once for the same layers")
    if request.mode == "absolute":
        dead = sorted(
            {layer for part in parts for layer in part.layers if prepared.generator.layer_scale[layer] == 0.0}
        )
        if dead:
            raise LayerError(
                f"an absolute edit is impossible on layers {dead}: truncation has scaled them to 0"
            )
    return parts


def _part(
    prepared: Prepared, boundary: Boundary, conditions: list[Boundary], move: Move, unit: float
) -> EditPart:
    """Return the part of one --along; its layers are those requested, else the boundary's own, else all."""
    count = prepared.generator.card.layers
    if conditions:
        boundary = conditional(boundary, conditions)
    if boundary.space == STYLES and move.layers is None and boundary.layers is None:
        return _in_styles(prepared, boundary, range(count), move, unit)
    if move.layers is None and boundary.layers is not None:
        beyond = [layer for layer in boundary.layers if layer >= count]
        if beyond:
            raise LayerError(
                f"boundary '{boundary.name}' is meant for layer {beyond[0]}; "
                f"this generator has layers 0 to {count - 1}; name others with @"
            )
        name, layers = show_layers(boundary.layers), tuple(sorted(boundary.layers))
    else:
        sets = layer_sets([move.layers or "all"], prepared.groups, count)
        if len(sets) != 1:
            raise LayerError(
                f"{move.name}@{move.layers}: that is {len(sets)} layer sets; "
                f"name one, such as all, {', '.join(prepared.groups) or '0'}, or 0,2,5-7"
            )
        name, layers = next(iter(sets.items()))
    if boundary.space == STYLES:
        return _in_styles(prepared, boundary, layers, move, unit)
    scale = prepared.edit_scale
    ids = [concept.name for concept in prepared.concepts]
    column = ids.index(boundary.concept) if boundary.concept in ids else None
    return EditPart(
        boundary,
        name,
        layers,
        move.amount,
        edit_direction(boundary.normal, layers, scale) * np.float32(unit),
        column,
        asked=_asks_for_layers(boundary, move),
    )


def _asks_for_layers(boundary: Boundary, move: Move) -> bool:
    """Return whether a move names layers, other than all of a boundary that has none of its own."""
    return move.layers is not None and not (move.layers == "all" and boundary.layers is None)


def _in_styles(
    prepared: Prepared, boundary: Boundary, layers: Collection[int], move: Move, unit: float
) -> EditPart:
    """Return the part of a direction in s, at the strata that read the given layers.

    Raises:
        LayerError: the direction moves no style of these layers.
    """
    generator, card = prepared.generator, prepared.generator.card
    styles = styles_at(generator, boundary.normal, layers)
    if not styles:
        raise LayerError(
            f"boundary '{boundary.name}' moves no style of layers {show_layers(sorted(layers))}; "
            "name others with @"
        )
    moved = tuple(sorted({layer for s in styles if (layer := generator.strata[s].reads) is not None}))
    ids = [concept.name for concept in prepared.concepts]
    column = ids.index(boundary.concept) if boundary.concept in ids else None
    still = np.zeros((card.layers, card.code_size), np.float32)
    steps = {s: piece * np.float32(unit) for s, piece in styles.items()}
    asked = _asks_for_layers(boundary, move)
    return EditPart(boundary, show_layers(moved), moved, move.amount, still, column, steps, asked)


def _check_styles(parts: Sequence[EditPart], request: EditRequest) -> None:
    """Refuse what has no meaning for directions in s.

    Raises:
        UserError: names the option.
    """
    names = [part.boundary.name for part in parts if part.styles is not None]
    if not names:
        return
    if request.mode in ("absolute", "jitter"):
        raise UserError(
            f"--mode {request.mode} is for directions that move codes; "
            f"'{names[0]}' moves style channels (space s)"
        )


def conditional(boundary: Boundary, conditions: list[Boundary]) -> Boundary:
    """Project the normals or slopes of other boundaries out of a boundary's normal (method C, conditional).

    A boundary with a normal per layer is projected layer by layer. The offset is divided by the cosine
    between the new and the old normal, as for the conditions of a run.

    Raises:
        DataError: nothing is left, or one has a normal per layer and the other has not.
    """
    shapes = {b.normal.ndim for b in (boundary, *conditions)}
    if len(shapes) != 1:
        raise DataError(
            f"'{boundary.name}' and what it is to keep must all have one normal, or all one per layer"
        )
    names = [other.name for other in conditions]
    rows, others = np.atleast_2d(boundary.normal), [np.atleast_2d(other.to_keep) for other in conditions]
    normal = np.stack(
        [
            conditioned(row, [other[i] for other in others], name=boundary.name, names=names)
            for i, row in enumerate(rows)
        ]
    )
    cosine = (normal * rows).sum(axis=1)
    offset = np.atleast_1d(boundary.offset) / cosine
    flat = boundary.normal.ndim == 1
    return replace(
        boundary,
        normal=(normal[0] if flat else normal).astype(np.float32),
        offset=np.asarray(offset[0] if flat else offset, dtype=np.float32),
        given=(*boundary.given, *names),
    )
