"""Open segmentation folders of one generator and one teacher, and compare their extractors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...messages import listed
from ...plugins.records import StatedAccuracy
from ...randomness import Stream
from ...runs.progress import Progress
from ...statistics import sample_means
from ...storage.json_values import JsonObject
from ..agreement import image_ious, selected_classes
from ..extractor import Extractor
from ..learning.folder import open_another, open_segmentation
from ..record import record_of
from ..samples import LabelledSamples
from ..subject import Subject
from .evaluation import Evaluation, evaluate, strata_of
from .quality import Quality, quality_of


@dataclass(frozen=True)
class Selection:
    """Hold the classes that some extractor reads well enough, on pictures other than those of the evaluation.

    Attributes:
        threshold: IoU that a class exceeds.
        images: number of pictures.
        classes: names of the chosen classes.
        left_out: names of the others, without the background.
    """

    threshold: float
    images: int
    classes: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Hold extractors that were compared, and what they were compared with.

    Attributes:
        source: where the generator's weights come from.
        teacher: name of the teacher's plugin.
        stated: how right the teacher is, as its makers state it; None if they do not.
        evaluation: overlaps with the teacher's labels.
        quality: qualities with intervals.
        selection: chosen classes; None if none were asked for.
        record: generator, teacher, seed, extractors and provenance, for the index.
    """

    source: str
    teacher: str
    stated: StatedAccuracy | None
    evaluation: Evaluation
    quality: Quality
    selection: Selection | None
    record: JsonObject


def compare(
    folders: Sequence[Path],
    images: int,
    *,
    select: float | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare the extractors of segmentation folders on new pictures.

    Args:
        folders: finished segmentation folders of one generator, one teacher and the same classes.
        images: number of pictures.
        select: IoU above which a class is chosen, on as many other pictures; None to choose none.
        device: device to compute on; None for that of the first folder's config.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: a folder is not one, or does not fit the others.
        GanstrataError: a plugin fails.
    """
    progress = progress or Progress(quiet=True)
    subject, extractors = open_extractors(folders, device, progress)
    samples = replace(subject.samples, strata=strata_of(list(extractors.values())))
    selection = None if select is None else _select(samples, extractors, images, select, progress)
    with progress.stage("evaluate", total=images) as done:
        evaluation = evaluate(samples, extractors, images, progress=done)
    segmenter = samples.teacher.segmenter
    return Comparison(
        subject.generator.card.source,
        subject.taught_by.use,
        segmenter.accuracy,
        evaluation,
        quality_of(evaluation, seed=samples.seed),
        selection,
        record_of(subject, extractors),
    )


def open_extractors(
    folders: Sequence[Path], device: str | None = None, progress: Progress | None = None
) -> tuple[Subject, dict[str, Extractor]]:
    """Open the extractors of several segmentation folders, by the names of the folders.

    Returns:
        Generator and teacher of the first folder, and the extractors.

    Raises:
        UserError: a folder is none or is given twice, or has another generator or teacher than the first.
    """
    if again := [
        str(f) for f in dict.fromkeys(folders) if [x.resolve() for x in folders].count(f.resolve()) > 1
    ]:
        raise UserError(f"{listed(again)} is given more than once; give each folder once")
    first, extractor = open_segmentation(folders[0], device, progress)
    extractors = {_name(folders[0], folders): extractor}
    for folder in folders[1:]:
        first, extractors[_name(folder, folders)] = open_another(folder, first, folders[0], progress)
    return first, extractors


def _name(folder: Path, folders: Sequence[Path]) -> str:
    """Return the name of a folder, or its path if another folder has the same name."""
    names = [path.resolve().name for path in folders]
    name = folder.resolve().name
    return name if names.count(name) == 1 else str(folder)


def _select(
    samples: LabelledSamples,
    extractors: Mapping[str, Extractor],
    images: int,
    threshold: float,
    progress: Progress,
) -> Selection:
    """Choose classes on the validation stream."""
    with progress.stage("select", total=images) as done:
        found = evaluate(
            samples, extractors, images, stream=Stream.VALIDATION, layerwise=False, progress=done
        )
    ious = np.stack([sample_means(image_ious(reading.whole)) for reading in found.readings])
    ious = np.where(found.occurs, ious, np.nan)
    chosen = selected_classes(ious, threshold, background=found.background)
    names = found.classes
    others = (m for m in range(int(found.background), len(names)) if m not in chosen)
    return Selection(threshold, images, tuple(names[m] for m in chosen), tuple(names[m] for m in others))
