"""Move one picture along the directions of two learners, or along two directions of the run, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...core.decimals import number
from ...core.editing.directions import EditPart, find_parts
from ...core.editing.request import EditRequest
from ...core.errors import UserError, nearest
from ...core.figures.pictures import reduced
from ...core.leaderboard.stored import StoredBoard, step_for
from ...core.plugins.boundary import Boundaries
from ...core.rescoring.results import concept_units
from ...core.strata.moves import unit_in_words
from ...core.study.asked import plain_words
from ..handlers import THUMBNAIL, Answer, EditMove, Handler, Handlers, Name, PictureRef, Request
from ..sessions import Session
from ..workspace import Workspace
from .description import plain
from .directions import names_of
from .pictures import live_picture, parts_of, pixels_of, send_picture

SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of the step, one for each picture
BESIDE = 4  # side effects that are named
NOTABLE = 0.1  # sd: smaller ones are not
Floats = NDArray[np.float64]


class Compare(Request):
    """Ask for two strips of one picture.

    Attributes:
        picture: the picture.
        concept: what both are to move.
        sides: two labels of learners of the leaderboard, or two boundaries of the run.
        of: what the sides are.
        at: whether both take the same step, or have the same effect on the concept on average.
        amount: the step, in standard deviations of w or in the unit of the run; or the effect, in sd.
        size: pixels of the longer side, at most.
    """

    picture: PictureRef
    concept: Name
    sides: Annotated[tuple[Name, ...], Field(fail_fast=True, min_length=2, max_length=2, strict=False)]
    of: Literal["learners", "boundaries"]
    at: Literal["step", "effect"] = "step"
    amount: Annotated[float, Field(gt=0.0, le=50.0)] = 1.0
    size: Annotated[int, Field(ge=32, le=512)] = 160


@dataclass(frozen=True)
class Side:
    """Hold what is moved on one side, and what is known of it.

    Attributes:
        words: the learner or the boundary.
        part: boundary and layers, per unit of its steps.
        steps: at which effects were measured, rising, 0 among them, (T,).
        effects: on the concept, mean change in sd at each step, (T,).
        low, high: 95 % interval of the effect at each step, (T,).
        unit: of the steps, in words.
    """

    words: str
    part: EditPart
    steps: Floats
    effects: Floats
    low: Floats
    high: Floats
    unit: str

    def step(self, request: Compare) -> float:
        """Return how far this side is moved.

        Raises:
            UserError: the effect is beyond what was measured.
        """
        if request.at == "step":
            return request.amount
        step = step_for(request.amount, list(self.steps), self.effects)
        if step is None:  # against its sense, if it has that effect there
            back = step_for(request.amount, list(-self.steps[::-1]), self.effects[::-1])
            step = None if back is None else -back
        if step is None:
            most = float(np.nanmax(self.effects))
            words = plain_words(request.concept)
            raise UserError(
                f"{self.words} moves {words} by {number(most, 2)} sd at most, as far as it was measured; "
                + ("ask for less, or compare at the same step" if most > 0 else "compare at the same step")
            )
        return step

    def at(self, step: float) -> dict[str, float | None]:
        """Return the mean effect of a step with its interval, where it lies between measured steps."""
        if not self.steps[0] <= step <= self.steps[-1]:
            return {"effect": None, "low": None, "high": None}
        rows = (("effect", self.effects), ("low", self.low), ("high", self.high))
        return {name: plain(float(np.interp(step, self.steps, values))) for name, values in rows}


def compare(workspace: Workspace, session: Session, request: Compare, answer: Answer) -> dict[str, Any]:
    """Send two strips, and return the effects beside them: on average, and on this picture."""
    sides = [_side(workspace, session, request, name) for name in request.sides]
    steps = [side.step(request) for side in sides]
    live = live_picture(workspace, session, request.picture)
    base = workspace.prepared.score(live.render((), ()))[0]
    found = []
    for row, (side, step) in enumerate(zip(sides, steps, strict=True)):
        changes = []
        for column, share in enumerate(SHARES):
            rendering = live.render((side.part,), (share * step,), moving=0)
            picture = reduced(pixels_of(workspace, rendering), request.size)
            by = share * step
            send_picture(answer, picture, lossless=False, ref=row, column=column, by=by)
            answer.breathe()
            changes.append(_in_sd(workspace, workspace.prepared.score(rendering)[0] - base))
        found.append(
            {
                "words": side.words,
                "step": step,
                "unit": side.unit,
                "layers": side.part.where,
                **side.at(step),
                **_here(workspace, request.concept, changes),
            }
        )
    notes = []
    if sides[0].part.in_styles != sides[1].part.in_styles:
        notes.append(
            "One of them moves style channels and the other codes: their steps have no common length."
        )
    return {"sides": found, "notes": notes, "shares": list(SHARES), "concept": plain_words(request.concept)}


def _here(workspace: Workspace, concept: str, changes: Sequence[Floats]) -> dict[str, Any]:
    """Return what the moves change in this picture: the concept at each, and others at the last."""
    names = [one.id for one in workspace.run.concepts]
    if concept not in names:
        return {"here": None, "beside": []}
    own, last = names.index(concept), changes[-1]
    others = [j for j in range(len(names)) if j != own and np.isfinite(last[j]) and abs(last[j]) >= NOTABLE]
    others.sort(key=lambda j: -abs(last[j]))
    return {
        "here": [plain(float(change[own])) for change in changes],
        "beside": [{"words": plain_words(names[j]), "value": float(last[j])} for j in others[:BESIDE]],
    }


def _in_sd(workspace: Workspace, change: NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(change, dtype=np.float64) / concept_units(workspace.run.concepts)


def _side(workspace: Workspace, session: Session, request: Compare, name: str) -> Side:
    """Return one side.

    Raises:
        UserError: there is no such learner, boundary or concept.
    """
    if request.of == "boundaries":
        return _of_run(workspace, session, name, request.concept)
    if workspace.board is None:
        raise UserError("there is no leaderboard here; `ganstrata app RUN --leaderboard FOLDER` names one")
    return _of_board(workspace, workspace.board, name, request.concept)


def _of_board(workspace: Workspace, board: StoredBoard, label: str, concept: str) -> Side:
    learner = board.learner(label)
    if concept not in board.concepts:
        raise UserError(f"the leaderboard has no concept '{concept}'.{nearest(concept, board.concepts)}")
    b = board.concepts.index(concept)
    parts: dict[tuple[str, str], EditPart] = workspace.memory.setdefault("parts of learners", {})
    if (label, concept) not in parts:
        boundary = learner.boundaries[b]
        (part,) = find_parts(
            workspace.prepared,
            Boundaries([boundary]),
            EditRequest(along=(boundary.name,)),
            lambda space: board.spread,
        )
        parts[label, concept] = part
    styles = parts[label, concept].in_styles
    return Side(
        label,
        parts[label, concept],
        np.array(board.steps),
        learner.changes[b, :, b],
        learner.low[b],
        learner.high[b],
        unit_in_words("sd", styles=styles),
    )


def _of_run(workspace: Workspace, session: Session, along: str, concept: str) -> Side:
    """Return a boundary of the run, with its effects forwards and backwards at the distance of re-scoring."""
    effects, run = workspace.effects, workspace.run
    names = [one.id for one in effects.concepts]
    if concept not in names:
        raise UserError(f"'{concept}' is not a concept of this run.{nearest(concept, names)}")
    (part,) = parts_of(workspace, (EditMove(along=along, by=0.0),))
    i, j = workspace.known.names.index(along), names.index(concept)
    all_set, unit = effects.all_set, float(effects.units[j])
    forward, backward = (
        [float(values[i, all_set, k, j]) / unit for values in (effects.mean, effects.low, effects.high)]
        for k in (0, 1)
    )
    rows = [(run.config.rescoring.distance, forward), (0.0, [0.0, 0.0, 0.0])]
    if np.isfinite(backward[0]):
        rows.append((-rows[0][0], backward))
    rows.sort(key=lambda row: row[0])
    steps = np.array([step for step, _ in rows])
    mean, low, high = (np.array([values[k] for _, values in rows]) for k in range(3))
    words = names_of(session).get(along) or plain_words(along)
    in_words = unit_in_words(run.config.rescoring.distance_unit, styles=part.in_styles)
    return Side(words, part, steps, mean, low, high, in_words)


HANDLERS: Handlers = {"compare": Handler(Compare, compare, THUMBNAIL, "compare")}
