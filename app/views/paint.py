"""Answer the view Paint: segmentations, edits by painting, and samples of a painted segmentation."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ...core.decimals import percent
from ...core.editing.sources import CodesFile, Source
from ...core.errors import DataError
from ...core.figures.masks import hexadecimal
from ...core.plugins.records import Latents, Rendering
from ...core.randomness import Stream
from ...core.semantics.annotation.legend import Legend
from ...core.semantics.annotation.masks import label_png
from ...core.semantics.painting.defaults import CANDIDATES, EMPHASIS
from ...core.semantics.painting.edit_measures import label_change
from ...core.semantics.painting.editing import match_strokes
from ...core.semantics.painting.sampling import best_candidates, sample_like
from ...core.strata.code_search import Look, Renderer, Search
from ...core.strata.code_spaces import CodeSpace
from ...core.strata.search_defaults import STEPS
from ..compute import Stopped
from ..handlers import JOB, SCORES, THUMBNAIL, Answer, Edit, Handler, Handlers, Index, Nothing, Request
from ..sessions import Session
from ..workspace import Workspace
from .judging import Judge, judge_of
from .pictures import pixels_of, rendered, send_picture
from .searching import Watcher, canvas_of, sends_previews
from .segmenting import NONE_HERE, Reader, learn, reader_of, readers
from .strokes import EncodedMask, read_strokes

PAINTED = "painted in the app"
CANDIDATES_AT_ONCE = 4  # few, so that frames that somebody drags do not wait long
By = Annotated[str, Field(min_length=1, max_length=80)]
Steps = Annotated[int, Field(ge=1, le=500)]


class Segment(Request):
    """Ask for the picture of an edit, and for its segmentation if `by` says by what."""

    edit: Edit
    by: By | None = None


class Paint(Request):
    """Ask for an edit by painting.

    Attributes:
        edit: the edit to begin with; its moves become part of the new picture.
        strokes: the painted classes.
        by: what segments.
        steps: steps of Adam.
        emphasis: weight of the painted pixels beside that of all pixels.
    """

    edit: Edit
    strokes: EncodedMask
    by: By
    steps: Steps = STEPS
    emphasis: Annotated[float, Field(ge=0.0, le=10.0)] = EMPHASIS


class SampleLike(Request):
    """Ask for samples of a painted segmentation.

    Attributes:
        mask: the painted classes; where nothing is painted, anything is right.
        by: what segments.
        count: number of pictures.
        candidates: samples from which each picture's start is chosen.
        steps: steps of Adam; 0 takes the candidates as they are.
        first: number of the first candidate; another gives other pictures.
    """

    mask: EncodedMask
    by: By
    count: Annotated[int, Field(ge=1, le=12)] = 4
    candidates: Annotated[int, Field(ge=1, le=100)] = CANDIDATES
    steps: Annotated[int, Field(ge=0, le=500)] = STEPS
    first: Index = 0


def segmenters(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Return what can segment the pictures, and why nothing can."""
    found = readers(workspace, session)
    return {"readers": found, "why": "" if found else NONE_HERE}


@torch.no_grad()
def segment(workspace: Workspace, session: Session, request: Segment, answer: Answer) -> dict[str, Any]:
    """Send the picture of an edit and its labels, a PNG with a palette, and return their legend."""
    if request.by is None:
        send_picture(
            answer,
            pixels_of(workspace, rendered(workspace, session, request.edit)),
            lossless=True,
            of="picture",
        )
        return {}
    reader = reader_of(workspace, session, request.by)
    canvas = canvas_of(workspace, session, request.edit, reader)
    rendering = canvas.renderer.render(canvas.codes)
    send_picture(answer, pixels_of(workspace, rendering), lossless=True, of="picture")
    return send_labels(answer, reader, rendering)


def send_labels(answer: Answer, reader: Reader, rendering: Rendering, **facts: Any) -> dict[str, Any]:
    """Send the labels of the first picture of a rendering, and return their legend and size."""
    size = reader.measure(rendering)
    labels = reader.predictor.labels(rendering, size)[0].cpu().numpy()
    legend = Legend.of(reader.predictor.classes)
    answer.picture(label_png(labels, legend), "image/png", (size[1], size[0]), of="labels", **facts)
    return {"classes": legend_data(legend, labels), "width": size[1], "height": size[0]}


def legend_data(legend: Legend, labels: NDArray[np.integer]) -> list[dict[str, Any]]:
    """Return name, colour and share of the pixels of each class."""
    counts = np.bincount(labels.ravel(), minlength=len(legend.names))
    return [
        {"name": name, "colour": hexadecimal(colour), "share": round(float(count) / labels.size, 5)}
        for name, colour, count in zip(legend.names, legend.colours, counts, strict=True)
    ]


