"""Edit and sample by painting in memory: classes are given as arrays, not as files."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ...device import auto_batch
from ...plugins.arguments import require, require_number
from ...plugins.generator import Generator
from ...randomness import Stream
from ...strata.code_search import Renderer, Search
from ...strata.code_spaces import CodeSpace, SpaceName
from ...strata.search_defaults import LEARNING_RATE, STEPS
from ..annotation.arrays import painted_classes
from ..annotation.masks import Labels
from ..extractor import Extractor
from ..predictors import Predictor
from .defaults import CANDIDATES, EMPHASIS
from .editing import match_strokes
from .sampling import best_candidates, sample_like, searched_at_once


@dataclass(frozen=True)
class Painted:
    """Hold N pictures whose codes moved until an extractor sees in them what is painted.

    Attributes:
        codes: codes after the search, (N, L, D).
        before: pictures before it, (N, 3, H, W) in [0, 1].
        after: pictures after it, (N, 3, H, W) in [0, 1].
        target: wanted class of each pixel, (h, w), int64; -1 where anything is right.
        labels: classes that the extractor sees after the search, (N, h, w), int64.
    """

    codes: Tensor
    before: Tensor
    after: Tensor
    target: Tensor
    labels: Tensor


def edit_by_painting(
    generator: Generator,
    extractor: Extractor,
    strokes: ArrayLike,
    *,
    sample: int = 0,
    space: SpaceName = "z",
    steps: int = STEPS,
    learning_rate: float = LEARNING_RATE,
    emphasis: float = EMPHASIS,
    seed: int = 0,
) -> Painted:
    """Move the codes of a sample until its segmentation is the painted one, as `ganstrata segment edit` does.

    Args:
        generator: generator of the extractor.
        extractor: segments the pictures.
        strokes: number of the painted class of each pixel, (h, w), of the size of the extractor's labels; -1
            where nothing is painted, and the picture is to keep its class.
        sample: number of the sample in the stream of editing.
        space: what moves: one latent (z), one per layer (layers), one w, or one w per layer (w+).
        steps: steps of Adam.
        learning_rate: of Adam, in standard deviations of an entry of the codes.
        emphasis: weight of the painted pixels beside that of all pixels; 0 in the paper.
        seed: seed of the sample.

    Raises:
        UserError: the strokes do not fit, every painted pixel has its class already, or the extractor is of
            another generator.
        DataError: the loss is not finite.

    Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, algorithm 2.

    Example:
        >>> import ganstrata, numpy as np
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> teacher = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
        >>> extractor = ganstrata.train_extractor(generator, teacher, method="lda", images=64)
        >>> strokes = np.full((64, 64), -1)
        >>> strokes[10:28, 7:17] = extractor.classes.index("window")
        >>> edited = ganstrata.edit_by_painting(generator, extractor, strokes, sample=2, steps=2)
        >>> tuple(edited.after.shape), tuple(edited.labels.shape)
        ((1, 3, 64, 64), (1, 64, 64))
    """
    call = "edit_by_painting()"
    painted = _checked(call, generator, extractor, "strokes", strokes)
    _check_numbers(call, steps, learning_rate, seed)
    require_number(call, "sample", sample, 0)
    require_number(call, "emphasis", emphasis, 0.0, whole=False)
    size = extractor.architecture.size
    latents = generator.sample(1, seed, sample, Stream.EDITING)
    moved = CodeSpace.of(generator, space, latents.condition, seed)
    predictor = Predictor.of_extractor(extractor)
    renderer = Renderer(moved, latents, predictor.strata, seed)
    start = moved.start(latents)
    search = Search(steps, learning_rate)
    matched = match_strokes(
        renderer, start, predictor, painted, size, search=search, emphasis=emphasis, where=call
    )
    found = matched.found
    with torch.no_grad():
        labels = predictor.labels(found.after, size)
    return Painted(found.codes, found.before.images, found.after.images, matched.target[0], labels)


def sample_by_painting(
    generator: Generator,
    extractor: Extractor,
    mask: ArrayLike,
    n: int = 1,
    *,
    candidates: int = CANDIDATES,
    space: SpaceName = "z",
    steps: int = STEPS,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
) -> Painted:
    """Sample pictures whose segmentation is that of a mask, as `ganstrata segment sample` does.

    Args:
        generator: generator of the extractor.
        extractor: segments the pictures.
        mask: number of the wanted class of each pixel, (h, w), of the size of the extractor's labels; -1
            where anything is right.
        n: number of pictures, at least 1.
        candidates: samples from which each picture's start is chosen, at least 1.
        space: what moves: one latent (z), one per layer (layers), one w, or one w per layer (w+).
        steps: steps of Adam.
        learning_rate: of Adam, in standard deviations of an entry of the codes.
        seed: seed of the samples.

    Raises:
        UserError: the mask does not fit, or the extractor is of another generator.
        DataError: a loss is not finite.

    Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, algorithm 3.

    Example:
        >>> import ganstrata, numpy as np
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> teacher = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
        >>> extractor = ganstrata.train_extractor(generator, teacher, method="lda", images=64)
        >>> mask = np.full((64, 64), -1)
        >>> mask[40:] = extractor.classes.index("floor")
        >>> sampled = ganstrata.sample_by_painting(generator, extractor, mask, 2, candidates=2, steps=2)
        >>> tuple(sampled.codes.shape[:1]), tuple(sampled.after.shape)
        ((2,), (2, 3, 64, 64))
    """
    call = "sample_by_painting()"
    wanted = _checked(call, generator, extractor, "mask", mask)
    _check_numbers(call, steps, learning_rate, seed)
    require_number(call, "n", n, 1)
    require_number(call, "candidates", candidates, 1)
    target = torch.from_numpy(wanted).to(generator.device)
    predictor, card = Predictor.of_extractor(extractor), generator.card
    batch = auto_batch(card.height, generator.device, card.width)
    starts = best_candidates(generator, predictor, target, n, candidates, batch=batch, seed=seed)
    found = sample_like(
        generator,
        predictor,
        target,
        starts,
        Search(steps, learning_rate),
        batch=searched_at_once(batch),
        space=space,
        seed=seed,
    )
    with torch.no_grad():
        labels = [predictor.labels(part.after, extractor.architecture.size) for part in found.batches]
    before, after = (
        torch.cat([getattr(part, when).images for part in found.batches]) for when in ("before", "after")
    )
    return Painted(found.codes, before, after, target, torch.cat(labels))


def _checked(call: str, generator: Generator, extractor: Extractor, name: str, painted: ArrayLike) -> Labels:
    """Return painted classes (h, w) as whole numbers.

    Raises:
        UserError: they are none, of another size, of no class, or nothing is painted; or the extractor is of
            another generator.
    """
    require(call, "generator", generator, Generator, "ganstrata.load_generator")
    require(call, "extractor", extractor, Extractor, "ganstrata.train_extractor")
    extractor.check_generator(generator)
    return painted_classes(
        call, name, painted, len(extractor.classes), extractor.architecture.size, "the extractor's labels"
    )


def _check_numbers(call: str, steps: int, learning_rate: float, seed: int) -> None:
    """Refuse numbers of a search that are out of range.

    Raises:
        UserError: one is.
    """
    require_number(call, "steps", steps, 0)
    require_number(call, "learning_rate", learning_rate, 1e-6, 10.0, whole=False)
    require_number(call, "seed", seed, 0)
