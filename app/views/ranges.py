"""Find the range of a slider on request: how far its score follows before something else gives way."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ...core.editing import coarse
from ...core.editing.range_search import NoRangeError, find_range
from ...core.editing.request import SEARCHED
from ...core.errors import UserError
from ..handlers import JOB, MOST_MOVES, Answer, EditMove, Handler, Handlers, Name, Request
from ..sessions import Session
from ..workspace import Workspace
from .jobs import JobProgress
from .pictures import parts_of

FOUND = "ranges"  # in the memory of the workspace: what was found, by the move at 0
MOST_FOUND = 1000


class FindRange(Request):
    """Ask how far an edit may go along a boundary; see `EditMove`."""

    along: Name
    layers: Annotated[str, Field(max_length=200)] | None = None
    keep: Annotated[tuple[Name, ...], Field(fail_fast=True, max_length=MOST_MOVES, strict=False)] = ()


def find(workspace: Workspace, session: Session, request: FindRange, answer: Answer) -> dict[str, Any]:
    """Return the range that `ganstrata manipulate --search` finds, and what limits it; all tabs share it.

    `low` and `high` are None where the score follows in neither direction.

    Raises:
        UserError: nothing scores what the boundary is of.
    """
    known: dict[EditMove, dict[str, Any]] = workspace.memory.setdefault(FOUND, {})
    move = EditMove(along=request.along, by=0.0, layers=request.layers, keep=request.keep)
    if move not in known:
        found = _searched(workspace, move, answer)
        if len(known) >= MOST_FOUND:
            known.clear()
        known[move] = found
    return known[move]


def _searched(workspace: Workspace, move: EditMove, answer: Answer) -> dict[str, Any]:
    prepared, run = workspace.prepared, workspace.run
    parts = parts_of(workspace, (move,))
    (part,) = parts
    if part.column is None:
        raise UserError(
            f"no scorer of this run scores what '{move.along}' is of, "
            "so there is no score that could be followed"
        )
    batches = coarse.batch_count(prepared)
    total = coarse.columns_per_batch(parts) * batches * prepared.batch
    steps = coarse.coarse_steps(-SEARCHED, SEARCHED)
    with JobProgress(answer).stage("pictures", total=total) as done:
        unit = run.step_unit_in(part.boundary.space)
        (table,) = coarse.measure(prepared, parts, run.concepts, steps, unit, done)
    found: dict[str, Any] = {
        "along": move.along,
        "layers": move.layers,
        "keep": list(move.keep),
        "from": "search",
        "samples": batches * prepared.batch,
        "tried": SEARCHED,
    }
    try:
        span = find_range(table, name=part.name)
    except NoRangeError as none:
        return {**found, "low": None, "high": None, "below": none.below, "above": none.above}
    return {**found, "low": span.low, "high": span.high, "below": span.below, "above": span.above}


def all_found(workspace: Workspace) -> list[dict[str, Any]]:
    """Return what was found since the server began."""
    return list(workspace.memory.get(FOUND, {}).values())


HANDLERS: Handlers = {"range": Handler(FindRange, find, JOB, "range")}
