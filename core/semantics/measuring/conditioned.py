"""Measure how well sampled pictures agree with the masks that they were sampled for (table 3).

Masks are the teacher's labels of new samples, each extractor samples pictures for each mask, and the teacher
judges them. The baseline samples by the teacher itself, so that judge and guide are one, which favours it.

Source: Xu & Zheng 2021, section 4.2, table 3 and appendix H, equation 7.
Shapes: T targets, J pictures for each, H x W pixels of labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...device import auto_batch
from ...errors import UserError
from ...figures.pictures import Pixels, to_pixels
from ...messages import visible
from ...randomness import Stream
from ...runs.progress import Progress, Step
from ...statistics import Floats, bootstrap_weights
from ...strata.code_search import Found, Search
from ..agreement import Measured, Overlaps, overlaps, picture_mious, relative_gap, semantic_agreement
from ..extractor import Extractor
from ..learning.folder import open_other, open_segmentation
from ..painting.defaults import CANDIDATES, PICTURES, TARGETS
from ..painting.sampling import best_candidates, sample_like, searched_at_once
from ..predictors import Predictor
from ..subject import Subject

BASELINE = "teacher"
RESAMPLINGS = 1000
SHOWN = 4  # targets whose pictures are shown


@dataclass(frozen=True)
class AgreementRequest:
    """Say what is measured.

    Attributes:
        targets: number T of masks; the paper takes 100.
        pictures: number J of pictures for each; the paper takes 10.
        candidates: samples from which each picture's start is chosen; the paper takes 10 or 100.
        search: steps, learning rate and penalties.
        baseline: whether to sample by the teacher as well.
    """

    targets: int = TARGETS
    pictures: int = PICTURES
    candidates: int = CANDIDATES
    search: Search = field(default_factory=Search)
    baseline: bool = True


@dataclass(frozen=True)
class Sampled:
    """Hold how the pictures that one predictor led to agree with their masks.

    Attributes:
        name: extractor, or `teacher` for the baseline.
        before: mIoU of the starts with the masks, by the teacher, (T, J).
        after: mIoU of the results, (T, J).
        accuracy: share of pixels that have the class of the mask, (T, J).
        shown: the first picture of the first targets, (n, H, W, 3).
    """

    name: str
    before: Floats
    after: Floats
    accuracy: Floats
    shown: Pixels


@dataclass(frozen=True)
class Agreement:
    """Hold the agreement of all predictors on the same masks.

    Attributes:
        request: what was asked.
        subject: generator and teacher.
        extractors: those that led, by name.
        classes: names of the classes.
        targets: the first masks, (n, H, W).
        originals: the pictures that these masks are of, (n, H, W, 3).
        sampled: one per predictor, the baseline last.
        mean: semantic agreement of each, by name (equation 7).
        start: the same of the starts.
        gap: relative gap of each extractor to the baseline, by name; empty without one.
    """

    request: AgreementRequest
    subject: Subject
    extractors: Mapping[str, Extractor]
    classes: tuple[str, ...]
    targets: NDArray[np.int64]
    originals: Pixels
    sampled: tuple[Sampled, ...]
    mean: Mapping[str, Measured]
    start: Mapping[str, Measured]
    gap: Mapping[str, Measured]


def open_predictors(
    folder: Path, files: Sequence[Path], device: str | None = None, progress: Progress | None = None
) -> tuple[Subject, dict[str, Extractor]]:
    """Open a segmentation folder, and further extractors of the same generator and classes, by name.

    Further folders must have the same teacher, too. A file does not say how its teacher was built.

    Raises:
        UserError: an extractor does not fit, or two have the same name.
    """
    subject, extractor = open_segmentation(folder, device, progress)
    extractors = {folder.resolve().name: extractor}
    for path in files:
        name = path.resolve().name if path.is_dir() else path.stem
        if name in (*extractors, BASELINE):
            raise UserError(f"two extractors are called '{visible(name)}'; rename a folder or a file")
        subject, extractors[name] = open_other(path, subject, folder, progress)
    return subject, extractors


def measure_agreement(
    subject: Subject, extractors: Mapping[str, Extractor], request: AgreementRequest, progress: Progress
) -> Agreement:
    """Sample pictures for masks by every extractor, and measure their agreement.

    Targets are samples of Stream.TARGETS, from which nothing was learnt or chosen. Starts are samples of
    Stream.EDITING, others for each target and the same for all predictors.

    Raises:
        UserError: the teacher gives no gradients, and so no baseline.
        DataError: a loss is not finite.
    """
    guides = {name: Predictor.of_extractor(extractor) for name, extractor in extractors.items()}
    targets, originals = _targets(subject, request.targets)
    sampled: list[Sampled] = []
    with progress.stage("sample", total=(len(guides) + request.baseline) * request.targets) as bar:
        if request.baseline:  # first, since a teacher may have no gradients, and is then refused
            guide = Predictor.of_teacher(subject.teacher)
            try:
                sampled.append(_sampled(subject, BASELINE, guide, targets, request, bar))
            except UserError as error:
                raise UserError(f"the baseline: {error}. Leave it out with --no-baseline") from error
        led = [_sampled(subject, name, guide, targets, request, bar) for name, guide in guides.items()]
    sampled = [*led, *sampled]
    weights = bootstrap_weights(request.targets, RESAMPLINGS, subject.samples.seed)
    mean = {one.name: semantic_agreement(one.after, weights) for one in sampled}
    gap = {name: relative_gap(mean[name], mean[BASELINE]) for name in extractors if request.baseline}
    return Agreement(
        request,
        subject,
        extractors,
        subject.teacher.classes,
        targets[:SHOWN].cpu().numpy(),
        originals,
        tuple(sampled),
        mean,
        {one.name: semantic_agreement(one.before, weights) for one in sampled},
        gap,
    )


def _targets(subject: Subject, count: int) -> tuple[Tensor, Pixels]:
    """Return the labels (T, H, W) of new samples, and the pictures of the first."""
    labels, pictures = [], []
    for start in range(0, count, subject.samples.batch):
        drawn = subject.samples.draw(start, Stream.TARGETS)
        labels.append(drawn.labels)
        pictures += [to_pixels(drawn.rendering.images[:SHOWN])] if start == 0 else []
    return torch.cat(labels)[:count], pictures[0][: min(count, SHOWN)]


def _sampled(
    subject: Subject,
    name: str,
    predictor: Predictor,
    targets: Tensor,
    request: AgreementRequest,
    bar: Step,
) -> Sampled:
    """Sample pictures for all targets by one predictor."""
    samples, teacher, generator = subject.samples, subject.teacher, subject.generator
    # The judge may read feature maps that the guide does not.
    guide = replace(predictor, strata=tuple(sorted({*predictor.strata, *teacher.segmenter.features})))
    card = generator.card
    whole = auto_batch(card.height, subject.device, card.width)
    shape = (request.targets, request.pictures)
    before, after, accuracy = np.empty(shape), np.empty(shape), np.empty(shape)
    shown = []
    bar.note(name)
    for t, target in enumerate(targets):
        candidates = best_candidates(
            generator,
            guide,
            target,
            request.pictures,
            request.candidates,
            batch=whole,
            first=t * request.pictures * request.candidates,
            seed=samples.seed,
            precision=samples.precision,
        )
        found = sample_like(
            generator,
            guide,
            target,
            candidates,
            request.search,
            batch=searched_at_once(whole),
            seed=samples.seed,
            precision=samples.precision,
        )
        first, last = (_judged(subject, found.batches, target, which) for which in ("before", "after"))
        before[t] = picture_mious(first, background=teacher.background)
        after[t] = picture_mious(last, background=teacher.background)
        accuracy[t] = last.correct / np.maximum(last.known, 1)
        if t < SHOWN:
            shown.append(to_pixels(found.batches[0].after.images[:1])[0])
        bar(1)
    return Sampled(name, before, after, accuracy, np.stack(shown))


@torch.no_grad()
def _judged(subject: Subject, batches: Sequence[Found], target: Tensor, which: str) -> Overlaps:
    """Return how the teacher's labels of the pictures before or after the search overlap with the target."""
    labels = torch.cat([subject.teacher.labels(getattr(found, which)) for found in batches])
    return overlaps(labels, target.expand(len(labels), -1, -1), len(subject.teacher.classes))
