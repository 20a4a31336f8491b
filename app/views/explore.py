"""Answer the view Explore: frames of an edit, its scores, a grid of samples, search by score."""

from __future__ import annotations

import heapq
import time
from contextlib import suppress
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ...core.errors import GanstrataError, UserError, nearest
from ...core.figures.pictures import reduced
from ...core.probing.stage import open_samples
from ...core.storage.rows import StoredRows
from ...core.strata.layers import layer_sets
from ..handlers import FRAME, SCORES, THUMBNAIL, Answer, Edit, Handler, Handlers, Name, PictureRef, Request
from ..sessions import Session
from ..workspace import Workspace
from .pictures import pixels_of, rendered, send_picture, smaller
from .preview_size import PreviewSize

MOST_PICTURES = 120  # of a grid
CACHED = 96 << 20  # bytes of the small pictures of grids, of all tabs
BLOCK = 4096  # samples whose scores are in memory at once
LONG = 0.3  # seconds of a picture from which on a smaller one is shown ahead of it
TYPICAL = "seconds of a picture"  # in the memory of the workspace: how long the first one took
LAST_FRAME = "last frame"  # in the memory of the workspace: when any tab asked for one, by time.monotonic()


class Frame(Request):
    """Ask for the picture of an edit; `final` asks for it without loss, `moving` for speed."""

    edit: Edit
    moving: Annotated[int, Field(ge=0, lt=64)] | None = None
    final: bool = False


class Before(Request):
    """Ask for the picture of an edit as it is without it."""

    picture: PictureRef


class Scores(Request):
    """Ask for the scores of an edit, and those without it."""

    edit: Edit


class Grid(Request):
    """Ask for small pictures."""

    refs: Annotated[
        tuple[PictureRef, ...], Field(fail_fast=True, min_length=1, max_length=MOST_PICTURES, strict=False)
    ]
    size: Annotated[int, Field(ge=32, le=512)] = 128


class Search(Request):
    """Ask for the samples of the run with most or least of a concept, among the first ones."""

    concept: Name
    order: Literal["most", "least"] = "most"
    among: Annotated[int, Field(ge=1, lt=10**9)] | None = None
    count: Annotated[int, Field(ge=1, le=MOST_PICTURES)] = 24


class Layers(Request):
    """Ask which layers a text such as `6-11` names."""

    text: Annotated[str, Field(max_length=200)]


def frame(workspace: Workspace, session: Session, request: Frame, answer: Answer) -> dict[str, Any]:
    """Send the picture of an edit; of a slow model smaller ones while a slider moves, and ahead of it."""
    edit, moving = request.edit, request.moving
    workspace.memory[LAST_FRAME] = time.monotonic()
    preview: PreviewSize = session.memory.setdefault(
        "preview size", PreviewSize(workspace.memory.get(TYPICAL, 0.0))
    )
    key = (
        None
        if moving is None or moving >= len(edit.moves)
        else edit.moves[moving].model_copy(update={"by": 0.0})
    )
    if not request.final and (divisor := preview.divisor(key)) > 1:
        small = smaller(workspace, session, edit, moving, divisor)
        if small is not None:
            send_picture(answer, small, lossless=False, frame=True, final=False)
            return {}
    if request.final and preview.seconds(key) >= LONG:
        small = smaller(workspace, session, edit, moving, 4)
        if small is not None:
            send_picture(answer, small, lossless=False, frame=True, final=False)
            answer.breathe()
    begin = time.perf_counter()
    rendering = rendered(workspace, session, edit, moving)
    picture = pixels_of(workspace, rendering)
    preview.note(key, time.perf_counter() - begin)
    send_picture(answer, picture, lossless=request.final, frame=True, final=request.final)
    return {}


def time_one(workspace: Workspace, session: Session) -> None:
    """Time the first picture that a page shows, once, so that it is known whether smaller ones are needed.

    A picture that cannot be made is told where it is asked for.
    """
    if TYPICAL in workspace.memory:
        return
    begin = time.perf_counter()
    with suppress(GanstrataError):
        rendered(workspace, session, Edit(picture=PictureRef(seed=0)))
    workspace.memory[TYPICAL] = time.perf_counter() - begin


