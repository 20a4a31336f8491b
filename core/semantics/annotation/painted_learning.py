"""Learn from painted masks, and choose the pictures to annotate next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ...config.reading import validate_annotate
from ...device import for_inference
from ...errors import RunError, UserError
from ...runs.lock import locked
from ...runs.progress import Progress
from ...statistics import Floats
from ...storage.disk import remove
from ..extractor import Extractor, MadeFor
from ..heads import LSE
from ..learning.annotated import has_fresh_noise, redrawing
from ..learning.closed_form import Method
from ..learning.few_shot import FewShotSettings, train_few_shot
from ..learning.few_shot_solution import few_shot_scale, image_sums, solve_few_shot
from ..learning.folder import EXTRACTOR, LOG, finish
from ..learning.folder import INDEX as SEGMENTATION
from ..learning.folder import WHAT as SEGMENTATION_FOLDER
from ..learning.log import COLUMNS
from ..subject import build_subject
from .annotations import INDEX
from .atelier import Atelier
from .uncertainty import choose_next, doubts, image_weights

POOL_START = 1_000_000  # index of the first sample of the pool, far from those of `annotate`


@dataclass(frozen=True)
class LearnRequest:
    """Say how to learn from painted masks.

    Attributes:
        method: `lda`, `ridge` or `gradient`.
        heads: number of heads; more than one make an ensemble.
        seed: seed of the weights of images, and of first parameters.
        resize: whether masks of another size are changed to that of the pictures.
        calibrated: whether solutions in closed form give probabilities that fit. Their disagreement, by
            which `suggest` chooses, was measured without.
    """

    method: Method | Literal["gradient"] = "lda"
    heads: int = 1
    seed: int = 0
    resize: bool = False
    calibrated: bool = True


def learnt_heads(
    atelier: Atelier, request: LearnRequest, advance: Callable[[int], object] = lambda count: None
) -> tuple[tuple[int, ...], list[LSE]]:
    """Return the annotated samples, and heads that have learnt from their masks.

    Each head of an ensemble weighs the pictures differently, see `image_weights`. Gradient descent has the
    learning rate of the config, and draws fresh noise anew in every step.

    Args:
        atelier: an opened folder.
        request: how to learn.
        advance: called with 1 after each head.

    Raises:
        UserError: nothing is annotated, a mask cannot be read, or an ensemble has a single mask.
    """
    index, maps, labels = atelier.annotated(resize=request.resize)
    classes = len(atelier.annotations.legend.names)
    weights = image_weights(len(index), request.heads, request.seed)
    heads = []
    sums = [] if request.method == "gradient" else image_sums(atelier.samples, maps, labels, index)
    scale = 1.0
    if request.method != "gradient" and request.calibrated:
        scale = few_shot_scale(atelier.samples, maps, labels, index, sums, request.method)
    redraw = None
    if request.method == "gradient" and has_fresh_noise(atelier.samples):
        redraw = redrawing(atelier.samples, index)
    for k, weight in enumerate(weights.tolist()):
        if request.method == "gradient":
            settings = FewShotSettings(
                learning_rate=atelier.config.training.learning_rate, seed=request.seed + k
            )
            counted = torch.tensor(weight)
            heads.append(train_few_shot(maps, labels, classes, settings, weight=counted, redraw=redraw))
        else:
            widths = [x.shape[1] for x in maps]
            heads.append(solve_few_shot(sums, request.method, widths, weight, scale=scale))
        advance(1)
    return index, heads


def learn(
    folder: Path,
    out: Path,
    request: LearnRequest,
    *,
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
        device: device to compute on; None for that of the folder's config.
        progress: where progress is shown; nowhere by default.

    Returns:
        The samples whose masks were learnt.

    Raises:
        UserError: nothing is annotated, a mask cannot be read, or an ensemble has a single mask; nothing was
            written.
    """
    progress = progress or Progress(quiet=True)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is not empty; give an empty or a new --out")
    atelier = Atelier.open(folder, device)
    with progress.stage("learn", total=request.heads) as bar:
        index, heads = learnt_heads(atelier, request, bar)
    facts: Mapping[str, Any] = {
        "teacher": {"plugin": "painted by a person", "classes": list(atelier.annotations.legend.names)},
        "few_shot": {
            "samples": list(index),
            "seed": atelier.annotations.seed,
            "method": request.method,
        },
    }
    used = atelier.config.generator
    extractor = Extractor(
        atelier.architecture(bias=heads[0].bias is not None),
        tuple(for_inference(head, atelier.samples.generator.device) for head in heads),
        MadeFor.of(atelier.samples.generator, used.use, used.options),
        facts,
    )
    data, source = atelier.config.as_data(), str(folder / INDEX)
    # It is an LSE, whatever the config says of trained ones.
    data["extractor"] |= {"head": "LSE", "layer_weights": "equal"}
    subject = build_subject(validate_annotate(data, source), source, extractor=extractor)
    architecture = replace(extractor.architecture, background=subject.teacher.background)
    extractor = replace(extractor, architecture=architecture)
    with locked(out, SEGMENTATION, SEGMENTATION_FOLDER):
        try:
            finish(out, subject, extractor, [[len(index), *[math.nan] * (len(COLUMNS) - 1)]])
        except BaseException:
            if not (out / SEGMENTATION).exists():
                remove(out / EXTRACTOR)
                remove(out / LOG)
            raise
    return index


@dataclass(frozen=True)
class Suggestion:
    """Hold a suggested sample, and how unsure the ensemble is of it (mean divergence, in nats)."""

    sample: int
    doubt: float


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
    if count > pool:
        raise UserError(f"{count} pictures cannot be chosen out of {pool}; give a larger --pool")
    progress = progress or Progress(quiet=True)
    atelier = Atelier.open(folder, device)
    taken = set(atelier.annotations.samples)
    _, ensemble = learnt_heads(atelier, LearnRequest("lda", heads, resize=resize, calibrated=False))
    first = max([POOL_START, *(i + 1 for i in taken)])
    amounts: list[Floats] = []
    profiles: list[Floats] = []
    index = range(first, first + pool)
    batch = atelier.samples.batch
    with progress.stage("suggest", total=pool) as bar:
        for start in range(0, pool, batch):
            some = index[start : start + batch]
            maps, _ = atelier.drawn(some)
            amount, profile = doubts(ensemble, maps, atelier.annotations.size)
            amounts.append(amount)
            profiles.append(profile)
            bar(len(some))
    doubt = np.concatenate(amounts)
    chosen = [index[int(k)] for k in choose_next(doubt, np.concatenate(profiles), count)]
    atelier.write_pictures(chosen, ensemble)
    atelier.annotations.with_more(chosen).save()
    return [Suggestion(i, float(doubt[i - first])) for i in chosen]
