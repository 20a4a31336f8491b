"""Answer the view Take home: files of an edit, and recipes that are opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, ValidationError

from ...core.editing import films
from ...core.editing.compose import check_run, compose
from ...core.editing.live import LivePicture
from ...core.editing.recipe import BYTES, Recipe, RecipeMove, parse_recipe
from ...core.editing.recipe_making import picture_of, recipe_of
from ...core.editing.recipe_picture import RecipePicture
from ...core.editing.recipe_pixels import difference
from ...core.editing.sources import Source
from ...core.editing.steps import signed
from ...core.errors import ConfigError, DataError, UserError
from ...core.figures.pictures import Pixels, png, reduced, to_pixels
from ...core.figures.sheets import sheet
from ...core.plugins.inverter import Inversion
from ...core.randomness import Stream
from ...core.runs.inversion_file import codes_bytes
from ..handlers import JOB, THUMBNAIL, Answer, Edit, Handler, Handlers, Nothing, Number, PictureRef, Request
from ..sessions import Session
from ..workspace import Workspace
from .pictures import live_picture, parts_of

MOST_STEPS = 60  # of a strip or a film
STRIP_PIXELS = 40_000_000  # of all pictures of a strip
FAULTS = 5  # of a recipe that are said
FILM_SIDE = 512  # longer side of the pictures of a film in pixels; larger ones are made smaller
TYPES = {
    "png": "image/png",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "json": "application/json",
    "safetensors": "application/octet-stream",
}


class Export(Request):
    """Ask for a file of an edit: its picture, the one before, its recipe, or its codes."""

    edit: Edit
    kind: Literal["picture", "before", "recipe", "codes"]


class Series(Request):
    """Ask for an edit in steps, as a strip or a film.

    Attributes:
        edit: the edit.
        kind: the file.
        sweep: number of the move that goes from `start` to `end`; None for all moves together, from nothing
            to the edit.
        start, end: first and last distance of that move.
        steps: number of pictures.
        fps: pictures per second of a film.
    """

    edit: Edit
    kind: Literal["strip", "gif", "mp4"]
    sweep: Annotated[int, Field(ge=0, lt=64)] | None = None
    start: Number = -3.0
    end: Number = 3.0
    steps: Annotated[int, Field(ge=2, le=MOST_STEPS)] = 7
    fps: Annotated[float, Field(ge=0.5, le=50.0)] = 8.0


class OpenRecipe(Request):
    """Ask that a recipe is opened: what its file holds, and never where it lies."""

    text: Annotated[str, Field(max_length=BYTES)]


def possible(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Return which files can be made here, and how to get the others."""
    has_video = find_spec("av") is not None
    return {
        "mp4": has_video,
        "why": "" if has_video else "MP4 needs PyAV: pip install 'ganstrata[video]'",
        "steps": MOST_STEPS,
        "recipe": BYTES,
    }


@torch.inference_mode()
def export(workspace: Workspace, session: Session, request: Export, answer: Answer) -> dict[str, Any]:
    """Make a file of an edit, and keep it until it is fetched."""
    edit = request.edit if request.kind != "before" else Edit(picture=request.edit.picture)
    remarks: list[str] = []
    if request.kind in ("picture", "before"):
        content, ending = png(pixels_of_edit(workspace, session, edit)), "png"
    elif request.kind == "recipe":
        content, ending = recipe_of_edit(workspace, session, edit).text().encode(), "json"
    else:
        content, remarks = _codes(workspace, session, edit)
        ending = "safetensors"
    word = {"picture": "edited" if edit.moves or edit.truncation != 1.0 else "", "before": ""}.get(
        request.kind, request.kind
    )
    picture = live_picture(workspace, session, edit.picture).source.names[0]
    return _offer(workspace, session, picture, word, ending, content, remarks)


