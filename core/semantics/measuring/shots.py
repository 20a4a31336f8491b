"""Train extractors on 1, 4, 8, 16 annotated pictures several times each, and measure them (table 2).

Every training is stored when it is finished, so an interrupted call continues with the next one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...config.segment_schema import SegmentConfig
from ...device import for_inference
from ...errors import CheckpointError, ConfigError, DataError, Fault, RunError, UserError
from ...messages import quantity, visible
from ...runs.progress import Progress
from ...storage.disk import make_folder, read_bytes, write_text
from ...storage.json_values import JsonObject
from ...storage.seal import read_sealed, sealed_text
from ..extractor import Extractor
from ..extractor_file import load_extractor, save_extractor
from ..learning.annotated import annotated, has_fresh_noise, redrawing
from ..learning.few_shot import FewShotSettings, steps_for, train_few_shot
from ..learning.few_shot_solution import few_shot_scale, image_sums, solve_few_shot
from ..learning.folder import open_other
from ..record import record_of
from ..subject import Subject, build_subject
from .evaluation import Evaluation, evaluate, strata_of
from .quality import Quality, quality_of

INDEX = "shots.json"
EXTRACTORS = "extractors"
FULL = "full"
SPACING = 1000  # between the first pictures of two repeats, so that they share none
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
        """Refuse numbers of pictures that repeats would share.

        Raises:
            UserError: one is below 1 or above SPACING.
        """
        if wrong := [n for n in self.shots if not 1 <= n <= SPACING]:
            raise UserError(
                f"{quantity(wrong[0], 'annotated picture')} cannot be measured: give numbers from 1 to "
                f"{SPACING}, so that repeats share none"
            )


@dataclass(frozen=True)
class Trained:
    """Hold one training.

    Attributes:
        shots: number N of annotated pictures.
        repeat: number of the repeat.
        extractor: what it gave.
    """

    shots: int
    repeat: int
    extractor: Extractor

    @property
    def name(self) -> str:
        """Name in tables."""
        return name_of(self.shots, self.repeat)


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
        record: generator, teacher, seed, extractors and provenance, for the index.
    """

    request: ShotsRequest
    source: str
    teacher: str
    trained: tuple[Trained, ...]
    evaluation: Evaluation
    quality: Quality
    record: JsonObject


