"""Find the picture that an edit names, render it, and encode it for the page."""

from __future__ import annotations

import io

import torch

from ...core.editing.directions import EditPart, find_parts
from ...core.editing.live import LivePicture
from ...core.editing.request import EditRequest
from ...core.editing.sources import Source, find_source
from ...core.errors import UserError
from ...core.figures.pictures import Pixels, opaque, png, to_image, to_pixels
from ...core.plugins.records import Rendering
from ..handlers import Answer, Edit, EditMove, PictureRef
from ..sessions import MOST_LIVE, Session
from ..workspace import Workspace

JPEG = "image/jpeg"
PNG = "image/png"
QUALITY = 92


def source_of(workspace: Workspace, session: Session, ref: PictureRef) -> Source:
    """Return the picture of a reference, as a source of one.

    Raises:
        UserError: it names none, several, or one that is not there any more.
    """
    named = [name for name in ("seed", "sample", "kept") if getattr(ref, name) is not None]
    if len(named) != 1:
        raise UserError("a picture is named by one of seed, sample and kept")
    if ref.kept is not None:
        kept = session.kept.get(ref.kept)
        if kept is None:
            raise UserError("this picture is not held any more; choose another, or make it again")
        return kept.source
    request = EditRequest(
        along=(),
        seeds=None if ref.seed is None else str(ref.seed),
        samples=None if ref.sample is None else str(ref.sample),
    )
    return find_source(workspace.prepared, request)


def live_picture(workspace: Workspace, session: Session, ref: PictureRef) -> LivePicture:
    """Return the picture of a reference, ready to be edited; the last few are kept as they are."""
    key = " ".join(f"{name} {value}" for name, value in ref if value is not None)
    found = session.live.pop(key, None)
    if found is None:
        found = LivePicture(workspace.prepared, source_of(workspace, session, ref))
    session.live[key] = found
    while len(session.live) > MOST_LIVE:
        session.live.popitem(last=False)
    return found


def parts_of(workspace: Workspace, moves: tuple[EditMove, ...]) -> tuple[EditPart, ...]:
    """Return the parts of an edit, in the order of its moves.

    Raises:
        GanstrataError: a boundary or layers do not exist, or the moves do not fit each other.
    """
    known: dict[EditMove, EditPart] = workspace.memory.setdefault("parts", {})
    if len(known) > 1000:
        known.clear()
    parts = []
    for move in moves:
        key = move.model_copy(update={"by": 0.0})
        if key not in known:
            at = "" if move.layers is None else f"@{move.layers}"
            request = EditRequest(along=(f"{move.along}{at}",), keep=move.keep)
            (known[key],) = find_parts(
                workspace.prepared, workspace.known, request, workspace.run.step_unit_in
            )
        parts.append(known[key])
    if len({part.in_styles for part in parts}) > 1:
        raise UserError("some of these boundaries move style channels and others move codes; use one kind")
    return tuple(parts)


@torch.inference_mode()
def rendered(workspace: Workspace, session: Session, edit: Edit, moving: int | None = None) -> Rendering:
    """Render an edit; `moving` is the number of the move that changes from picture to picture."""
    _check_moving(edit, moving)
    picture = live_picture(workspace, session, edit.picture)
    parts = parts_of(workspace, edit.moves)
    amounts = [move.by for move in edit.moves]
    return picture.render(parts, amounts, moving=moving, truncation=edit.truncation)


@torch.inference_mode()
def smaller(
    workspace: Workspace, session: Session, edit: Edit, moving: int | None, divisor: int
) -> Pixels | None:
    """Return a smaller picture (h, w, 3) of an edit; None if this generator has none."""
    _check_moving(edit, moving)
    card = workspace.prepared.generator.card
    picture, parts = live_picture(workspace, session, edit.picture), parts_of(workspace, edit.moves)
    amounts, most = [move.by for move in edit.moves], max(card.height, card.width) // divisor
    found = picture.preview(parts, amounts, moving, most, truncation=edit.truncation)
    return None if found is None else opaque(to_pixels(found)[0], card.background)


def _check_moving(edit: Edit, moving: int | None) -> None:
    """Refuse a move that the edit does not have.

    Raises:
        UserError: it has fewer.
    """
    if moving is not None and moving >= len(edit.moves):
        raise UserError(f"moving {moving}: the edit has {len(edit.moves)} moves")


def pixels_of(workspace: Workspace, rendering: Rendering) -> Pixels:
    """Return the first picture of a rendering as RGB, (H, W, 3)."""
    pictures = to_pixels(rendering.pictures[:1])[0]
    return opaque(pictures, workspace.prepared.generator.card.background)


def send_picture(answer: Answer, picture: Pixels, *, lossless: bool, **facts: object) -> None:
    """Send a picture (H, W, 3), without loss as PNG or else as JPEG."""
    if lossless:
        content, media_type = png(picture), PNG
    else:
        buffer = io.BytesIO()
        to_image(picture).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
        content, media_type = buffer.getvalue(), JPEG
    answer.picture(content, media_type, (picture.shape[1], picture.shape[0]), **facts)