@torch.inference_mode()
def export_series(workspace: Workspace, session: Session, request: Series, answer: Answer) -> dict[str, Any]:
    """Render an edit in steps, and keep the strip or film until it is fetched."""
    card = workspace.prepared.generator.card
    if request.kind == "mp4":
        films.video_library()
    is_strip = request.kind == "strip"
    if is_strip and request.steps * card.height * card.width > STRIP_PIXELS:
        most = max(STRIP_PIXELS // (card.height * card.width), 2)
        raise UserError(
            f"a strip of {request.steps} pictures would be too large; ask for at most {most} steps"
        )
    amounts, heads = steps_of(request)
    picture = live_picture(workspace, session, request.edit.picture)
    parts = parts_of(workspace, request.edit.moves)
    truncation = request.edit.truncation
    frames: list[Pixels] = []
    for step, row in enumerate(amounts):
        answer.step(step, len(amounts), text="drawing")
        made = picture.render(parts, row, request.sweep, truncation)
        one = to_pixels(made.pictures)[0]
        frames.append(one if is_strip else reduced(one, FILM_SIDE))
    answer.step(len(amounts), len(amounts), text="writing")
    pictures = np.stack(frames)[None]  # (1, T, H, W, C)
    name = picture.source.names[0]
    if is_strip:
        content = sheet(pictures, heads, [name])
    else:
        film = films.frames(pictures, card.background)
        encode = films.gif if request.kind == "gif" else films.mp4
        content = encode(film, request.fps, between=answer.breathe)
    ending = "png" if is_strip else request.kind
    return _offer(workspace, session, name, "strip" if is_strip else "film", ending, content, [])


def steps_of(request: Series) -> tuple[list[list[float]], list[str]]:
    """Return the amounts of each step, (T, P), and a heading for each.

    Raises:
        UserError: there is no such move, or nothing would change.
    """
    by = [move.by for move in request.edit.moves]
    if request.sweep is None:
        if not any(by):
            raise UserError("nothing is moved in this edit; move a slider first, or choose one that is swept")
        shares = [float(share) for share in np.linspace(0.0, 1.0, request.steps)]
        return [[share * value for value in by] for share in shares], [
            f"{100 * share:.0f} %" for share in shares
        ]
    if request.sweep >= len(by):
        raise UserError(f"there is no move {request.sweep}; the edit has {len(by)}")
    if request.start == request.end:
        raise UserError(f"the first and the last distance are both {request.start:g}; give two that differ")
    values = [float(value) for value in np.linspace(request.start, request.end, request.steps)]
    rows = [[value if i == request.sweep else other for i, other in enumerate(by)] for value in values]
    return rows, [signed(value, 2) for value in values]


@torch.inference_mode()
def open_recipe(
    workspace: Workspace, session: Session, request: OpenRecipe, answer: Answer
) -> dict[str, Any]:
    """Return the edit of a recipe, and whether its pixels are the same; its codes are kept as a picture."""
    try:
        return _opened(workspace, session, parse_recipe(request.text))
    except ConfigError as error:  # its first line is for a terminal
        raise UserError(f"the recipe: {'; '.join(str(fault) for fault in error.faults[:FAULTS])}") from None


def _opened(workspace: Workspace, session: Session, recipe: Recipe) -> dict[str, Any]:
    """Return the edit of a recipe that fits its form."""
    run, prepared = workspace.run, workspace.prepared
    check_run(run, prepared, recipe)
    inverted = _folder_of(workspace, recipe)
    source, parts, amounts = compose(prepared, workspace.known, recipe, run.step_unit_in, inverted=inverted)
    names = [move.along for move in recipe.moves]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"the recipe moves along {twice[0]} twice, at different layers, and this page has one slider for "
            "it; `ganstrata manipulate --recipe` makes it"
        )
    edit = _as_edit(recipe)
    live = LivePicture(prepared, source)
    rendering = live.render(parts, amounts, truncation=recipe.truncation)
    apart = None if recipe.pixels is None else difference(recipe.pixels, to_pixels(rendering.pictures)[0])
    facts: dict[str, Any] = {}
    if recipe.picture.seed is None and recipe.picture.sample is None:
        name = _name_of(recipe)
        session.require_room()
        named = source if source.inverted else replace(source, names=(name,))
        key = session.keep(name, named, words="From a recipe")
        facts = {"kept": key, "name": name}
        edit = edit.model_copy(update={"picture": PictureRef(kept=key)})
    return {
        "edit": edit.model_dump(mode="json"),
        **facts,
        "same": None if recipe.pixels is None else apart is None,
        "words": _same_in_words(recipe, None if apart is None else apart.in_words),
    }


def _as_edit(recipe: Recipe) -> Edit:
    """Return the edit of a recipe as the page holds it; it has no picture yet where codes are to be kept.

    Raises:
        UserError: the page does not reach as far.
    """
    moves = [move.model_dump() for move in recipe.moves]
    picture = {"seed": recipe.picture.seed, "sample": recipe.picture.sample}
    try:
        return Edit.model_validate({"picture": picture, "truncation": recipe.truncation, "moves": moves})
    except ValidationError as error:
        place = " -> ".join(str(key) for key in error.errors()[0]["loc"])
        raise UserError(
            f"the recipe goes farther than this page does ({place}); `ganstrata manipulate --recipe` makes it"
        ) from None


def _name_of(recipe: Recipe) -> str:
    """Return the name of a picture that a recipe brings along."""
    picture = recipe.picture
    if picture.inverted is not None:
        return (picture.inverted.origin or picture.inverted.name)[:80]
    return (picture.codes.origin if picture.codes is not None else "")[:80] or "From a recipe"


