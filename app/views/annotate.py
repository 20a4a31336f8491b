"""Answer the view Annotate: pictures to paint on, extractors learnt from masks, and both as files."""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...core.checkpoints import BUNDLED, is_remote
from ...core.config.segment_schema import AnnotateConfig
from ...core.errors import UserError
from ...core.figures.pictures import opaque, png, reduced, to_pixels
from ...core.randomness import Stream
from ...core.semantics.annotation.annotations import INDEX, Annotations
from ...core.semantics.annotation.api import chosen_to_annotate, extractor_of_painted, painted_samples
from ...core.semantics.annotation.atelier import unlabelled_samples
from ...core.semantics.annotation.legend import CLASSES, UNKNOWN_COLOUR, Legend, class_names
from ...core.semantics.annotation.mask_heads import LearnRequest
from ...core.semantics.annotation.masks import Labels, label_png
from ...core.semantics.extractor import MadeFor
from ...core.semantics.extractor_file import extractor_content
from ...core.semantics.learning.annotated import draw_samples
from ...core.semantics.samples import LabelledSamples
from ...core.storage.paths import user_path
from ..handlers import JOB, THUMBNAIL, Answer, Handler, Handlers, Request
from ..sessions import Session
from ..workspace import Workspace
from .jobs import JobProgress
from .paint import By, send_labels
from .pictures import send_picture
from .segmenting import BATCH, MOST_OWN, extractor_of, own_extractors, reader_of
from .strokes import EncodedMask, read_strokes

MOST_MASKS = 32
MOST_CLASSES = 64
POOL = 64  # new pictures among which those to paint next are chosen
HEADS = 8  # of the ensemble that chooses them
Sample = Annotated[int, Field(ge=0, lt=2**53)]
Colour = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]


class Drawn(Request):
    """Ask for pictures to paint on; `by` asks for labels beside them, `size` for small pictures."""

    samples: Annotated[
        tuple[Sample, ...], Field(fail_fast=True, min_length=1, max_length=MOST_MASKS, strict=False)
    ]
    by: By | None = None
    size: Annotated[int, Field(ge=32, le=2048)] = 2048


