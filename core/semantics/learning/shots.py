"""Train extractors on 1, 4, 8, 16 annotated pictures several times each, and keep every one of them.

Every training is stored when it is finished, so an interrupted call continues with the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...config.segment_schema import TrainingSection
from ...device import for_inference
from ...errors import CheckpointError, DataError, RunError
from ...runs.progress import Progress
from ..extractor import Architecture, Extractor, MadeFor
from ..extractor_file import load_extractor, save_extractor
from ..samples import LabelledSamples
from .annotated import annotated, has_fresh_noise, redrawing
from .few_shot import FewShotSettings, steps_for, train_few_shot
from .few_shot_solution import few_shot_scale, image_sums, solve_few_shot

SPACING = 1000  # between the first pictures of two repeats, so that they share none


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


def name_of(shots: int, repeat: int) -> str:
    """Return the name of a training.

    >>> name_of(8, 0)
    'shots-8-repeat-1'
    """
    return f"shots-{shots}-repeat-{repeat + 1}"


@dataclass(frozen=True)
class Lesson:
    """Hold what all trainings on a few pictures share.

    Attributes:
        samples: generator and teacher.
        architecture: of the extractors.
        made_for: identity of the generator.
        teacher: name of the teacher's plugin.
        training: method and learning rate.
    """

    samples: LabelledSamples
    architecture: Architecture
    made_for: MadeFor
    teacher: str
    training: TrainingSection


def train_shots(
    lesson: Lesson, shots: Sequence[int], repeats: int, progress: Progress, folder: Path | None = None
) -> tuple[Trained, ...]:
    """Train what is not trained yet.

    Args:
        lesson: generator, teacher and training.
        shots: numbers of annotated pictures, each at most SPACING.
        repeats: trainings for each number.
        progress: where progress is shown.
        folder: folder that keeps the extractors, and exists; None keeps none.

    Raises:
        RunError: an extractor of an earlier call is damaged, or another one.
        DataError: pictures cannot be learnt from; the message names them.
    """
    wanted = [(n, repeat) for repeat in range(repeats) for n in shots]
    fresh = has_fresh_noise(lesson.samples)
    trained, steps = [], {n: steps_for(n) for n in shots}
    done = [None if folder is None else _stored(lesson, folder, n, repeat) for n, repeat in wanted]
    total = sum(steps[n] for n, _ in wanted)
    before = sum(steps[n] for (n, _), one in zip(wanted, done, strict=True) if one is not None)
    with progress.stage("train", total=total, done=before) as bar:
        for (n, repeat), one in zip(wanted, done, strict=True):
            if one is None:
                bar.note(f"{n} shots, repeat {repeat + 1}")
                index = _index(n, repeat)
                try:
                    one = _train(lesson, index, repeat, fresh, bar)
                except DataError as error:
                    raise DataError(
                        f"{n} shots, repeat {repeat + 1}, samples {index[0]} to {index[-1]}: {error}. Or "
                        "give another training.seed, which annotates other pictures"
                    ) from error
                if folder is not None:
                    save_extractor(one, _file(folder, n, repeat))
                    one = load_extractor(_file(folder, n, repeat), lesson.samples.generator.device)
            trained.append(Trained(n, repeat, one))
    return tuple(trained)


def _file(folder: Path, shots: int, repeat: int) -> Path:
    return folder / f"{name_of(shots, repeat)}.safetensors"


def _stored(lesson: Lesson, folder: Path, shots: int, repeat: int) -> Extractor | None:
    """Return the extractor of an earlier call, or None if there is none.

    Raises:
        RunError: it is damaged, or another one.
    """
    file = _file(folder, shots, repeat)
    if not file.exists():
        return None
    mend = "Delete this file, and the same command trains it again"
    try:
        extractor = load_extractor(file, lesson.samples.generator.device)
    except CheckpointError as error:
        raise RunError(f"{error}. {mend}") from None
    wanted = {"samples": list(_index(shots, repeat)), "seed": lesson.samples.seed, "repeat": repeat + 1}
    found = extractor.facts.get("few_shot")
    if not isinstance(found, Mapping) or any(found.get(key) != value for key, value in wanted.items()):
        raise RunError(f"{file} is not the extractor that this command wrote there. {mend}")
    return extractor


def _index(shots: int, repeat: int) -> range:
    """Return the samples of Stream.TRAINING that a training takes."""
    return range(repeat * SPACING, repeat * SPACING + shots)


def _train(
    lesson: Lesson, index: Sequence[int], repeat: int, fresh: bool, advance: Callable[[int], object]
) -> Extractor:
    """Train one extractor on samples of Stream.TRAINING."""
    samples, section, began = lesson.samples, lesson.training, time.monotonic()
    maps, labels = annotated(samples, index)
    if section.method == "gradient":
        head = train_few_shot(
            maps,
            labels,
            len(samples.teacher.classes),
            FewShotSettings(learning_rate=section.learning_rate, seed=(samples.seed + repeat) % 2**63),
            redraw=redrawing(samples, index) if fresh else None,
            advance=advance,
        )
    else:
        assert section.method != "whitened"  # it needs more pictures; the config was refused
        sums = image_sums(samples, maps, labels, index)
        scale = few_shot_scale(samples, maps, labels, index, sums, section.method)
        widths = [described.channels for described in samples.maps]
        head = solve_few_shot(sums, section.method, widths, scale=scale)
        advance(steps_for(len(index)))
    facts: Mapping[str, Any] = {
        "teacher": {"plugin": lesson.teacher, "classes": list(samples.teacher.classes)},
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
    architecture = replace(lesson.architecture, layer_weights="equal", bias=head.bias is not None)
    return Extractor(architecture, (for_inference(head, samples.generator.device),), lesson.made_for, facts)
