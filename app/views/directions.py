"""Answer the view Directions: what is known of each direction, strips of it, and names that people give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ...core.errors import UserError
from ...core.figures.pictures import reduced
from ...core.leaderboard.stored import StoredBoard
from ...core.messages import shown, visible
from ...core.rescoring.found import CORRELATION, FoundDirection
from ...core.rescoring.results import Effects
from ...core.rescoring.tables import ranked
from ...core.strata.layers import show_layers
from ...core.study.asked import plain_words
from ..handlers import (
    FRAME,
    THUMBNAIL,
    Answer,
    Edit,
    EditMove,
    Handler,
    Handlers,
    Name,
    Nothing,
    PictureRef,
    Request,
)
from ..sessions import Session
from ..workspace import Workspace
from .description import plain
from .pictures import pixels_of, rendered, send_picture

COLUMNS = 5  # pictures of a strip
MOST_STRIPS = 60  # of one request
SHOWN = 6  # concepts that a direction moves besides
NAMES = "names"  # in the memory of a session: boundary -> what somebody calls it
HOLDS, FORMAT = "names of directions", 1
JSON = "application/json"
Words = Annotated[str, Field(max_length=80)]


class Strips(Request):
    """Ask for small pictures of a picture that is moved along several boundaries.

    Attributes:
        alongs: the boundaries.
        picture: the picture.
        size: pixels of the longer side, at most.
    """

    alongs: Annotated[
        tuple[Name, ...], Field(fail_fast=True, min_length=1, max_length=MOST_STRIPS, strict=False)
    ]
    picture: PictureRef
    size: Annotated[int, Field(ge=32, le=256)] = 96


class NameOf(Request):
    """Say what a boundary is called from now on; no words for its own name."""

    along: Name
    words: Words


class NamesFrom(Request):
    """Give the content of a file of names that was taken home."""

    content: Annotated[str, Field(max_length=1_000_000)]


def directions(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Return what is known of every direction, or of every boundary of a run that learnt from labels."""
    found = workspace.run.directions
    rows = [_found(direction) for direction in found] + list(_learnt(workspace.effects))
    editing, board = workspace.run.config.editing, workspace.board
    return {
        "rows": rows,
        "found": len(found),
        "names": names_of(session),
        "amounts": amounts(workspace),
        "low": editing.start,
        "high": editing.end,
        "measured_at": workspace.run.config.rescoring.distance,
        "learners": []
        if board is None
        else [{"label": one.label, "supervised": one.supervised} for one in board.learners],
        "board_concepts": [] if board is None else [[name, plain_words(name)] for name in _strongest(board)],
    }


def _strongest(board: StoredBoard) -> list[str]:
    """Return the concepts of a leaderboard, those first that some learner moves most."""
    reached = {
        name: max(float(np.nan_to_num(one.changes[b, -1, b], nan=-np.inf)) for one in board.learners)
        for b, name in enumerate(board.concepts)
    }
    return sorted(reached, key=lambda name: -reached[name])


def _found(direction: FoundDirection) -> dict[str, Any]:
    """Return a direction that was found without labels."""
    return {
        "along": direction.name,
        "words": direction.name,
        "found": True,
        "moves": [
            _move(moved.concept, moved.in_sd, moved.low, moved.high) for moved in direction.moves[:SHOWN]
        ],
        "more": max(0, len(direction.moves) - SHOWN),
        "target": direction.target,
        "target_words": plain_words(direction.target),
        "level": direction.level,
        "correlation": direction.correlation,
        "effect": plain(direction.value),
        "low": plain(direction.low),
        "high": plain(direction.high),
        "q": plain(direction.q),
        "verified": direction.is_factor,
        "layers": direction.layers,
        "facts": _facts(direction.facts),
    }


def _learnt(effects: Effects) -> Iterator[dict[str, Any]]:
    """Yield the boundaries that were learnt from labels, strongest first, with what else they move."""
    for i in effects.ranking():
        boundary = effects.boundaries[i]
        if boundary.direction:
            continue
        effect = ranked(effects, i, effects.all_set)
        beside = _beside(effects, i)
        yield {
            "along": boundary.name,
            "words": plain_words(boundary.name),
            "found": False,
            "moves": beside[:SHOWN],
            "more": max(0, len(beside) - SHOWN),
            "target": boundary.concept,
            "target_words": plain_words(boundary.concept),
            "level": boundary.level,
            "correlation": None,
            "effect": plain(effect.value),
            "low": plain(effect.low),
            "high": plain(effect.high),
            "q": plain(effect.q),
            "verified": effect.is_factor,
            "layers": "" if boundary.layers is None else show_layers(boundary.layers),
            "facts": _facts(boundary.facts),
        }


