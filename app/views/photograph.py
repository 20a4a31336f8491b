"""Answer the view Photograph: look at a picture of the user, find its code, and say how far to trust it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import UserError
from ...core.figures.pictures import Pixels, to_pixels
from ...core.inversion.decoding import Decoded, decode
from ...core.inversion.fit import Fit
from ...core.inversion.page import difference, given_pixels
from ...core.inversion.photographs import Frame, fitted_picture
from ...core.inversion.stoppable import Snapshot, StoppableResult, invert_until_stopped
from ...core.inversion.target import Target
from ...core.inversion.target_reading import target_from_bytes
from ...core.messages import visible
from ..compute import Pace, Stopped
from ..handlers import JOB, THUMBNAIL, Answer, Edit, Handler, Handlers, Nothing, PictureRef, Request
from ..inverted import Judgement, facts_of, kept_source, target_of
from ..sessions import Session
from ..side_thread import SideThread
from ..workspace import Workspace
from .inverting import Way, calibrate, method_for, trust_of, ways_here
from .pictures import pixels_of, rendered, send_picture

MOST_PIXELS = 50_000_000
WHOLE = 480  # pixels of the longer side of the picture on which the crop is shown
PREVIEW = 0.5  # seconds between two pictures of a search

Found = TypeVar("Found")
Fitted = tuple[
    np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.bool_]], Fit, tuple[str, ...]
]
Upload = Annotated[str, Field(min_length=1, max_length=40)]
FileName = Annotated[str, Field(max_length=255)]
Crop = Annotated[str, Field(min_length=1, max_length=60)]
KeptName = Annotated[str, Field(pattern=r"^k\d{1,6}$")]


class LookAt(Request):
    """Ask what a rule makes of a picture that was sent; `name` is for messages."""

    upload: Upload
    crop: Crop = "centre"
    name: FileName = ""


class Invert(Request):
    """Ask for a code whose picture looks like one that was sent.

    Attributes:
        upload, crop, name: as of `LookAt`.
        way: steps of the inversion.
    """

    upload: Upload
    crop: Crop = "centre"
    name: FileName = ""
    way: Way = Way()


class KeptPicture(Request):
    """Name a picture that was inverted."""

    kept: KeptName


def ways(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Return how pictures can be inverted here, and the limits of a picture."""
    return {**ways_here(workspace), "pixels": MOST_PIXELS}


def look(workspace: Workspace, session: Session, request: LookAt, answer: Answer) -> dict[str, Any]:
    """Send the picture as a whole, upright and small, and what the rule makes of it; return what was done."""
    generator = workspace.prepared.generator
    name = file_name(request.name)
    content = content_of(session, request.upload)

    def seen() -> tuple[Decoded, Fitted, Fitted]:
        decoded = decode(content, Path(name), MOST_PIXELS)
        image = decoded.image
        scale = min(1.0, WHOLE / max(image.size))
        width, height = (max(1, round(side * scale)) for side in image.size)
        small = Frame(height, width, Frame.of(generator, "whole").rule, generator.card.background)
        return (
            decoded,
            fitted_picture(image, small, name),
            fitted_picture(image, Frame.of(generator, request.crop), name),
        )

    decoded, whole, (picture, known, fit, notes) = on_side_thread(workspace, answer, seen)
    image = decoded.image
    send_picture(answer, _pixels(whole[0]), lossless=False, what="whole")
    answer.breathe()
    shown = np.where(known[..., None], picture, np.float32(0.5))
    send_picture(answer, _pixels(shown), lossless=True, what="fitted")
    return {
        "width": image.size[0],
        "height": image.size[1],
        "format": decoded.format,
        "box": list(fit.box),
        "words": fit.words,
        "notes": [*decoded.notes, *notes],
    }


def invert(workspace: Workspace, session: Session, request: Invert, answer: Answer) -> dict[str, Any]:
    """Find a code; the user may stop, and then has what was found so far. Send pictures, return its facts."""
    session.require_room()
    generator = workspace.prepared.generator
    method = method_for(workspace, request.way)
    name = file_name(request.name)
    content = content_of(session, request.upload)
    target = on_side_thread(
        workspace,
        answer,
        lambda: target_from_bytes(content, name, generator, crop=request.crop, most=MOST_PIXELS),
    )
    send_picture(answer, given_pixels(target.observed, target.known), lossless=True, what="target")
    pace = Pace(PREVIEW)

    def goes_on(look: Snapshot) -> bool:
        try:
            answer.step(look.step, look.total, loss=look.loss)
        except Stopped:
            return False
        if look.picture is not None and pace.due():
            send_picture(answer, shown(look.picture), lossless=False, what="preview")
        return True

    outcome = invert_until_stopped(method, target, 0, goes_on)
    source = kept_source(generator, outcome.found.inversion, target.name, method.seed)
    judgement = Judgement(method, target, outcome)
    facts = facts_of(judgement, trust_of(workspace, judgement))
    key = session.keep(visible(Path(name).stem)[:80] or "photograph", source, judgement, **facts)
    send_pictures(answer, target, outcome)
    return {"kept": key, **described(session, key)}


