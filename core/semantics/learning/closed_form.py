"""Solve for a linear extractor in closed form, from the features of sampled pixels.

The samples are drawn once. Sums over their pixels give a solution for every strength of the penalty, and the
best on held-out pixels is taken.

Shapes: P pixels, M classes, F = sum of c_s over the strata.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ...plugins.pending import DONE, Fetch, OneBehind, Pending
from ...randomness import Stream
from ..feature_maps import FeatureMap, require_finite
from ..samples import Drawn, LabelledSamples
from .calibration import best_scale
from .pixels import Pixels, Sampling, choose_pixels, pixel_features
from .planes import PixelSums, Planes, lda, ridge

Method = Literal["ridge", "lda"]
STRENGTHS = (1e-6, 1e-4, 1e-3, 1e-2)
PRIORS = (1.0, 0.5, 0.0)
PIXELS = 256  # per sample


@dataclass(frozen=True)
class Sampled:
    """Hold features and labels of sampled pixels.

    Attributes:
        features: (P, F), float32.
        labels: class of each, (P,), int64.
        weight: number of pixels that each stands for, (P,), float64.
        check: refuses features that are not finite. On the CPU it is made already.
    """

    features: Tensor
    labels: Tensor
    weight: Tensor
    check: Pending[None] = DONE


def sample_pixels(
    drawn: Drawn,
    maps: Sequence[FeatureMap],
    count: int,
    seed: int,
    stream: Stream,
    sampling: Sampling,
    used: int | None = None,
) -> Sampled:
    """Return features and labels of pixels of one batch, `count` per sample.

    An accelerator is waited for once, for the labels: the host chooses the pixels.

    Args:
        drawn: samples, which may have been drawn late.
        maps: their feature maps.
        count: pixels per sample.
        seed: seed of the choice.
        stream: stream of the samples.
        sampling: see `choose_pixels`.
        used: how many of the samples count, from the first on; None for all.

    Raises:
        PictureError: a picture is not finite.
        DataError: features are not finite; the message names the stratum. On an accelerator the result of
            `check` raises it.
    """
    labels, index = drawn.labels[:used], drawn.latents.index[:used]
    pixels = choose_pixels(labels, count, index.tolist(), seed, stream, sampling)
    drawn.check.result()  # what it needs came before the labels
    size = int(drawn.labels.shape[1]), int(drawn.labels.shape[2])
    features = pixel_features(drawn.maps, pixels, size)
    check = begin_check_finite(features, maps, pixels, drawn.latents.index)
    return Sampled(features, pixels.labels(drawn.labels), pixels.weight, check)


def check_finite(features: Tensor, maps: Sequence[FeatureMap], pixels: Pixels, index: Tensor) -> None:
    """Refuse features (P, F) that are not finite.

    Raises:
        DataError: some are not; the message names stratum and sample.
    """
    begin_check_finite(features, maps, pixels, index).result()


def begin_check_finite(
    features: Tensor, maps: Sequence[FeatureMap], pixels: Pixels, index: Tensor
) -> Pending[None]:
    """Return the check that `check_finite` makes, without waiting for it."""
    finite = Fetch(torch.isfinite(features).all())

    def check() -> None:
        if finite.array():
            return  # at the cost of one pass
        parts = torch.split(features, [described.channels for described in maps], dim=1)
        require_finite(maps, parts, index[pixels.sample.to(index.device)].tolist())

    return Pending(check, at_once=finite.at_once)


@dataclass(frozen=True)
class ClosedFormSettings:
    """Set a solution in closed form.

    Attributes:
        method: `ridge` or `lda`.
        images: samples whose pixels are added up.
        held_out: further samples on which strength and prior are chosen.
        pixels: pixels per sample.
        sampling: `balanced` takes as many pixels of rare classes as of others, and weighs them down again.
        strengths: candidates of the strength of ridge, or of the shrinkage of LDA.
    """

    method: Method = "lda"
    images: int = 768
    held_out: int = 96
    pixels: int = PIXELS
    sampling: Sampling = "balanced"
    strengths: tuple[float, ...] = STRENGTHS


@dataclass(frozen=True)
class Candidate:
    """Hold a solution and how good it is.

    Attributes:
        planes: the solution.
        strength: strength of ridge, or shrinkage of LDA.
        prior: LDA: exponent of the shares of classes; None for ridge.
        miou: mean IoU of held-out pixels; NaN if none were held out.
    """

    planes: Planes
    strength: float
    prior: float | None
    miou: float


@dataclass(frozen=True)
class ClosedForm:
    """Hold the best solution and those that it was chosen from.

    Attributes:
        best: the solution.
        tried: all candidates.
        absent: names of classes that had no pixel, which the solution never gives.
    """

    best: Candidate
    tried: tuple[Candidate, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Summed:
    """Hold what solutions are computed from and chosen by.

    Attributes:
        sums: sums over pixels of samples of Stream.TRAINING.
        held: pixels of samples of Stream.VALIDATION, one entry per batch.
    """

    sums: PixelSums
    held: tuple[Sampled, ...]


def solve_closed_form(
    samples: LabelledSamples,
    settings: ClosedFormSettings | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> ClosedForm:
    """Draw samples, add up their pixels, and return the solution that is best on held-out pixels.

    Sums are of samples of Stream.TRAINING, the choice is on samples of Stream.VALIDATION. If none are held
    out, the first strength is taken, and probabilities are not calibrated.

    Args:
        samples: generator and teacher.
        settings: method and numbers.
        advance: called with the number of samples after every batch.

    Raises:
        DataError: fewer than two classes occur, or features are not finite.
    """
    settings = settings or ClosedFormSettings()
    summed = sum_pixels(samples, settings, advance)
    found = best_solution(samples, settings, summed)
    return replace(found, best=replace(found.best, planes=calibrated(found.best.planes, summed.held)))


def sum_pixels(
    samples: LabelledSamples, settings: ClosedFormSettings, advance: Callable[[int], object]
) -> Summed:
    """Draw samples, add up the pixels of most of them, and keep those of the others.

    Raises:
        DataError: features are not finite.
    """
    width = sum(described.channels for described in samples.maps)
    sums = PixelSums(len(samples.teacher.classes), width, samples.generator.device)
    for sampled in _sampled(samples, Stream.TRAINING, settings.images, settings, advance):
        sums.add(sampled.features, sampled.labels, sampled.weight)
    held = tuple(_sampled(samples, Stream.VALIDATION, settings.held_out, settings, advance))
    return Summed(sums, held)


def best_solution(samples: LabelledSamples, settings: ClosedFormSettings, summed: Summed) -> ClosedForm:
    """Return the solution that is best on held-out pixels, whose probabilities are not calibrated.

    Raises:
        DataError: fewer than two classes occur.
    """
    sums, first = summed.sums, int(samples.teacher.background)
    tried = tuple(
        replace(candidate, miou=pixel_miou(candidate.planes, summed.held, first))
        for candidate in candidates(sums, settings.method, settings.strengths)
    )
    names = zip(samples.teacher.classes, sums.present.tolist(), strict=True)
    best = max(tried, key=lambda candidate: -1.0 if math.isnan(candidate.miou) else candidate.miou)
    return ClosedForm(best, tried, tuple(name for name, there in names if not there))


def calibrated(planes: Planes, held: Sequence[Sampled]) -> Planes:
    """Return the same classifier with logits whose softmax fits held-out pixels; see calibration.

    Held-out pixels of a class that the planes never give do not count: no scale makes that class likely, and
    the flattest would merely be the least wrong about them.
    """
    logits, labels, weight = held_logits(planes, held)
    if not len(labels):
        return planes
    return planes.scaled(best_scale(logits.float(), labels, weight))


def held_logits(planes: Planes, held: Sequence[Sampled]) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits (P, M), labels (P,) and weights (P,) of held-out pixels of classes that are present."""
    no_labels = torch.zeros_like(planes.present[:0], dtype=torch.int64)
    parts = [(planes.bias.expand(0, -1), no_labels, planes.bias[:0])]  # all, where nothing is held out
    for part in held:
        known = planes.present[part.labels]
        parts.append((planes.logits(part.features[known]), part.labels[known], part.weight[known]))
    logits, labels, weight = (torch.cat(same) for same in zip(*parts, strict=True))
    return logits, labels, weight