def _beside(effects: Effects, i: int) -> list[dict[str, Any]]:
    """Return the other concepts that a boundary moves beyond chance, strongest first."""
    at, moves = (i, effects.all_set, 0), []
    for j, concept in enumerate(effects.concepts):
        if j == effects.own[i] or not concept.varies or not effects.q[(*at, j)] < effects.rate:
            continue
        values = (
            float(part[(*at, j)] / effects.units[j]) for part in (effects.mean, effects.low, effects.high)
        )
        moves.append(_move(concept.id, *values))
    return sorted(moves, key=lambda move: -abs(move["value"]))


def _move(concept: str, value: float, low: float, high: float) -> dict[str, Any]:
    return {
        "concept": concept,
        "words": plain_words(concept),
        "value": value,
        "low": plain(low),
        "high": plain(high),
    }


def _facts(facts: Mapping[str, Any]) -> list[list[str]]:
    """Return what a learner knew of a boundary: numbers and short texts."""
    rows = []
    for name, value in facts.items():
        if name == CORRELATION or isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        text = f"{value:.4g}" if isinstance(value, float) else visible(str(value))
        rows.append([name.replace("_", " "), text[:60]])
    return rows


def amounts(workspace: Workspace) -> list[float]:
    """Return the distances of the pictures of a strip, in the unit of the run."""
    editing = workspace.run.config.editing
    return [float(value) for value in np.linspace(editing.start, editing.end, COLUMNS)]


def strips(workspace: Workspace, session: Session, request: Strips, answer: Answer) -> dict[str, Any]:
    """Send the pictures of each strip, column by column."""
    for row, along in enumerate(request.alongs):
        for column, by in enumerate(amounts(workspace)):
            edit = Edit(picture=request.picture, moves=(EditMove(along=along, by=by),))
            picture = pixels_of(workspace, rendered(workspace, session, edit, moving=0))
            small = reduced(picture, request.size)
            send_picture(answer, small, lossless=False, ref=row, column=column, by=by)
            answer.breathe()
    return {}


def names_of(session: Session) -> dict[str, str]:
    """Return what boundaries are called in a session."""
    names: dict[str, str] = session.memory.setdefault(NAMES, {})
    return names


def name_direction(workspace: Workspace, session: Session, request: NameOf, answer: Answer) -> dict[str, Any]:
    """Keep a name of a boundary, and return all names."""
    workspace.known.of(request.along)  # raises if there is none
    names, words = names_of(session), visible(request.words).strip()
    names.pop(request.along, None)
    if words:
        names[request.along] = words
    return {"names": names}


def names_file(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Make a file of the names, which `read_names` takes again.

    Raises:
        UserError: nothing was named.
    """
    if not names_of(session):
        raise UserError("nothing has a name yet; give one to a direction first")
    content = {
        "holds": HOLDS,
        "format": FORMAT,
        "run": workspace.run.path.resolve().name,
        "generator": workspace.prepared.generator.fingerprint,
        "names": names_of(session),
    }
    name = "names.json"
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return {"file": session.offer(name, JSON, text.encode()), "name": name}


def read_names(workspace: Workspace, session: Session, request: NamesFrom, answer: Answer) -> dict[str, Any]:
    """Take the names of a file, beside those that there are; return all, and which boundaries are not here.

    Raises:
        UserError: it is no such file, or of another generator.
    """
    try:
        content = json.loads(request.content)
        names = {str(along): str(words) for along, words in content["names"].items()}
        is_one = content["holds"] == HOLDS and content["format"] == FORMAT
        generator = content["generator"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        is_one = False
    if not is_one:
        raise UserError("this is not a file of names that this page made (names.json)")
    if generator != workspace.prepared.generator.fingerprint:
        raise UserError(
            f"these names are for the generator {shown(str(generator))[:80]}; this one is "
            f"{workspace.prepared.generator.fingerprint}"
        )
    known = set(workspace.known.names)
    for along, words in names.items():
        if along in known and (clean := visible(words).strip()[:80]):
            names_of(session)[along] = clean
    return {"names": names_of(session), "unknown": [visible(a)[:80] for a in names if a not in known][:20]}


HANDLERS: Handlers = {
    "directions": Handler(Nothing, directions, THUMBNAIL, "directions"),
    "strips": Handler(Strips, strips, THUMBNAIL, "strips"),
    "name_direction": Handler(NameOf, name_direction, FRAME),
    "names_file": Handler(Nothing, names_file, FRAME),
    "read_names": Handler(NamesFrom, read_names, FRAME),
}