def judge(workspace: Workspace, session: Session, request: KeptPicture, answer: Answer) -> dict[str, Any]:
    """Invert some more of the generator's own pictures, and return the warnings once there are enough.

    It is asked again until `left` is 0, so that other work can be done in between.
    """
    judgement = judgement_of(session, request.kept)
    left = calibrate(workspace, judgement.method, answer)
    judgement_of(session, request.kept)  # it may have been removed meanwhile
    facts = facts_of(judgement, trust_of(workspace, judgement))
    session.kept[request.kept] = replace(session.kept[request.kept], facts=facts)
    return {"left": left, **described(session, request.kept)}


def inverted(workspace: Workspace, session: Session, request: KeptPicture, answer: Answer) -> dict[str, Any]:
    """Send target, reconstruction and difference of an inverted picture again, and return its facts."""
    kept = session.kept.get(request.kept)
    if kept is None or kept.facts.get("kind") != "inverted":
        raise UserError("this picture is not held any more, or was not inverted")
    if isinstance(kept.view_data, Judgement):
        send_pictures(answer, kept.view_data.target, kept.view_data.outcome)
        return described(session, request.kept)
    edit = Edit(picture=PictureRef(kept=request.kept))
    made = pixels_of(workspace, rendered(workspace, session, edit))
    send_picture(answer, made, lossless=True, what="made")
    if kept.view_data is not None:
        wanted = target_of(kept.view_data)
        send_picture(answer, wanted, lossless=True, what="target")
        if wanted.shape == made.shape:
            send_picture(answer, difference(made, wanted), lossless=True, what="difference")
    return described(session, request.kept)


def described(session: Session, key: str) -> dict[str, Any]:
    """Return name and facts of a kept picture."""
    return {"name": session.kept[key].name, **session.kept[key].facts}


def judgement_of(session: Session, key: str) -> Judgement:
    """Return what is known of a picture that was inverted in this tab.

    Raises:
        UserError: it is not held any more, or was inverted elsewhere.
    """
    kept = session.kept.get(key)
    if kept is None or not isinstance(kept.view_data, Judgement):
        raise UserError("this picture was not inverted in this tab, or is not held any more")
    return kept.view_data


def send_pictures(answer: Answer, target: Target, outcome: StoppableResult) -> None:
    """Send target, reconstruction and difference."""
    wanted, made = given_pixels(target.observed, target.known), shown(outcome.found.picture)
    send_picture(answer, wanted, lossless=True, what="target")
    send_picture(answer, made, lossless=True, what="made")
    send_picture(answer, difference(made, wanted), lossless=True, what="difference")


def content_of(session: Session, upload: str) -> bytes:
    """Return the content of a picture that was sent.

    Raises:
        UserError: it is not held any more.
    """
    content = session.uploads.get(upload)
    if content is None:
        raise UserError("this picture is not held any more; choose it again")
    return content


def on_side_thread(workspace: Workspace, answer: Answer, perform: Callable[[], Found]) -> Found:
    """Decode in a thread of its own, while this one serves others; one picture of all tabs at a time."""
    place: SideThread = workspace.memory.setdefault("decoding", SideThread())
    return place.run(perform, answer.breathe)


def file_name(name: str) -> str:
    """Return the last part of a name, for messages; it is never looked up.

    >>> file_name("../../etc/passwd"), file_name(""), file_name("..")
    ('passwd', 'the picture', 'the picture')
    """
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    return "the picture" if last in ("", ".", "..") else last


def shown(picture: Tensor) -> Pixels:
    """Return a picture (3, H, W) as pixels (H, W, 3)."""
    pixels: Pixels = to_pixels(picture[None])[0]
    return pixels


def _pixels(picture: np.ndarray[Any, np.dtype[np.float32]]) -> Pixels:
    """Return a picture (H, W, 3) in [0, 1] as pixels."""
    return shown(torch.from_numpy(np.ascontiguousarray(picture)).movedim(-1, 0))


HANDLERS: Handlers = {
    "ways": Handler(Nothing, ways, THUMBNAIL, "ways"),
    "look": Handler(LookAt, look, THUMBNAIL, "look"),
    "invert": Handler(Invert, invert, JOB, "job"),
    "judge": Handler(KeptPicture, judge, JOB, "judge"),
    "inverted": Handler(KeptPicture, inverted, THUMBNAIL, "inverted"),
}
