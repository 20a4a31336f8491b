"""Turn a recipe into the picture and the parts of an edit of a run, and refuse one of another run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..config.schema import RunConfig
from ..errors import ConfigError, Fault, MismatchError, UserError, nearest
from ..messages import listed, shown, visible
from ..plugins.boundary import Boundaries
from ..plugins.compatibility import lie_in_styles
from ..runs.prepare import Prepared
from ..runs.run import Run
from .directions import EditPart, find_parts
from .recipe import Recipe, RecipeMove
from .recipe_sources import picture_source
from .request import EditRequest
from .sources import Source

CLOSE = 1e-6  # relative difference of the length of a step, which decimals round


class Composed(NamedTuple):
    """Hold an edit, ready to be rendered: `LivePicture(prepared, source).render(parts, amounts, ...)`.

    Attributes:
        source: the picture.
        parts: one for each move.
        amounts: distance along each, in steps of the run.
    """

    source: Source
    parts: tuple[EditPart, ...]
    amounts: tuple[float, ...]


def check_run(run: Run, prepared: Prepared, recipe: Recipe, source: str = "the recipe") -> None:
    """Check that a recipe is for a run, with its weights and its boundaries as they are.

    Args:
        run: the run.
        prepared: its plugins.
        recipe: the recipe.
        source: where it comes from, for messages.

    Raises:
        MismatchError: it is for another run, other weights, or boundaries that were learnt otherwise. The
            message names each difference.
    """
    own, card = recipe.run, prepared.generator.card
    differences = []
    if own.generator != prepared.generator.fingerprint:
        differences.append(
            f"it is for generator {own.generator} ({visible(own.family)}), and that of this run is "
            f"{prepared.generator.fingerprint} ({card.family}, {card.source})"
        )
    here = run.record.checkpoints
    others = sorted(name for name in {*own.checkpoints, *here} if own.checkpoints.get(name) != here.get(name))
    if others:
        differences.append(f"the weights of {listed([visible(name) for name in others], 3)} are others")
    if own.seed != prepared.seed:
        differences.append(f"its seeds count from seed {own.seed}, those of this run from {prepared.seed}")
    if not differences and own.learn != run.keys.stages["learn"]:
        differences.append(
            f"the boundaries of this run were learnt from other samples, or in another way "
            f"(key {run.keys.stages['learn'][:12]}, and {own.learn[:12]} in the recipe)"
        )
    if differences:
        raise MismatchError(
            f"{source} does not belong to the run {shown(run.path.resolve().name)}: "
            f"{'; '.join(differences)}. It was made with the run {shown(own.name)}; give that one"
        )


def compose(
    prepared: Prepared,
    known: Boundaries,
    recipe: Recipe,
    unit_in: Callable[[str], float],
    *,
    source: str = "the recipe",
    inverted: Source | None = None,
) -> Composed:
    """Return the picture, the parts and the amounts of a recipe; `check_run` says whether it fits the run.

    Args:
        prepared: plugins of the run.
        known: boundaries of the run.
        recipe: the recipe.
        unit_in: gives the length of one step in a space.
        source: where the recipe comes from, for messages.
        inverted: inverted pictures among which that of the recipe is, if it is one of a folder.

    Raises:
        ConfigError: boundaries, layers or a picture that the run does not have; all faults with their places.
        MismatchError: a boundary was learnt again, or a step has another length.
    """
    faults: list[Fault] = []
    parts: list[EditPart] = []
    for i, move in enumerate(recipe.moves):
        unknown = _unknown(move, i, known)
        faults += unknown
        if unknown:
            continue
        at = "" if move.layers is None else f"@{move.layers}"
        try:
            request = EditRequest(along=(f"{move.along}{at}",), keep=move.keep)
            parts += find_parts(prepared, known, request, unit_in)
        except UserError as error:
            place = "along" if move.layers is None else "layers"
            faults.append(Fault(("moves", i, place), str(error)))
    picture: Source | None = None
    try:
        picture = picture_source(prepared, recipe.picture, inverted)
    except UserError as error:
        faults.append(Fault(("picture",), str(error)))
    if faults or picture is None:
        raise ConfigError(source, faults)
    _check_boundaries(prepared.config, known, recipe, unit_in, source)
    return Composed(picture, tuple(parts), tuple(move.by for move in recipe.moves))


def _unknown(move: RecipeMove, i: int, known: Boundaries) -> list[Fault]:
    """Return a fault for each name of a move that no boundary has."""
    named = [
        (("moves", i, "along"), move.along),
        *((("moves", i, "keep", k), x) for k, x in enumerate(move.keep)),
    ]
    return [
        Fault(
            place,
            f"no boundary of this run is called {shown(name)}.{nearest(name, known.names)} "
            f"There are {listed(known.names, 8) or 'none'}",
        )
        for place, name in named
        if name not in known.names
    ]


def _check_boundaries(
    config: RunConfig,
    known: Boundaries,
    recipe: Recipe,
    unit_in: Callable[[str], float],
    source: str,
) -> None:
    """Check that boundaries and steps are as they were when the recipe was made.

    Raises:
        MismatchError: they are not, or they do not lie in one kind of space.
    """
    named = list(dict.fromkeys(name for move in recipe.moves for name in (move.along, *move.keep)))
    if not named:
        return
    lie_in_styles([known.of(name) for name in named], "one edit")
    others = [name for name in named if recipe.boundaries.get(name) != digest_of(known, name)]
    if others:
        raise MismatchError(
            f"{source}: {listed([visible(name) for name in others], 3)} "
            f"{'was' if len(others) == 1 else 'were'} learnt again since it was made, and "
            f"{'is' if len(others) == 1 else 'are'} not the same; make the edit again"
        )
    unit, space = recipe.unit, known.of(named[0]).space
    length, name = unit_in(space), config.rescoring.distance_unit
    if unit.space != space or abs(unit.length - length) > CLOSE * length:
        raise MismatchError(
            f"{source}: one of its steps ({unit.name}) is {unit.length:g} in {visible(unit.space)}, and one "
            f"of this run ({name}) is {length:g} in {space}; give the run as it was, with "
            f"rescoring.distance_unit: {unit.name}"
        )
    if unit.scaled != config.editing.scale:
        raise MismatchError(
            f"{source}: its steps {'shrink' if unit.scaled else 'do not shrink'} with truncation, and those "
            f"of this run {'do' if config.editing.scale else 'do not'}; give the run as it was, with "
            f"editing.scale: {str(unit.scaled).lower()}"
        )


def digest_of(known: Boundaries, name: str) -> str:
    """Return the SHA-256 of the normal of a boundary, as it was learnt."""
    normal = np.ascontiguousarray(known.of(name).normal, dtype=np.float32)
    return hashlib.sha256(normal.tobytes()).hexdigest()