def _sampled(
    samples: LabelledSamples,
    stream: Stream,
    images: int,
    settings: ClosedFormSettings,
    advance: Callable[[int], object],
) -> Iterator[Sampled]:
    """Yield the chosen pixels of every batch of a stream.

    Whether their features are finite is asked when the labels of the next batch were waited for.
    """
    checks = OneBehind()
    for start in range(0, images, samples.batch):
        drawn = samples.draw(start, stream, late=True)
        used = min(samples.batch, images - start)  # so that results do not depend on the batch
        sampled = sample_pixels(
            drawn, samples.maps, settings.pixels, samples.seed, stream, settings.sampling, used
        )
        checks.add(sampled.check)
        yield sampled
        advance(used)
    checks.end()


def candidates(sums: PixelSums, method: Method, strengths: Sequence[float]) -> Iterator[Candidate]:
    """Yield the solutions of every strength; for LDA, with several exponents of the shares of classes."""
    for strength in strengths:
        if method == "ridge":
            yield Candidate(ridge(sums, strength), strength, None, math.nan)
            continue
        planes = lda(sums, strength, prior=0.0)
        for prior in PRIORS:
            shifted = replace(planes, bias=planes.bias + prior * sums.log_shares)
            yield Candidate(shifted, strength, prior, math.nan)


def pixel_miou(planes: Planes, held: Sequence[Sampled], first: int = 0) -> float:
    """Return the mean over classes of the IoU of sampled pixels, by their weights; NaN if none counts.

    Args:
        planes: classifier to measure.
        held: pixels with labels.
        first: first class that counts; 1 leaves the background out.
    """
    both, either = (torch.zeros_like(planes.bias) for _ in range(2))
    for sampled in held:
        found, weight = planes.classes(sampled.features), sampled.weight
        right = (found == sampled.labels).to(weight)
        both.index_add_(0, sampled.labels, weight * right)
        either.index_add_(0, found, weight)
        either.index_add_(0, sampled.labels, weight * (1.0 - right))
    both, either = torch.from_numpy(Fetch(torch.stack([both, either])[:, first:]).array())
    counted = either > 0
    return float((both / either)[counted].mean()) if bool(counted.any()) else math.nan
