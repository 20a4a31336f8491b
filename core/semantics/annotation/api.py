"""Annotate in memory: draw pictures to paint on, learn from masks, and choose the pictures to paint next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ...errors import UserError
from ...messages import listed
from ...plugins.arguments import require, require_number, whole_numbers
from ...plugins.generator import Generator
from ...randomness import Stream
from ...runs.progress import Progress
from ...statistics import Floats
from ..extractor import Extractor, MadeFor
from ..feature_maps import Choice, choose_strata
from ..heads import Size
from ..learning.annotated import annotated, draw_samples
from ..learning.few_shot import check_annotated
from ..samples import LabelledSamples
from .arrays import painted_classes
from .atelier import unlabelled_samples
from .legend import class_names
from .mask_heads import (
    LEARNING_RATE,
    LearnRequest,
    check_pool,
    extractor_of_masks,
    labels_of_heads,
    learnt_heads,
    suggested,
)

Way = Literal["lda", "ridge", "gradient"]
LAST_SAMPLE = 2**53  # numbers of samples that JSON holds exactly


@dataclass(frozen=True)
class ToAnnotate:
    """Hold N pictures for a person to paint classes on.

    Attributes:
        samples: numbers of the samples, by which `train_from_masks` knows their masks.
        pictures: (N, 3, H, W) in [0, 1].
        labels: current class of each pixel, (N, H, W), int64, to correct; None if nothing has learnt yet.
        doubt: how unsure an ensemble is of each picture, (N,): mean Jensen-Shannon divergence of its pixels
            in nats; None if the pictures were not chosen by it.
    """

    samples: tuple[int, ...]
    pictures: Tensor
    labels: Tensor | None = None
    doubt: Floats | None = None


def draw_to_annotate(
    generator: Generator,
    samples: int | Sequence[int] = 8,
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    batch: int | None = None,
) -> ToAnnotate:
    """Draw pictures for a person to paint classes on, as `ganstrata segment annotate` does.

    Args:
        generator: generator of the pictures.
        samples: how many, or their numbers.
        extractor: its labels come with the pictures, to be corrected in place of painted anew.
        seed: seed of the samples; give the same to `train_from_masks`.
        batch: pictures in one pass; None chooses it for the device.

    Raises:
        UserError: there are no samples, a number is below 0, or the extractor is of another generator.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> drawn = ganstrata.draw_to_annotate(generator, 2)
        >>> drawn.samples, tuple(drawn.pictures.shape)
        ((0, 1), (2, 3, 64, 64))
    """
    call = "draw_to_annotate()"
    require(call, "generator", generator, Generator, "ganstrata.load_generator")
    if extractor is not None:
        require(call, "extractor", extractor, Extractor, "ganstrata.train_extractor")
        extractor.check_generator(generator)
    require_number(call, "seed", seed, 0)
    require_number(call, "batch", batch, 1, optional=True)
    if isinstance(samples, Integral):
        require_number(call, "samples", samples, 1)
        index = tuple(range(int(samples)))
    else:
        index = whole_numbers(call, "samples", samples, 0, LAST_SAMPLE)
    strata = () if extractor is None else extractor.strata
    drawing = unlabelled_samples(generator, ("nothing", "painted"), strata, seed, batch)
    pictures, labels = [], []
    for start in range(0, len(index), drawing.batch):
        rendering = draw_samples(drawing, index[start : start + drawing.batch], Stream.TRAINING).rendering
        pictures.append(rendering.images)
        if extractor is not None:
            size = (generator.card.height, generator.card.width)
            labels.append(extractor.logits(rendering.features, size).argmax(1))
    return ToAnnotate(index, torch.cat(pictures), torch.cat(labels) if labels else None)


def train_from_masks(
    generator: Generator,
    masks: Mapping[int, ArrayLike],
    classes: Sequence[str],
    *,
    method: Way = "lda",
    heads: int = 1,
    strata: Choice | Sequence[int] = "all",
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    batch: int | None = None,
    quiet: bool = True,
) -> Extractor:
    """Learn to read painted classes off a generator's feature maps, as `ganstrata segment learn` does.

    Args:
        generator: generator of the pictures.
        masks: for each painted sample of `draw_to_annotate` the number of the class of every pixel, (H, W),
            of the size of the pictures; -1 where nothing is painted.
        classes: names of the classes, of which there are at least two.
        method: a closed form (lda, ridge), or the paper's gradient descent.
        heads: number of heads; more than one make an ensemble, which needs two masks.
        strata: `all` feature maps, `last_of_resolution`, or numbers of strata.
        learning_rate: gradient: learning rate of Adam.
        seed: seed of the samples.
        batch: pictures in one pass; None chooses it for the device.
        quiet: whether to show no progress.

    Raises:
        UserError: a mask, a class or a stratum does not fit, or an ensemble has a single mask.
        DataError: only one class is painted, or a feature map is not finite.

    Example:
        >>> import ganstrata, numpy as np
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> mask = np.full((64, 64), -1)
        >>> mask[50:], mask[:10] = 0, 1
        >>> extractor = ganstrata.train_from_masks(generator, {0: mask, 1: mask}, ["below", "above"])
        >>> extractor.classes, len(extractor.strata)
        (('below', 'above'), 9)
    """
    call = "train_from_masks()"
    if method not in get_args(Way):
        raise UserError(f"{call} has the methods {listed(get_args(Way))}; {method!r} was given")
    require_number(call, "heads", heads, 1)
    require_number(call, "learning_rate", learning_rate, 1e-9, 1.0, whole=False)
    samples, painted = painted_samples(call, generator, masks, classes, strata, seed, batch)
    request = LearnRequest(method, heads)
    return extractor_of_painted(samples, painted, request, Progress(quiet=quiet), learning_rate=learning_rate)


def suggest_to_annotate(
    generator: Generator,
    masks: Mapping[int, ArrayLike],
    classes: Sequence[str],
    count: int = 8,
    *,
    pool: int = 200,
    heads: int = 10,
    strata: Choice | Sequence[int] = "all",
    seed: int = 0,
    batch: int | None = None,
    quiet: bool = True,
) -> ToAnnotate:
    """Choose the pictures to paint next, as `ganstrata segment suggest` does.

    An ensemble learns from the masks. The new pictures on which its heads disagree most are taken, each of
    other classes than the ones before.

    Args:
        generator: generator of the pictures.
        masks: masks of at least two samples, as for `train_from_masks`.
        classes: names of the classes.
        count: number of pictures to choose.
        pool: number of new pictures among which to choose.
        heads: heads of the ensemble, at least 2.
        strata: `all` feature maps, `last_of_resolution`, or numbers of strata.
        seed: seed of the samples.
        batch: pictures in one pass; None chooses it for the device.
        quiet: whether to show no progress.

    Returns:
        The chosen pictures with the labels of the ensemble, largest doubt first but for what is like a
        picture before.

    Raises:
        UserError: a mask, a class or a stratum does not fit, the pool is too small, or one mask is painted.
        DataError: only one class is painted, or a feature map is not finite.

    Example:
        >>> import ganstrata, numpy as np
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> mask = np.full((64, 64), -1)
        >>> mask[50:], mask[:10] = 0, 1
        >>> masks, classes = {0: mask, 1: mask}, ["below", "above"]
        >>> more = ganstrata.suggest_to_annotate(generator, masks, classes, 2, pool=4, heads=2)
        >>> len(more.samples), tuple(more.labels.shape)
        (2, (2, 64, 64))
    """
    call = "suggest_to_annotate()"
    require_number(call, "count", count, 1)
    require_number(call, "pool", pool, 1)
    require_number(call, "heads", heads, 2)
    check_pool(count, pool)
    samples, painted = painted_samples(call, generator, masks, classes, strata, seed, batch)
    return chosen_to_annotate(samples, painted, count, pool, heads, Progress(quiet=quiet))


def extractor_of_painted(
    samples: LabelledSamples,
    painted: Mapping[int, Tensor],
    request: LearnRequest,
    progress: Progress,
    *,
    learning_rate: float = LEARNING_RATE,
) -> Extractor:
    """Learn an extractor from masks that were checked.

    Args:
        samples: the generator, and the classes.
        painted: masks (H, W) by the number of the sample, UNKNOWN where nothing is painted.
        request: how to learn.
        progress: where progress is shown; what it raises ends the training.
        learning_rate: gradient: learning rate of Adam.

    Raises:
        UserError: an ensemble has a single mask.
        DataError: one class alone is painted, or a feature map is not finite.
    """
    generator, index = samples.generator, tuple(painted)
    maps, labels = _learnable(samples, painted)
    with progress.stage("learn", total=request.heads) as bar:
        learnt = learnt_heads(samples, index, maps, labels, request, learning_rate=learning_rate, advance=bar)
    size = (int(labels.shape[1]), int(labels.shape[2]))
    options = generator.config.model_dump(mode="json", exclude_unset=True)
    made_for = MadeFor.of(generator, options=options)
    return extractor_of_masks(samples, index, learnt, size, made_for, request)


def chosen_to_annotate(
    samples: LabelledSamples,
    painted: Mapping[int, Tensor],
    count: int,
    pool: int,
    heads: int,
    progress: Progress,
    *,
    taken: Sequence[int] = (),
) -> ToAnnotate:
    """Choose the pictures to paint next, after masks that were checked.

    Args:
        samples: the generator, and the classes.
        painted: masks (H, W) by the number of the sample, UNKNOWN where nothing is painted.
        count: number of pictures to choose.
        pool: number of new pictures among which to choose.
        heads: heads of the ensemble, at least 2.
        progress: where progress is shown; what it raises ends the search.
        taken: samples that are known already, beside the painted ones.

    Raises:
        UserError: the pool is too small, or one mask is painted.
        DataError: one class alone is painted, or a feature map is not finite.
    """
    maps, labels = _learnable(samples, painted)
    with progress.stage("suggest", total=pool) as bar:
        chosen, ensemble = suggested(
            samples, tuple(painted), maps, labels, count, pool, heads=heads, taken=taken, advance=bar
        )
    size: Size = (int(labels.shape[1]), int(labels.shape[2]))
    pictures, current = [], []
    for one in chosen:
        drawn = draw_samples(samples, [one.sample], Stream.TRAINING)
        pictures.append(drawn.rendering.images)
        current.append(labels_of_heads(ensemble, drawn.maps, size))
    numbers, doubt = tuple(one.sample for one in chosen), np.array([one.doubt for one in chosen])
    return ToAnnotate(numbers, torch.cat(pictures), torch.cat(current), doubt)


def painted_samples(
    call: str,
    generator: Generator,
    masks: Mapping[int, ArrayLike],
    classes: Sequence[str],
    strata: Choice | Sequence[int] = "all",
    seed: int = 0,
    batch: int | None = None,
) -> tuple[LabelledSamples, dict[int, Tensor]]:
    """Return the samples of a generator with named classes, and checked masks (H, W) by sample.

    Args:
        call: what was given the masks, for messages.
        generator: generator of the pictures.
        masks: number of the class of each pixel (H, W) by sample; -1 where nothing is painted.
        classes: names of the classes.
        strata: `all` feature maps, `last_of_resolution`, or numbers of strata.
        seed: seed of the samples.
        batch: pictures in one pass; None chooses it for the device.

    Raises:
        UserError: a mask, a class or a stratum does not fit.
    """
    require(call, "generator", generator, Generator, "ganstrata.load_generator")
    require_number(call, "seed", seed, 0)
    require_number(call, "batch", batch, 1, optional=True)
    names = class_names(classes)
    if not isinstance(masks, Mapping):
        raise UserError(f"{call}: `masks` is not a dict; give it the masks by the numbers of samples")
    whole_numbers(call, "list(masks)", list(masks), 0, LAST_SAMPLE)
    size = (generator.card.height, generator.card.width)
    painted = {
        i: torch.from_numpy(painted_classes(call, f"masks[{i}]", mask, len(names), size, "the pictures"))
        for i, mask in masks.items()
    }
    return unlabelled_samples(generator, names, choose_strata(generator.strata, strata), seed, batch), painted


def _learnable(samples: LabelledSamples, painted: Mapping[int, Tensor]) -> tuple[list[Tensor], Tensor]:
    """Return the feature maps (N, c_s, h_s, w_s) of painted samples, and their masks (N, H, W).

    Raises:
        DataError: one class alone is painted, or a feature map is not finite.
    """
    labels = torch.stack(list(painted.values())).to(samples.generator.device)
    check_annotated(labels, len(samples.teacher.classes))
    return annotated(samples, tuple(painted))[0], labels
