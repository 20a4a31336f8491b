"""Measure extractors that are trained on 1, 4, 8, 16 annotated pictures several times each (table 2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...config.segment_schema import SegmentConfig
from ...config.segment_unused import refuse_unused
from ...errors import RunError, UserError
from ...messages import quantity, visible
from ...runs.progress import Progress
from ...storage.disk import make_folder, read_bytes, write_text
from ...storage.json_values import JsonObject
from ...storage.seal import read_sealed, sealed_text
from ..extractor import Extractor
from ..learning.folder import open_other
from ..learning.shots import SPACING, Lesson, Trained, train_shots
from ..record import record_of
from ..subject import Subject, build_subject
from .evaluation import Evaluation, evaluate, strata_of
from .quality import Quality, quality_of

INDEX = "shots.json"
EXTRACTORS = "extractors"
FULL = "full"
WHAT = "folder of `ganstrata segment shots`"


@dataclass(frozen=True)
class ShotsRequest:
    """Say what is measured.

    Attributes:
        shots: numbers of annotated pictures.
        repeats: trainings for each number, each on other pictures.
        images: pictures that all are measured on.
        full: segmentation folder whose extractor is the one to compare with; None for none.
    """

    shots: tuple[int, ...] = (1, 4, 8, 16)
    repeats: int = 5
    images: int = 1000
    full: Path | None = None

    def __post_init__(self) -> None:
        """Refuse numbers of pictures that repeats would share, and the same number twice.

        Raises:
            UserError: one is below 1 or above SPACING, or there twice.
        """
        if len(set(self.shots)) < len(self.shots):
            raise UserError(f"numbers of annotated pictures are there twice: {list(self.shots)}")
        if wrong := [n for n in self.shots if not 1 <= n <= SPACING]:
            raise UserError(
                f"{quantity(wrong[0], 'annotated picture')} cannot be measured: give numbers from 1 to "
                f"{SPACING}, so that repeats share none"
            )


@dataclass(frozen=True)
class Measurement:
    """Hold all trainings and how good they are.

    Attributes:
        request: what was asked for.
        source: where the generator's weights come from.
        teacher: name of the teacher's plugin.
        trained: all trainings.
        evaluation: overlaps with the teacher's labels, on the same pictures for all.
        quality: qualities with intervals.
        record: generator, teacher, seed, extractors and provenance, for the index of a folder.
    """

    request: ShotsRequest
    source: str
    teacher: str
    trained: tuple[Trained, ...]
    evaluation: Evaluation
    quality: Quality
    record: JsonObject = field(default_factory=dict)


def measure_shots(
    config: SegmentConfig,
    out: Path,
    request: ShotsRequest,
    *,
    source: str = "config",
    progress: Progress | None = None,
) -> Measurement:
    """Train and measure few-shot extractors. The same call continues one that was interrupted.

    Args:
        config: generator, teacher and strata; fields that only a full training follows must be left out.
        out: folder that keeps the extractors, locked by the caller.
        request: what is measured.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Raises:
        RunError: the folder holds something else, or extractors of another config.
        ConfigError: the config has a field that a training on a few pictures does not follow.
        UserError: the config or the full extractor does not fit.
    """
    progress = progress or Progress(quiet=True)
    refuse_unused(config, source, "ganstrata segment shots", ("gradient", "lda", "ridge"))
    subject = build_subject(config, source)
    full: dict[str, Extractor] = {}
    if request.full is not None:  # checked before anything is trained
        subject, full[FULL] = open_other(request.full, subject, source, progress)
    _begin(out, subject)
    lesson = Lesson(
        subject.samples, subject.architecture, subject.made_for, config.teacher.use, config.training
    )
    trained = train_shots(lesson, request.shots, request.repeats, progress, out / EXTRACTORS)
    found = measured(lesson, request, trained, full, progress)
    extractors = {one.name: one.extractor for one in trained} | full
    return replace(found, record=record_of(subject, extractors))


def measured(
    lesson: Lesson,
    request: ShotsRequest,
    trained: tuple[Trained, ...],
    full: Mapping[str, Extractor],
    progress: Progress,
) -> Measurement:
    """Measure all trainings on the same new pictures.

    Args:
        lesson: generator and teacher.
        request: what is measured.
        trained: all trainings.
        full: the extractor to compare with, as FULL; empty for none.
        progress: where progress is shown.
    """
    extractors = {one.name: one.extractor for one in trained} | dict(full)
    samples = replace(lesson.samples, strata=strata_of(list(extractors.values())))
    with progress.stage("evaluate", total=request.images) as bar:
        found = evaluate(samples, extractors, request.images, layerwise=False, progress=bar)
    return Measurement(
        request,
        samples.generator.card.source,
        lesson.teacher,
        trained,
        found,
        quality_of(found, seed=samples.seed),
    )


def _begin(out: Path, subject: Subject) -> None:
    """Mark the folder as one of these trainings, or refuse one that was begun with another config.

    Raises:
        RunError: it was begun with something else, or its index is damaged.
    """
    key = _key(subject)
    file = out / INDEX
    if file.exists():
        try:
            found = read_sealed(read_bytes(file))["key"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise RunError(f"{file} is damaged ({visible(str(error), 200)}); give another folder") from None
        if found != key:
            raise RunError(
                f"{out} was begun with another generator, teacher, seed, strata or classes, or with "
                "other plugins, packages or versions; give another folder, or delete this one"
            )
    else:
        write_text(file, sealed_text({"format": 1, "key": key, "finished": False}))
    make_folder(out / EXTRACTORS)


def _key(subject: Subject) -> str:
    """Return a digest of everything that a training depends on, versions of packages included."""
    provenance, samples = subject.provenance, subject.samples
    assert provenance.teacher is not None  # the config of `shots` names one
    content = {
        "generator": provenance.generator.model_dump(mode="json"),
        "teacher": provenance.teacher.model_dump(mode="json"),
        "packages": dict(provenance.environment.packages),
        "extractor": subject.config.extractor.model_dump(mode="json"),
        "seed": samples.seed,
        "method": subject.config.training.method,
        "learning_rate": subject.config.training.learning_rate,
        "precision": samples.precision,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
