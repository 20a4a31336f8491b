"""Edit one sample by painting, and write the result as a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ...device import sent
from ...errors import UserError
from ...figures.pictures import Pixels, png, to_pixels
from ...plugins.records import Rendering
from ...runs.progress import Progress
from ...storage.disk import file_hash
from ...storage.json_values import JsonObject
from ...strata.code_search import Found, Objective, Renderer, Search, search_codes
from ...strata.code_spaces import CodeSpace, SpaceName
from ...strata.layers import groups_of, layer_sets
from ..annotation.legend import Legend, legend_beside
from ..annotation.masks import label_png, read_mask
from ..nearest import nearest_planes
from .colour_strokes import read_colour_strokes
from .defaults import EMPHASIS
from .edit_measures import ColourChange, LabelChange, colour_change, label_change
from .editing import by_colours, by_labels, painted_target
from .painted_folder import Content, Names, make_into
from .painted_page import edit_page
from .painted_picture import Picture
from .studio import COMMAND, Studio, pictures_of

By = Literal["extractor", "teacher", "colour"]
WAYS: tuple[By, ...] = get_args(By)
INDEX = "edit.json"
PAGE = "edit.html"


@dataclass(frozen=True)
class PaintRequest:
    """Ask for an edit by painting.

    Attributes:
        sample: number of the sample in Stream.EDITING, or name or number of an inverted picture.
        strokes: a PNG of strokes.
        codes: folder of inverted pictures; None for samples.
        space: space whose codes move; None for z, or that in which the picture was inverted.
        layers: layers whose codes move: numbers, or the name of a group; None for all.
        search: steps, learning rate and penalties.
        emphasis: weight of the painted pixels beside that of all pixels.
        by: extractor or teacher: strokes are classes, and this segments; colour: strokes are colours.
        resize: whether strokes of another size are resized.
    """

    sample: int | str
    strokes: Path
    codes: Path | None = None
    space: SpaceName | None = None
    layers: str | None = None
    search: Search = field(default_factory=Search)
    emphasis: float = EMPHASIS
    by: By = "extractor"
    resize: bool = False


@dataclass(frozen=True)
class PaintedEdit:
    """Hold an edit and its measures.

    Attributes:
        request: what was asked.
        picture: what was edited.
        space: space whose codes moved.
        found: codes and renderings before and after.
        painted: painted pixels, (1, h, w), bool.
        target: wanted labels (1, H, W); None if colours were painted.
        wanted: wanted picture (h, w, 3); None if classes were painted.
        classes: names of the classes of all these labels.
        labels: labels (H, W) before and after of each predictor by its name.
        changes: how these labels changed.
        colours: how colours changed.
    """

    request: PaintRequest
    picture: Picture
    space: SpaceName
    found: Found
    painted: Tensor
    target: Tensor | None
    wanted: Pixels | None
    classes: tuple[str, ...]
    labels: Mapping[str, tuple[Tensor, Tensor]]
    changes: Mapping[str, LabelChange]
    colours: ColourChange


class _Task(NamedTuple):
    """Hold what an edit wants: painted pixels (1, h, w), and labels (1, H, W) or a picture (h, w, 3)."""

    objective: Objective
    painted: Tensor
    target: Tensor | None
    wanted: Pixels | None


def edit(studio: Studio, request: PaintRequest, progress: Progress | None = None) -> PaintedEdit:
    """Edit a sample so that it looks like what is painted.

    Raises:
        UserError: the strokes do not fit, or there are no such layers.
        DataError: the loss is not finite.
    """
    if request.by not in WAYS:
        raise UserError(f"edits by '{request.by}' are unknown; give one of {', '.join(WAYS)}")
    picture = studio.picture(request.sample, request.codes)
    space = CodeSpace.of(
        studio.generator, request.space or picture.default_space, picture.latents.condition, studio.seed
    )
    if request.layers is not None:
        groups, count = groups_of(studio.generator), studio.generator.card.layers
        named = layer_sets([request.layers], groups, count).values()
        space = space.only(sorted({layer for layers in named for layer in layers}), picture.codes)
    renderer = picture.renderer(space, studio.strata, studio.precision)
    start = picture.start(space)
    with torch.no_grad():
        before = renderer.render(space.codes(start))
    task = _by_colours(request, before) if request.by == "colour" else _by_labels(studio, request, before)
    with (progress or Progress(quiet=True)).stage("edit", total=request.search.steps) as on_step:
        found = search_codes(renderer, start, task.objective, request.search, on_step)
    return _measured(studio, request, picture, renderer, found, task)


def _by_colours(request: PaintRequest, before: Rendering) -> _Task:
    """Read strokes of colours."""
    strokes = read_colour_strokes(request.strokes, pictures_of(before)[0], resize=request.resize)
    painted = sent(strokes.painted, before.images.device)[None]
    wanted = sent(strokes.target, before.images.device).permute(2, 0, 1)[None]  # (1, 3, H, W)
    return _Task(by_colours(wanted, painted), painted, None, to_pixels(wanted)[0])


def _by_labels(studio: Studio, request: PaintRequest, before: Rendering) -> _Task:
    """Read strokes of classes, and paint them over the current labels."""
    predictor = studio.predictor("teacher" if request.by == "teacher" else "extractor")
    legend = legend_beside(request.strokes, predictor.classes)
    mask = read_mask(request.strokes, legend, studio.size, resize=request.resize)
    with torch.no_grad():
        current = predictor.labels(before, studio.size)[0].cpu().numpy()
    target, painted = painted_target(current, mask)
    if not bool(painted.any()):
        raise UserError(
            f"{request.strokes}: every painted pixel has its class already, so there is nothing to edit. "
            "Paint another class over the current labels, which the command writes without --strokes"
        )
    target, painted = (sent(x, before.images.device) for x in (target, painted))
    return _Task(by_labels(predictor, target, painted, request.emphasis), painted, target, None)


@torch.no_grad()
def _measured(
    studio: Studio,
    request: PaintRequest,
    picture: Picture,
    renderer: Renderer,
    found: Found,
    task: _Task,
) -> PaintedEdit:
    """Label the pictures before and after by the extractor and the teacher, and compare."""
    used = studio.predictor("teacher" if request.by == "teacher" else "extractor")
    labels: dict[str, tuple[Tensor, Tensor]] = {}
    changes: dict[str, LabelChange] = {}
    for name in studio.predictors:
        predictor = studio.predictor(name)
        if predictor.classes != used.classes:
            continue
        before, after = (predictor.labels(x, studio.size) for x in (found.before, found.after))
        labels[name] = before[0], after[0]
        changes[name] = label_change(before, after, nearest_planes(task.painted, studio.size), task.target)
    colours = colour_change(found.before.images, found.after.images, task.painted)
    return PaintedEdit(
        request,
        picture,
        renderer.space.name,
        found,
        task.painted,
        task.target,
        task.wanted,
        used.classes,
        labels,
        changes,
        colours,
    )


def edit_into(
    studio: Studio, request: PaintRequest, out: Path, progress: Progress | None = None
) -> PaintedEdit:
    """Edit a sample, and write the result as a folder, whole or not at all.

    Raises:
        RunError: the folder holds files that this command did not write.
        UserError: the strokes do not fit.
        DataError: the loss is not finite.
    """
    return make_into(
        out,
        Names(INDEX, PAGE, COMMAND),
        lambda: edit(studio, request, progress),
        lambda edited: _content(studio, edited),
    )


def _content(studio: Studio, edited: PaintedEdit) -> Content:
    """Return what the folder of an edit contains."""
    legend = Legend.of(edited.classes)
    before, after = (pictures_of(x)[0] for x in (edited.found.before, edited.found.after))
    pictures = {
        "before.png": png(before),
        "after.png": png(after),
        **{
            f"labels_{when}_{who}.png": label_png(labels.cpu().numpy(), legend)
            for who, pair in edited.labels.items()
            for when, labels in zip(("before", "after"), pair, strict=True)
        },
    }
    if edited.target is not None:
        pictures["target.png"] = label_png(edited.target[0].cpu().numpy(), legend)
    return Content(
        legend,
        pictures,
        edited.found.codes,
        edited.picture.latents.condition,
        lambda codes: edit_page(studio, edited, legend, codes),
        record_of(studio, edited),
    )


def record_of(studio: Studio, edited: PaintedEdit) -> JsonObject:
    """Return what edit.json holds: all that decides the pictures, and the measures."""
    request = edited.request
    return {
        "sample": edited.picture.name,
        "codes": edited.picture.origin,
        "strokes": {"file": request.strokes.name, "sha256": file_hash(request.strokes)},
        "by": request.by,
        "space": edited.space,
        "layers": request.layers,
        "search": asdict(request.search),
        "emphasis": request.emphasis,
        "resized": request.resize,
        "painted_pixels": int(edited.painted.sum()),
        "changes": {name: change.as_data() for name, change in edited.changes.items()},
        "colour_change_percent": edited.colours.as_data(),
        "losses": [float(loss) for loss in edited.found.losses[:, 0]],
        **studio.as_data(),
    }
