"""Learn linear heads from painted masks, and find the new pictures on which an ensemble of them disagrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...device import for_inference
from ...errors import UserError
from ...randomness import Stream
from ..extractor import Architecture, Extractor, MadeFor
from ..heads import LSE, Size
from ..learning.annotated import draw_samples, has_fresh_noise, redrawing
from ..learning.closed_form import Method
from ..learning.few_shot import FewShotSettings, train_few_shot
from ..learning.few_shot_solution import few_shot_scale, image_sums, solve_few_shot
from ..samples import LabelledSamples
from .uncertainty import choose_next, doubts, image_weights

POOL_START = 1_000_000  # index of the first sample of a pool, far from those that are drawn to be painted
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class LearnRequest:
    """Say how to learn from painted masks.

    Attributes:
        method: `lda`, `ridge` or `gradient`.
        heads: number of heads; more than one make an ensemble.
        seed: seed of the weights of images, and of first parameters.
        calibrated: whether solutions in closed form give probabilities that fit. Their disagreement, by
            which pictures are suggested, was measured without.
    """

    method: Method | Literal["gradient"] = "lda"
    heads: int = 1
    seed: int = 0
    calibrated: bool = True


@dataclass(frozen=True)
class Suggestion:
    """Hold a suggested sample, and how unsure the ensemble is of it (mean divergence, in nats)."""

    sample: int
    doubt: float


def learnt_heads(
    samples: LabelledSamples,
    index: Sequence[int],
    maps: Sequence[Tensor],
    labels: Tensor,
    request: LearnRequest,
    *,
    learning_rate: float = LEARNING_RATE,
    advance: Callable[[int], object] = lambda count: None,
) -> list[LSE]:
    """Return heads that have learnt from the masks of N samples.

    Each head of an ensemble weighs the pictures differently, see `image_weights`. Gradient descent draws
    fresh noise anew in every step, if the generator has any.

    Args:
        samples: the generator, and the classes.
        index: indices of the samples in Stream.TRAINING, N of them.
        maps: their feature maps (N, c_s, h_s, w_s).
        labels: their masks (N, H, W), int64, UNKNOWN where nothing is painted.
        request: how to learn.
        learning_rate: of gradient descent.
        advance: called with 1 after each head.

    Raises:
        UserError: an ensemble has a single mask.
        DataError: nothing can be learnt from the masks.
    """
    classes = len(samples.teacher.classes)
    weights = image_weights(len(index), request.heads, request.seed)
    heads = []
    if request.method == "gradient":
        redraw = redrawing(samples, index) if has_fresh_noise(samples) else None
        for k, weight in enumerate(weights):
            settings = FewShotSettings(learning_rate=learning_rate, seed=request.seed + k)
            counted = torch.from_numpy(weight).float()
            heads.append(train_few_shot(maps, labels, classes, settings, weight=counted, redraw=redraw))
            advance(1)
        return heads
    sums, scale = image_sums(samples, maps, labels, index), 1.0
    if request.calibrated:
        scale = few_shot_scale(samples, maps, labels, index, sums, request.method)
    widths = [x.shape[1] for x in maps]
    for weight in weights:
        heads.append(solve_few_shot(sums, request.method, widths, weight.tolist(), scale=scale))
        advance(1)
    return heads


def extractor_of_masks(
    samples: LabelledSamples,
    index: Sequence[int],
    heads: Sequence[LSE],
    size: Size,
    made_for: MadeFor,
    request: LearnRequest,
) -> Extractor:
    """Return the extractor of heads that have learnt from masks, with what its header says of them.

    Args:
        samples: the generator, and the classes.
        index: indices of the samples whose masks were learnt, in Stream.TRAINING.
        heads: K heads.
        size: height and width of the masks.
        made_for: the generator.
        request: how the heads learnt.
    """
    classes, few_shot = samples.teacher.classes, {"samples": list(index), "seed": samples.seed}
    return Extractor(
        Architecture("LSE", samples.maps, classes, size, bias=heads[0].bias is not None),
        tuple(for_inference(head, samples.generator.device) for head in heads),
        made_for,
        {
            "teacher": {"plugin": "painted by a person", "classes": list(classes)},
            "few_shot": {**few_shot, "method": request.method},
        },
    )


def suggested(
    samples: LabelledSamples,
    index: Sequence[int],
    maps: Sequence[Tensor],
    labels: Tensor,
    count: int,
    pool: int,
    *,
    heads: int,
    taken: Sequence[int] = (),
    advance: Callable[[int], object] = lambda count: None,
) -> tuple[list[Suggestion], list[LSE]]:
    """Return the pictures of a pool of new ones on which an ensemble disagrees most, and the ensemble.

    Each is of other classes than the ones before, see `choose_next`.

    Args:
        samples: the generator, and the classes.
        index: indices of the painted samples in Stream.TRAINING, N of them.
        maps: their feature maps (N, c_s, h_s, w_s).
        labels: their masks (N, H, W), int64, UNKNOWN where nothing is painted.
        count: number of pictures to choose.
        pool: number of new pictures among which to choose.
        heads: heads of the ensemble, at least 2.
        taken: samples that are known already, beside the painted ones; the pool begins after them.
        advance: called with the number of new pictures after each batch.

    Raises:
        UserError: the pool is too small, or a single sample is painted.
        DataError: nothing can be learnt from the masks.
    """
    check_pool(count, pool)
    ensemble = learnt_heads(samples, index, maps, labels, LearnRequest("lda", heads, calibrated=False))
    first = max([POOL_START, *(i + 1 for i in (*index, *taken))])
    size: Size = (int(labels.shape[1]), int(labels.shape[2]))
    amounts, profiles = [], []
    for start in range(first, first + pool, samples.batch):
        some = range(start, min(start + samples.batch, first + pool))
        amount, profile = doubts(ensemble, draw_samples(samples, some, Stream.TRAINING).maps, size)
        amounts.append(amount)
        profiles.append(profile)
        advance(len(some))
    doubt = np.concatenate(amounts)
    chosen = choose_next(doubt, np.concatenate(profiles), count)
    return [Suggestion(first + int(k), float(doubt[k])) for k in chosen], ensemble


def check_pool(count: int, pool: int) -> None:
    """Refuse to choose more pictures than there are.

    Raises:
        UserError: the pool is too small.
    """
    if count > pool:
        raise UserError(f"{count} pictures cannot be chosen out of a pool of {pool}; give a larger pool")


@torch.no_grad()
def labels_of_heads(heads: Sequence[LSE], maps: Sequence[Tensor], size: Size) -> Tensor:
    """Return the class (N, H, W) that heads find most probable on average, at each pixel.

    Args:
        heads: K heads.
        maps: feature maps (N, c_s, h_s, w_s).
        size: height and width of the labels.
    """
    labels = []
    for n in range(maps[0].shape[0]):  # one by one: K M H W numbers are enough at a time
        one = [x[n : n + 1] for x in maps]
        labels.append(torch.stack([head(one, size).softmax(1) for head in heads]).mean(0).argmax(1))
    return torch.cat(labels)
