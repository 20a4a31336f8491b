"""Sample pictures of a painted segmentation: semantic conditional sampling.

Each picture starts from the best of several samples, the one whose segmentation agrees with the mask in the
most pixels, and its codes move from there until they agree better. (Algorithm 3 of the paper takes the least
of these numbers, which is a slip: its code takes the sample with the most.)

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, algorithm 3.
Shapes: n pictures, K candidates for each, H x W pixels of labels, L layers, D code size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...device import rows_at
from ...plugins.generator import Generator
from ...plugins.pending import OneBehind, Pending
from ...plugins.records import Latents
from ...randomness import Stream
from ...strata.code_search import Found, OnStep, Renderer, Search, Watch, search_codes
from ...strata.code_spaces import CodeSpace, SpaceName
from ..agreement import Overlaps, overlaps
from ..predictors import Predictor
from ..teacher import UNKNOWN
from .editing import by_labels

GRADIENTS = 8  # a picture that is searched takes the memory of about so many that are only rendered


@dataclass(frozen=True)
class Candidates:
    """Hold the samples from which n pictures start.

    Attributes:
        latents: the best candidate of each picture; its index is its number in Stream.EDITING.
        matching: known pixels of the mask that each candidate matches, (n, K).
    """

    latents: Latents
    matching: Tensor


@dataclass(frozen=True)
class Sampling:
    """Hold pictures sampled for a mask, in batches.

    Attributes:
        candidates: where each started.
        batches: what the search found.
        before: how the segmentations of the starts overlap with the mask.
        after: the same for the results.
    """

    candidates: Candidates
    batches: tuple[Found, ...]
    before: Overlaps
    after: Overlaps

    @property
    def codes(self) -> Tensor:
        """Codes (n, L, D) of the results."""
        return torch.cat([found.codes for found in self.batches])


def count_matching(predicted: Tensor, target: Tensor) -> Tensor:
    """Count the known pixels of a target (H, W) that predictions (N, H, W) match, (N,).

    >>> count_matching(torch.tensor([[[0, 1]], [[1, 1]]]), torch.tensor([[0, UNKNOWN]])).tolist()
    [1, 0]
    """
    return ((predicted == target) & (target != UNKNOWN)).flatten(1).sum(dim=1)


def searched_at_once(rendered: int) -> int:
    """Return how many pictures may be searched at once, where so many may be rendered.

    >>> searched_at_once(64), searched_at_once(2)
    (8, 1)
    """
    return max(1, rendered // GRADIENTS)


@torch.no_grad()
def best_candidates(
    generator: Generator,
    predictor: Predictor,
    target: Tensor,
    n: int,
    candidates: int,
    *,
    batch: int,
    first: int = 0,
    seed: int = 0,
    precision: str = "fp32",
    on_step: OnStep | None = None,
) -> Candidates:
    """Draw K candidates for each of n pictures, and choose those that match the mask in the most pixels.

    Picture i has K samples of Stream.EDITING, from sample `first` + i K, so it does not depend on n.

    Args:
        generator: generator to sample.
        predictor: segments the candidates.
        target: labels (H, W), UNKNOWN where anything is right.
        n: number of pictures.
        candidates: number K of candidates of each picture.
        batch: candidates rendered at once.
        first: number of the first candidate; masks whose results are compared need candidates of their own.
        seed: seed of the samples.
        precision: fp32, bf16 or fp16.
        on_step: called with 1 after every batch.
    """
    size = (target.shape[0], target.shape[1])
    parts, counts, checks = [], [], OneBehind()
    end = first + n * candidates
    for start in range(first, end, batch):
        latents = generator.sample(min(batch, end - start), seed, start, Stream.EDITING)
        space = CodeSpace(generator, "z", latents.condition)
        renderer = Renderer(space, latents, predictor.strata, seed, precision)
        rendering = renderer.render(space.codes(space.start(latents)), late=True)
        checks.add(Pending(rendering.settle, at_once=rendering.settled))
        parts.append(latents)
        counts.append(count_matching(predictor.labels(rendering, size), target))
        if on_step is not None:
            on_step(1)
    checks.end()
    matching = torch.cat(counts).view(n, candidates)
    best = matching.cpu().argmax(dim=1) + candidates * torch.arange(n)
    return Candidates(_chosen(parts, best), matching)


def _chosen(parts: list[Latents], rows: Tensor) -> Latents:
    """Return some rows of several batches of samples."""
    conditions = [part.condition for part in parts if part.condition is not None]
    z = torch.cat([part.z for part in parts])
    condition = torch.cat(conditions) if conditions else None
    return Latents(
        rows_at(z, rows.tolist()),
        None if condition is None else rows_at(condition, rows.tolist()),
        torch.cat([part.index for part in parts])[rows],
    )


def rows_of(latents: Latents, rows: slice) -> Latents:
    """Return some samples of a batch."""
    condition = None if latents.condition is None else latents.condition[rows]
    return Latents(latents.z[rows], condition, latents.index[rows])


def sample_like(
    generator: Generator,
    predictor: Predictor,
    target: Tensor,
    candidates: Candidates,
    search: Search,
    *,
    batch: int,
    space: SpaceName = "z",
    seed: int = 0,
    precision: str = "fp32",
    on_step: OnStep | None = None,
    watch: Watch | None = None,
) -> Sampling:
    """Search codes whose pictures have the segmentation of a mask.

    Args:
        generator: generator of the candidates.
        predictor: segments pictures, with gradients.
        target: labels (H, W), UNKNOWN where anything is right.
        candidates: samples to start from.
        search: steps, learning rate and penalties.
        batch: pictures searched at once.
        space: space that is searched, z in the paper.
        seed: seed of the candidates.
        precision: fp32, bf16 or fp16.
        on_step: called with 1 after every step of every batch.
        watch: shown the pictures of a batch before every step and after the last; says whether its search
            goes on.

    Raises:
        DataError: no pixel of the mask is known, or a loss is not finite.
    """
    size = (target.shape[0], target.shape[1])
    found: list[Found] = []
    classes, n = len(predictor.classes), len(candidates.latents.z)
    before, after = Overlaps.empty(n, classes), Overlaps.empty(n, classes)
    general = CodeSpace.of(generator, space, seed=seed)
    for start in range(0, n, batch):
        latents = rows_of(candidates.latents, slice(start, start + batch))
        targets = target.expand(len(latents.z), -1, -1)
        searched = replace(general, condition=latents.condition)
        renderer = Renderer(searched, latents, predictor.strata, seed, precision)
        objective = by_labels(predictor, targets)
        part = search_codes(renderer, searched.start(latents), objective, search, on_step, watch)
        with torch.no_grad():
            for total, rendering in ((before, part.before), (after, part.after)):
                total.put(start, overlaps(predictor.labels(rendering, size), targets, classes))
        found.append(part)
    return Sampling(candidates, tuple(found), before, after)