def paint(workspace: Workspace, session: Session, request: Paint, answer: Answer) -> dict[str, Any]:
    """Search codes whose segmentation is the painted one, and keep the best picture."""
    session.require_room()
    reader = reader_of(workspace, session, request.by)
    canvas = canvas_of(workspace, session, request.edit, reader)
    if canvas.start is None:
        raise DataError(
            "the truncation of this generator cannot be undone, so that its codes cannot be searched; use "
            "the run of a config without truncation"
        )
    with torch.no_grad():
        size = reader.measure(canvas.renderer.render(canvas.codes))
    strokes = read_strokes(request.strokes, len(reader.predictor.classes), size)
    watcher = Watcher(answer, sends_previews(workspace, answer), 0, request.steps)
    matched = match_strokes(
        canvas.renderer,
        canvas.start,
        reader.predictor,
        strokes,
        size,
        search=Search(request.steps, reader.predictor.learning_rate),
        emphasis=request.emphasis,
        where="the strokes",
        watch=watcher,
    )
    best, steps = watcher.best, len(matched.found.losses) - 1
    assert best is not None
    if best.step == 0:
        return {"kept": None, "steps": steps, "stopped": watcher.stopped}
    with torch.no_grad():
        before, after = (reader.predictor.labels(x, size) for x in (matched.found.before, best.rendering))
        change = label_change(before, after, matched.painted, matched.target)
    judge = judge_of(workspace, request.by, reader.predictor.classes)
    judged = ""
    if judge is not None:
        judged = judge.of_edit(canvas.renderer, canvas.codes, best.codes, matched.painted, matched.target)
    name = f"{_plain_name(canvas.source)}, painted"
    words = ". ".join(filter(None, (change.in_words(), judged)))
    facts = {"name": name, "words": words, "steps": steps, "stopped": watcher.stopped}
    source = canvas.source.with_codes(best.codes.clone(), name, PAINTED)
    kept = session.keep(name, source, made="painted", words=facts["words"])
    sends_previews(workspace, answer)(best)
    return {"kept": kept, **facts}


def like_mask(workspace: Workspace, session: Session, request: SampleLike, answer: Answer) -> dict[str, Any]:
    """Sample pictures of a painted segmentation, one after the other, and keep each."""
    prepared, reader = workspace.prepared, reader_of(workspace, session, request.by)
    generator, predictor = prepared.generator, reader.predictor
    judge = judge_of(workspace, request.by, predictor.classes)
    size = _size_of_samples(workspace, reader)
    mask = read_strokes(request.mask, len(predictor.classes), size, "the mask")
    target = torch.from_numpy(mask).to(generator.device)
    drawing = -(-request.candidates // CANDIDATES_AT_ONCE)
    each = drawing + request.steps
    kept: list[dict[str, Any]] = []
    stopped = False
    for i in range(request.count):
        session.require_room()  # the pictures before are kept
        done = [i * each]

        def drawn(count: int, done: list[int] = done) -> None:
            done[0] += count
            answer.step(done[0], request.count * each, text="choosing a start")

        watcher = Watcher(answer, sends_previews(workspace, answer), i * each + drawing, request.count * each)
        try:
            starts = best_candidates(
                generator,
                predictor,
                target,
                1,
                request.candidates,
                batch=min(CANDIDATES_AT_ONCE, request.candidates),
                first=request.first + i * request.candidates,
                seed=prepared.seed,
                precision=prepared.precision,
                on_step=drawn,
            )
        except Stopped:
            stopped = True
            break
        sample_like(
            generator,
            predictor,
            target,
            starts,
            Search(request.steps),
            batch=1,
            seed=prepared.seed,
            precision=prepared.precision,
            watch=watcher,
        )
        stopped, best = watcher.stopped, watcher.best
        assert best is not None
        kept.append(_keep_sample(workspace, session, answer, starts.latents, best, reader, judge, target))
        if stopped:
            break
    return {"kept": kept, "stopped": stopped, "next": request.first + request.count * request.candidates}


@torch.no_grad()
def _keep_sample(
    workspace: Workspace,
    session: Session,
    answer: Answer,
    latents: Latents,
    best: Look,
    reader: Reader,
    judge: Judge | None,
    target: Tensor,
) -> dict[str, Any]:
    """Keep a sampled picture, show it, and say how much of the mask it matches."""
    labels = reader.predictor.labels(best.rendering, (target.shape[0], target.shape[1]))[0]
    known = target >= 0
    share = float((labels == target)[known].double().mean())
    name = f"Like a mask, from sample {int(latents.index[0])}"
    codes, condition = best.codes.clone(), latents.condition
    drawn = Source(
        codes, condition, latents.index, Stream.EDITING, (name,), CodesFile(PAINTED, "", "codes", 1)
    )
    source = drawn.with_codes(codes, name, PAINTED)
    words = f"{percent(share)} of the painted pixels have their class"
    if judge is not None and judge.can_read(best.rendering):
        words += f"; {judge.of_sample(best.rendering, target)}"
    kept = session.keep(name, source, made="sampled like a mask", words=words)
    send_picture(answer, pixels_of(workspace, best.rendering), lossless=False, kept=kept)
    return {"kept": kept, "name": name, "words": words}


def _plain_name(source: Source) -> str:
    """Return the name of a picture as the page shows it, once painted or more often."""
    name = source.names[0].removesuffix(", painted")
    return name[:1].upper() + name[1:]


@torch.no_grad()
def _size_of_samples(workspace: Workspace, reader: Reader) -> tuple[int, int]:
    """Return height and width of the labels of samples."""
    generator = workspace.prepared.generator
    latents = generator.sample(1, workspace.prepared.seed, 0, Stream.EDITING)
    space = CodeSpace(generator, "z", latents.condition)
    renderer = Renderer(space, latents, reader.predictor.strata, workspace.prepared.seed)
    return reader.measure(renderer.render(space.codes(space.start(latents))))


HANDLERS: Handlers = {
    "segmenters": Handler(Nothing, segmenters, THUMBNAIL, "segmenters"),
    "segment": Handler(Segment, segment, SCORES, "segment"),
    "learn": Handler(Nothing, learn, JOB, "job"),
    "paint": Handler(Paint, paint, JOB, "job"),
    "sample_like": Handler(SampleLike, like_mask, JOB, "job"),
}