class Class(Request):
    """Name a class, and its colour."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    colour: Colour


class Mask(Request):
    """Hold the mask of a sample."""

    sample: Sample
    mask: EncodedMask


class Masks(Request):
    """Hold what was painted: the classes, and the masks."""

    classes: Annotated[
        tuple[Class, ...], Field(fail_fast=True, min_length=2, max_length=MOST_CLASSES, strict=False)
    ]
    masks: Annotated[
        tuple[Mask, ...], Field(fail_fast=True, min_length=1, max_length=MOST_MASKS, strict=False)
    ]


class Suggest(Masks):
    """Ask for the pictures to paint next; `taken` are those on the page that are not painted yet."""

    count: Annotated[int, Field(ge=1, le=12)] = 4
    taken: Annotated[tuple[Sample, ...], Field(fail_fast=True, max_length=MOST_MASKS, strict=False)] = ()


class ExtractorFile(Request):
    """Ask for the file of an extractor."""

    by: By


@torch.no_grad()
def drawn(workspace: Workspace, session: Session, request: Drawn, answer: Answer) -> dict[str, Any]:
    """Send pictures to paint on, and what segments them sees in them; return the legend."""
    reader = None if request.by is None else reader_of(workspace, session, request.by)
    strata = () if reader is None else reader.predictor.strata
    samples = _samples(workspace, ("nothing", "painted"), strata)
    legend: dict[str, Any] = {}
    for sample in request.samples:
        rendering = draw_samples(samples, [sample], Stream.TRAINING).rendering
        picture = _pixels(workspace, rendering.pictures)
        send_picture(answer, reduced(picture, request.size), lossless=True, of="picture", sample=sample)
        if reader is not None:
            legend = send_labels(answer, reader, rendering, sample=sample)
        answer.breathe()
    card = workspace.prepared.generator.card
    return {"width": card.width, "height": card.height, **legend}


def train(workspace: Workspace, session: Session, request: Masks, answer: Answer) -> dict[str, Any]:
    """Learn an extractor from painted masks, and keep it in the tab."""
    began, own = time.monotonic(), own_extractors(session)
    samples, painted = _learnable(workspace, request)
    progress = JobProgress(answer)
    extractor = extractor_of_painted(samples, painted, LearnRequest(), progress)
    number = session.memory.get("extractors made", 0) + 1
    session.memory["extractors made"] = number
    by = f"own {number}"
    words = f"Learnt from {len(painted)} {'mask' if len(painted) == 1 else 'masks'}, no. {number}"
    own[by] = (words, extractor)
    while len(own) > MOST_OWN:
        del own[next(iter(own))]
    return {
        "by": by,
        "words": words,
        "seconds": round(time.monotonic() - began, 2),
        "masks": len(painted),
        "remarks": progress.remarks,
    }


def suggest(workspace: Workspace, session: Session, request: Suggest, answer: Answer) -> dict[str, Any]:
    """Return the new pictures on which an ensemble that learnt from the masks disagrees most."""
    samples, painted = _learnable(workspace, request)
    chosen = chosen_to_annotate(
        samples, painted, request.count, POOL, HEADS, JobProgress(answer), taken=request.taken
    )
    assert chosen.doubt is not None
    return {
        "samples": [
            {"sample": sample, "doubt": round(float(doubt), 4)}
            for sample, doubt in zip(chosen.samples, chosen.doubt, strict=True)
        ],
        "pool": POOL,
    }


@torch.no_grad()
def masks_file(workspace: Workspace, session: Session, request: Masks, answer: Answer) -> dict[str, Any]:
    """Offer the masks as an archive of a folder that `ganstrata segment learn` reads."""
    names, masks = _masks(workspace, request)
    colours = np.array([list(bytes.fromhex(one.colour[1:])) for one in request.classes], dtype=np.uint8)
    _check_colours(colours)
    samples = _samples(workspace, names)
    card, used = workspace.prepared.generator.card, workspace.run.config.generator
    options = without_folders(used.options)
    config = AnnotateConfig.model_validate({"generator": {"use": used.use, "with": options}})
    with tempfile.TemporaryDirectory(prefix="ganstrata-") as place:
        folder = Annotations(
            Path(place),
            config.as_data()
            | {"teacher": None, "training": config.training.model_dump() | {"seed": samples.seed}},
            MadeFor.of(samples.generator, used.use, options),
            samples.seed,
            (card.height, card.width),
            tuple(masks),
            Legend(names, colours),
        )
        folder.save()
        (folder.path / CLASSES).write_text(folder.legend.text(), encoding="utf-8")
        (folder.path / "classes.png").write_bytes(folder.legend.picture())
        for sample, mask in masks.items():
            pictures = draw_samples(samples, [sample], Stream.TRAINING).rendering.pictures
            folder.file("sample", sample).write_bytes(png(_pixels(workspace, pictures)))
            folder.file("mask", sample).write_bytes(label_png(mask, folder.legend))
            answer.breathe()
        content = _zipped(folder.path)
    key = session.offer("annotations.zip", "application/zip", content)
    return {"file": key, "name": "annotations.zip", "index": INDEX}


def extractor_file(
    workspace: Workspace, session: Session, request: ExtractorFile, answer: Answer
) -> dict[str, Any]:
    """Offer the file of an extractor, which `ganstrata segment` reads."""
    extractor = extractor_of(workspace, session, request.by)
    made_for = replace(extractor.made_for, options=without_folders(extractor.made_for.options))
    facts = dict(extractor.facts)
    if isinstance(taught := facts.get("teacher"), Mapping) and "options" in taught:
        facts["teacher"] = {**taught, "options": without_folders(taught["options"])}
    content = extractor_content(replace(extractor, made_for=made_for, facts=facts))
    name = "extractor.safetensors"
    return {"file": session.offer(name, "application/octet-stream", content), "name": name}


def without_folders(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a plugin in which a path of this machine is the name of its file alone.

    >>> without_folders({"a": "/home/me/x.pkl", "b": "bundled:rooms", "c": {"d": ["~/y.pt", "a/b"]}})
    {'a': 'x.pkl', 'b': 'bundled:rooms', 'c': {'d': ['y.pt', 'a/b']}}
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        if not isinstance(value, str) or value.startswith(BUNDLED) or is_remote(value):
            return value
        if PureWindowsPath(value).drive:
            return PureWindowsPath(value).name
        is_path = PurePosixPath(value).is_absolute() or value.startswith("~") or user_path(value).exists()
        return PurePosixPath(value).name if is_path else value

    return {key: plain(value) for key, value in data.items()}


def _samples(workspace: Workspace, classes: Sequence[str], strata: tuple[int, ...] = ()) -> LabelledSamples:
    """Return the samples that are painted on: those of Stream.TRAINING with the seed of the run."""
    prepared = workspace.prepared
    return unlabelled_samples(
        prepared.generator, classes, strata, prepared.seed, BATCH, precision=prepared.precision
    )


def _masks(workspace: Workspace, request: Masks) -> tuple[tuple[str, ...], dict[int, Labels]]:
    """Return the names of the classes, and the masks (H, W) by sample.

    Raises:
        UserError: a name or a mask does not fit, or a sample is given twice.
    """
    names = class_names([one.name for one in request.classes])
    card = workspace.prepared.generator.card
    masks: dict[int, Labels] = {}
    for one in request.masks:
        if one.sample in masks:
            raise UserError(f"picture {one.sample} has two masks")
        where = f"the mask of picture {one.sample}"
        masks[one.sample] = read_strokes(one.mask, len(names), (card.height, card.width), where)
    return names, masks


def _learnable(workspace: Workspace, request: Masks) -> tuple[LabelledSamples, dict[int, Tensor]]:
    """Return the samples and the masks that an extractor learns from."""
    names, masks = _masks(workspace, request)
    prepared = workspace.prepared
    samples, painted = painted_samples(
        "the view Annotate", prepared.generator, masks, names, seed=prepared.seed, batch=BATCH
    )
    return replace(samples, precision=prepared.precision), painted


def _check_colours(colours: Any) -> None:
    """Refuse colours (M, 3) that a mask cannot hold.

    Raises:
        UserError: two are the same, or one means that nothing is painted.
    """
    if len(np.unique(colours, axis=0)) < len(colours):
        raise UserError(
            "two classes have the same colour; give each its own, or files cannot tell them apart"
        )
    if (colours == UNKNOWN_COLOUR).all(axis=1).any():
        raise UserError("black means that nothing is painted; give the class another colour")


def _pixels(workspace: Workspace, pictures: Tensor) -> Any:
    """Return the first of some pictures (N, C, H, W) as RGB, (H, W, 3)."""
    return opaque(to_pixels(pictures[:1])[0], workspace.prepared.generator.card.background)


def _zipped(folder: Path) -> bytes:
    """Return an archive of the files of a folder, which it names `annotations`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"annotations/{path.name}")
    return buffer.getvalue()


HANDLERS: Handlers = {
    "drawn": Handler(Drawn, drawn, THUMBNAIL),
    "train": Handler(Masks, train, JOB, "job"),
    "suggest": Handler(Suggest, suggest, JOB, "job"),
    "masks_file": Handler(Masks, masks_file, THUMBNAIL, "masks_file"),
    "extractor_file": Handler(ExtractorFile, extractor_file, THUMBNAIL, "extractor_file"),
}