def before(workspace: Workspace, session: Session, request: Before, answer: Answer) -> dict[str, Any]:
    """Send the picture of an edit as it is without it."""
    rendering = rendered(workspace, session, Edit(picture=request.picture))
    send_picture(answer, pixels_of(workspace, rendering), lossless=True)
    return {}


def scores(workspace: Workspace, session: Session, request: Scores, answer: Answer) -> dict[str, Any]:
    """Return the scores of an edit and those without it, of all concepts; None where one is undefined."""
    plain = Edit(picture=request.edit.picture)
    known: dict[Edit, list[float | None]] = session.memory.setdefault("base scores", {})
    # The edit before its base: after its frame, it is rendered already.
    edited = _scores(workspace, rendered(workspace, session, request.edit))
    if plain not in known:
        answer.breathe()
        if len(known) > 64:
            known.clear()
        known[plain] = _scores(workspace, rendered(workspace, session, plain))
    return {"scores": edited, "base": known[plain]}


def _scores(workspace: Workspace, rendering: Any) -> list[float | None]:
    values = workspace.prepared.score(rendering)[0]
    return [float(value) if np.isfinite(value) else None for value in values]


def grid(workspace: Workspace, session: Session, request: Grid, answer: Answer) -> dict[str, Any]:
    """Send a small picture for each reference."""
    cache: dict[tuple[PictureRef, int], Any] = workspace.memory.setdefault("thumbnails", {})
    for place, ref in enumerate(request.refs):
        key = (ref, request.size)
        small = cache.get(key) if ref.kept is None else None
        if small is None:
            picture = pixels_of(workspace, rendered(workspace, session, Edit(picture=ref)))
            small = reduced(picture, request.size)
            if ref.kept is None:  # the number of a kept picture means another one in another tab
                cache[key] = small
                while sum(one.nbytes for one in cache.values()) > CACHED:
                    del cache[next(iter(cache))]
        send_picture(answer, small, lossless=False, ref=place)
        answer.breathe()
    return {}


def search(workspace: Workspace, session: Session, request: Search, answer: Answer) -> dict[str, Any]:
    """Return the samples with most or least of a concept, the strongest first."""
    names = [concept.name for concept in workspace.prepared.concepts]
    if request.concept not in names:
        raise UserError(f"'{request.concept}' is not a concept of this run.{nearest(request.concept, names)}")
    sign = 1.0 if request.order == "most" else -1.0
    alias = request.concept.split("/", 1)[0]
    column = names.index(request.concept) - workspace.prepared.columns(alias).start
    stored = StoredRows(open_samples(workspace.run), f"scores/{alias}")  # (N, C of this scorer)
    among = min(request.among or stored.shape[0], stored.shape[0])
    best: list[tuple[float, int]] = []
    for start in range(0, among, BLOCK):
        values = stored[start : min(start + BLOCK, among)][:, column]
        rows = [(sign * float(v), -(start + i)) for i, v in enumerate(values) if np.isfinite(v)]
        best = heapq.nlargest(request.count, [*best, *rows])  # of equal scores the first sample
        answer.breathe()
    return {"samples": [{"index": -i, "score": sign * value} for value, i in best]}


def layers(workspace: Workspace, session: Session, request: Layers, answer: Answer) -> dict[str, Any]:
    """Return the layers that a text names."""
    prepared = workspace.prepared
    sets = layer_sets([request.text], prepared.groups, prepared.generator.card.layers)
    if len(sets) != 1:
        raise UserError(f"'{request.text}' names {len(sets)} sets of layers; name one")
    return {"layers": list(next(iter(sets.values())))}


HANDLERS: Handlers = {
    "frame": Handler(Frame, frame, FRAME, "frame"),
    "before": Handler(Before, before, FRAME, "before"),
    "scores": Handler(Scores, scores, SCORES, "scores"),
    "grid": Handler(Grid, grid, THUMBNAIL, "grid"),
    "search": Handler(Search, search, THUMBNAIL, "search"),
    "layers": Handler(Layers, layers, FRAME),
}