def name_of(shots: int, repeat: int) -> str:
    """Return the name of a training.

    >>> name_of(8, 0)
    'shots-8-repeat-1'
    """
    return f"shots-{shots}-repeat-{repeat + 1}"


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
        config: generator, teacher and strata; the head must be LSE.
        out: folder that keeps the extractors, locked by the caller.
        request: what is measured.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Raises:
        RunError: the folder holds something else, or extractors of another config.
        UserError: the config or the full extractor does not fit.
    """
    progress = progress or Progress(quiet=True)
    if config.extractor.head != "LSE":
        fault = f"{config.extractor.head} is not learnt from a few pictures; set it to LSE"
        raise ConfigError(source, [Fault(("extractor", "head"), fault)])
    subject = build_subject(config, source)
    full: dict[str, Extractor] = {}
    if request.full is not None:  # checked before anything is trained
        subject, full[FULL] = open_other(request.full, subject, source, progress)
    _begin(out, subject)
    trained = _train_all(subject, out, request, progress)
    extractors = {one.name: one.extractor for one in trained} | full
    samples = replace(subject.samples, strata=strata_of(list(extractors.values())))
    with progress.stage("evaluate", total=request.images) as bar:
        found = evaluate(samples, extractors, request.images, layerwise=False, progress=bar)
    return Measurement(
        request,
        subject.generator.card.source,
        config.teacher.use,
        trained,
        found,
        quality_of(found, seed=samples.seed),
        record_of(subject, extractors),
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


def _train_all(subject: Subject, out: Path, request: ShotsRequest, progress: Progress) -> tuple[Trained, ...]:
    """Train what is not trained yet."""
    wanted = [(n, repeat) for repeat in range(request.repeats) for n in request.shots]
    fresh = has_fresh_noise(subject.samples)
    trained, steps = [], {n: steps_for(n) for n in request.shots}
    done = [_stored(subject, out, n, repeat) for n, repeat in wanted]
    total = sum(steps[n] for n, _ in wanted)
    before = sum(steps[n] for (n, _), one in zip(wanted, done, strict=True) if one is not None)
    with progress.stage("train", total=total, done=before) as bar:
        for (n, repeat), one in zip(wanted, done, strict=True):
            if one is None:
                bar.note(f"{n} shots, repeat {repeat + 1}")
                index = _index(n, repeat)
                try:
                    one = _train(subject, index, repeat, fresh, bar)
                except DataError as error:
                    raise DataError(
                        f"{n} shots, repeat {repeat + 1}, samples {index[0]} to {index[-1]}: {error}. Or "
                        "give another training.seed, which annotates other pictures"
                    ) from error
                save_extractor(one, _file(out, n, repeat))
                one = load_extractor(_file(out, n, repeat), subject.device)
            trained.append(Trained(n, repeat, one))
    return tuple(trained)


def _file(out: Path, shots: int, repeat: int) -> Path:
    return out / EXTRACTORS / f"{name_of(shots, repeat)}.safetensors"


def _stored(subject: Subject, out: Path, shots: int, repeat: int) -> Extractor | None:
    """Return the extractor of an earlier call, or None if there is none.

    Raises:
        RunError: it is damaged, or another one.
    """
    file = _file(out, shots, repeat)
    if not file.exists():
        return None
    mend = "Delete this file, and the same command trains it again"
    try:
        extractor = load_extractor(file, subject.device)
    except CheckpointError as error:
        raise RunError(f"{error}. {mend}") from None
    wanted = {"samples": list(_index(shots, repeat)), "seed": subject.samples.seed, "repeat": repeat + 1}
    found = extractor.facts.get("few_shot")
    if not isinstance(found, Mapping) or any(found.get(key) != value for key, value in wanted.items()):
        raise RunError(f"{file} is not the extractor that this command wrote there. {mend}")
    return extractor


def _index(shots: int, repeat: int) -> range:
    """Return the samples of Stream.TRAINING that a training takes."""
    return range(repeat * SPACING, repeat * SPACING + shots)


def _train(
    subject: Subject, index: Sequence[int], repeat: int, fresh: bool, advance: Callable[[int], object]
) -> Extractor:
    """Train one extractor on samples of Stream.TRAINING."""
    samples, began = subject.samples, time.monotonic()
    maps, labels = annotated(samples, index)
    section = subject.config.training
    if section.method == "gradient":
        head = train_few_shot(
            maps,
            labels,
            len(subject.teacher.classes),
            FewShotSettings(learning_rate=section.learning_rate, seed=(samples.seed + repeat) % 2**63),
            redraw=redrawing(samples, index) if fresh else None,
            advance=advance,
        )
    else:
        sums = image_sums(samples, maps, labels, index)
        scale = few_shot_scale(samples, maps, labels, index, sums, section.method)
        widths = [described.channels for described in samples.maps]
        head = solve_few_shot(sums, section.method, widths, scale=scale)
        advance(steps_for(len(index)))
    facts: Mapping[str, Any] = {
        "teacher": {"plugin": subject.taught_by.use, "classes": list(subject.teacher.classes)},
        "few_shot": {
            "samples": [int(i) for i in index],
            "seed": samples.seed,
            "repeat": repeat + 1,
            "method": section.method,
            "steps": steps_for(len(index)) if section.method == "gradient" else 0,
            "fresh_noise": fresh,
            "seconds": round(time.monotonic() - began, 1),
        },
    }
    architecture = replace(subject.architecture, layer_weights="equal", bias=head.bias is not None)
    return Extractor(architecture, (for_inference(head, subject.device),), subject.made_for, facts)