def _same_in_words(recipe: Recipe, apart: str | None) -> str:
    if recipe.pixels is None:
        return "The recipe does not say which pixels it had."
    return "The picture has the same pixels as when the recipe was made." if apart is None else f"{apart}."


def _folder_of(workspace: Workspace, recipe: Recipe) -> Source | None:
    """Return the picture of a folder that a recipe names, if the command named the folder too."""
    wanted = recipe.picture.inverted
    if wanted is None:
        return None
    found = [
        kept.source
        for kept in workspace.begun
        if kept.source.names[0] == wanted.name and _digest_of(kept.source) == wanted.sha256
    ]
    return found[0] if found else None


def _digest_of(source: Source) -> str | None:
    """Return the digest of the codes of an inverted picture; None for another."""
    return None if source.folder is None else source.folder.sha256


def pixels_of_edit(workspace: Workspace, session: Session, edit: Edit) -> Pixels:
    """Return the picture of an edit as the generator makes it, (H, W, C)."""
    picture = live_picture(workspace, session, edit.picture)
    amounts = [move.by for move in edit.moves]
    rendering = picture.render(parts_of(workspace, edit.moves), amounts, truncation=edit.truncation)
    pixels: Pixels = to_pixels(rendering.pictures)[0]
    return pixels


def recipe_of_edit(workspace: Workspace, session: Session, edit: Edit) -> Recipe:
    """Return the recipe of an edit.

    Raises:
        UserError: the picture has weights or large noise maps of its own, and is of no folder.
    """
    pixels, ref = pixels_of_edit(workspace, session, edit), edit.picture  # also checks the edit
    if ref.kept is None:
        picture = RecipePicture(seed=ref.seed, sample=ref.sample)
    else:
        source = live_picture(workspace, session, ref).source
        folders = [kept.source.folder for kept in workspace.begun]
        named = {folder.sha256 for folder in folders if folder is not None}
        picture = picture_of(source, session.kept[ref.kept].name, named)
    moves = [RecipeMove(**move.model_dump()) for move in edit.moves]
    return recipe_of(
        workspace.run,
        workspace.prepared,
        workspace.known,
        picture,
        moves,
        truncation=edit.truncation,
        pixels=pixels,
    )


def _codes(workspace: Workspace, session: Session, edit: Edit) -> tuple[bytes, list[str]]:
    """Return a file of the codes of an edit, which `--codes` reads, and what it leaves out.

    Raises:
        UserError: the picture has weights of its own, or styles are moved, which no codes hold.
    """
    live = live_picture(workspace, session, edit.picture)
    source, generator = live.source, workspace.prepared.generator
    if any(source.weights):
        raise UserError(
            "this picture has weights of its own, which a file of codes does not hold; the folder that "
            "`ganstrata invert` writes has both"
        )
    codes = live.codes(parts_of(workspace, edit.moves), [move.by for move in edit.moves], edit.truncation)
    condition = None if source.condition is None else source.condition.cpu()
    noise = {s: maps.cpu() for s, maps in source.noise.items()}
    inversion = Inversion(codes.cpu().clone(), condition, noise=noise)
    seed = workspace.prepared.seed if source.noise_seed is None else source.noise_seed
    content = codes_bytes(
        inversion, source.index, [_stem(source.names[0])], generator=generator.fingerprint, seed=seed
    )
    others = source.stream != Stream.EDITING
    return content, ["Where the generator draws fresh noise, these codes get other noise."] if others else []


def _offer(
    workspace: Workspace,
    session: Session,
    picture: str,
    word: str,
    ending: str,
    content: bytes,
    remarks: Sequence[str],
) -> dict[str, Any]:
    """Keep a file until it is fetched, and say how it is fetched; `picture` is the name of what it shows."""
    stem = "-".join(filter(None, (_stem(workspace.run.path.resolve().name), _stem(picture), word)))
    name = f"{stem}.{ending}"
    key = session.offer(name, TYPES[ending], content)
    return {"file": key, "name": name, "bytes": len(content), "remarks": list(remarks)}


def _stem(text: str) -> str:
    """Return words as a part of a file's name: letters, digits and hyphens.

    >>> _stem("Seed 3, painted"), _stem("../..")
    ('seed-3-painted', 'picture')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-") or "picture"


HANDLERS: Handlers = {
    "take_home": Handler(Nothing, possible, THUMBNAIL, "take_home"),
    "export": Handler(Export, export, THUMBNAIL, "export"),
    "export_series": Handler(Series, export_series, JOB, "series"),
    "open_recipe": Handler(OpenRecipe, open_recipe, THUMBNAIL, "open_recipe"),
}
