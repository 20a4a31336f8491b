"""Learn from the painted masks of a folder, and add the pictures to annotate next to it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from ...config.reading import validate_annotate
from ...errors import RunError
from ...runs.lock import locked_results
from ...runs.progress import Progress
from ...storage.result_folder import recover, staged
from ..extractor import Extractor, MadeFor
from ..learning.folder import INDEX as SEGMENTATION
from ..learning.folder import finish
from ..learning.log import COLUMNS
from ..subject import Subject, build_subject
from .annotations import INDEX
from .atelier import Atelier
from .mask_heads import (
    LearnRequest,
    Suggestion,
    check_pool,
    extractor_of_masks,
    learnt_heads,
    suggested,
)


def learn(
    folder: Path,
    out: Path,
    request: LearnRequest,
    *,
    resize: bool = False,
    device: str | None = None,
    progress: Progress | None = None,
) -> tuple[int, ...]:
    """Learn an extractor from painted masks, into a segmentation folder that `edit` and `sample` can open.

    The folder has the teacher of the annotated one, which has none if its classes were named. Where there is
    a teacher, it has taught nothing, but `eval` can compare.

    Args:
        folder: folder of `annotate`, with painted masks.
        out: the segmentation folder, new or empty.
        request: how to learn.
        resize: whether masks of another size are changed to that of the pictures.
        device: device to compute on; None for that of the folder's config.
        progress: where progress is shown; nowhere by default.

    Returns:
        The samples whose masks were learnt.

    Raises:
        UserError: nothing is annotated, a mask cannot be read, or an ensemble has a single mask; nothing was
            written.
    """
    with locked_results(out):
        recover(out, SEGMENTATION)  # what a killed process left
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunError(f"{out} is not empty; give an empty or a new --out")
        subject, extractor, index = _learnt(folder, request, resize, device, progress or Progress(quiet=True))
        with staged(out, SEGMENTATION) as place:
            finish(place, subject, extractor, [[len(index), *[math.nan] * (len(COLUMNS) - 1)]])
    return index


def _learnt(
    folder: Path, request: LearnRequest, resize: bool, device: str | None, progress: Progress
) -> tuple[Subject, Extractor, tuple[int, ...]]:
    """Learn what `learn` writes; return it with the generator and the teacher, and the samples."""
    atelier = Atelier.open(folder, device)
    index, maps, labels = atelier.annotated(resize=resize)
    with progress.stage("learn", total=request.heads) as bar:
        rate = atelier.config.training.learning_rate
        heads = learnt_heads(atelier.samples, index, maps, labels, request, learning_rate=rate, advance=bar)
    used = atelier.config.generator
    made_for = MadeFor.of(atelier.samples.generator, used.use, used.options)
    extractor = extractor_of_masks(atelier.samples, index, heads, atelier.annotations.size, made_for, request)
    data, source = atelier.config.as_data(), str(folder / INDEX)
    # It is an LSE, whatever the config says of trained ones.
    data["extractor"] |= {"head": "LSE", "layer_weights": "equal"}
    subject = build_subject(validate_annotate(data, source), source, extractor=extractor)
    architecture = replace(extractor.architecture, background=subject.teacher.background)
    return subject, replace(extractor, architecture=architecture), index


def suggest(
    folder: Path,
    count: int,
    pool: int,
    *,
    heads: int = 10,
    device: str | None = None,
    resize: bool = False,
    progress: Progress | None = None,
) -> list[Suggestion]:
    """Choose the pictures to annotate next out of a pool of new ones, and write them into the folder.

    An ensemble learns from the masks there are. The pictures on which its heads disagree most are taken,
    each of other classes than the ones before.

    Args:
        folder: folder of `annotate`, with painted masks.
        count: number of pictures.
        pool: number of new pictures among which to choose.
        heads: heads of the ensemble, at least 2.
        device: device to compute on; None for that of the folder's config.
        resize: whether masks of another size are changed to that of the pictures.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: fewer than two masks are painted, a mask cannot be read, or the pool is too small.
    """
    check_pool(count, pool)
    progress = progress or Progress(quiet=True)
    with locked_results(folder):  # its list of samples is read, and written again
        atelier = Atelier.open(folder, device)
        index, maps, labels = atelier.annotated(resize=resize)
        with progress.stage("suggest", total=pool) as bar:
            chosen, ensemble = suggested(
                atelier.samples,
                index,
                maps,
                labels,
                count,
                pool,
                heads=heads,
                taken=atelier.annotations.samples,
                advance=bar,
            )
        new = [one.sample for one in chosen]
        atelier.write_pictures(new, ensemble)
        atelier.annotations.with_more(new).save()
    return chosen
