"""Check the promises of a scorer: a table of scores that follow from the picture alone."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ..core.conformance import random_state
from ..core.conformance.scores import compare, scores_of
from ..core.errors import GanstrataError, ScoreError, UserError
from ..core.inversion.perceptual import feature_maps
from ..core.messages import visible
from ..core.plugins.records import Rendering
from ..core.plugins.scorer import Scorer
from ..core.plugins.scoring import checked_extras, checked_scores, refusing_writes, table_of_scores
from ..core.strata.composition import Pass
from . import second_device
from .kit import DoesNotApply, NotConforming
from .leftovers import left_behind
from .rendered import codes_of, sampled
from .subject import Subject

PICTURES, SIDE = 4, 64
SIZES = ((32, 32), (48, 96), (256, 256))


def scores_are_a_table(subject: Subject) -> None:
    """score() gives a tensor (N, C) of finite numbers, NaN only for concepts that may be undefined."""
    scorer, rendering = _scorer(subject), _rendering(subject)
    with torch.inference_mode():
        table_of_scores(scorer, rendering)
        if scorer.extras:
            checked_extras(scorer, rendering)


def score_can_be_repeated(subject: Subject) -> None:
    """A picture has the same score when it is scored again, also by a scorer built anew."""
    scorer, rendering = _scorer(subject), _rendering(subject)
    first = _scores(subject, rendering)
    compare(scorer, first, _scores(subject, rendering))
    other = cast("Scorer", subject.build())
    with torch.inference_mode():
        anew = scores_of(other, rendering, slice(None))
    fault = (
        "gives another score when it is built again from the same config; weights must come from a file, or "
        "from a generator of random numbers that is seeded from the config"
    )
    compare(scorer, first, anew, fault=fault)


def batch_does_not_change_a_score(subject: Subject) -> None:
    """A picture has the same score alone and in a batch."""
    rendering = _rendering(subject)
    together = _scores(subject, rendering)
    alone = np.concatenate([_scores(subject, rendering, slice(i, i + 1)) for i in range(PICTURES)])
    compare(_scorer(subject), together, alone, across_batches=True)


def order_does_not_change_a_score(subject: Subject) -> None:
    """Pictures in another order have their scores in that order."""
    rendering = _rendering(subject)
    scores = _scores(subject, rendering)
    turned = Rendering(
        rendering.images.flip(0).contiguous(),
        {s: x.flip(0).contiguous() for s, x in rendering.features.items()},
    )
    compare(
        _scorer(subject),
        scores,
        _scores(subject, turned)[::-1],
        across_batches=True,
        fault="scores a picture differently at another place of its batch",
    )


def pictures_are_left_alone(subject: Subject) -> None:
    """score() does not write into the pictures and feature maps that other scorers are given too."""
    scorer, rendering = _scorer(subject), _rendering(subject)
    # Beyond [0, 1], so that clamping in place shows too.
    beyond = Rendering(beyond_the_range(rendering.images), rendering.features)
    with torch.inference_mode(), refusing_writes(scorer, beyond), suppress(GanstrataError):
        scorer.score(beyond)  # what it gives, or why it fails, is judged by other checks


def global_random_state_is_untouched(subject: Subject) -> None:
    """Scoring draws nothing from the global random numbers of torch, numpy or Python."""
    rendering = _rendering(subject)
    with random_state.unchanged(subject.owner, "scoring"):
        _scores(subject, rendering)


def other_sizes_are_scored_or_refused(subject: Subject) -> None:
    """Pictures of another size or proportion are scored, or refused with an error for the user."""
    scorer = _scorer(subject)
    if scorer.features:
        raise DoesNotApply("it reads feature maps, which have the generator's sizes")
    for height, width in SIZES:
        rendering = Rendering(pictures(PICTURES, height, width))
        try:
            with torch.inference_mode():
                checked_scores(scorer, rendering)
        except UserError:
            continue
        except GanstrataError as error:
            raise NotConforming(
                f"pictures of {height} x {width} pixels end with an error: {visible(str(error), 300)}; "
                "scale them, or raise ganstrata.DataError and say which sizes it scores"
            ) from None


def extreme_pictures_are_scored(subject: Subject) -> None:
    """Black, white, and values a little beyond [0, 1], as edits make them, have scores."""
    scorer = _scorer(subject)
    if scorer.features:
        raise DoesNotApply("it reads feature maps, of which no extremes are known")
    base = pictures(2, SIDE, SIDE)
    scorer.judges_range = False
    for what, images in (
        ("black pictures", torch.zeros_like(base)),
        ("white pictures", torch.ones_like(base)),
        ("pictures with values from -0.2 to 1.2", beyond_the_range(base)),
    ):
        try:
            with torch.inference_mode():
                checked_scores(scorer, Rendering(images))
        except ScoreError as error:
            raise NotConforming(
                f"{what} have no finite scores: {visible(str(error), 300)}; use images.clamp(0, 1), add "
                "a small number to a divisor or to what a logarithm is taken of, or declare "
                "Concept(..., may_be_undefined=True)"
            ) from None
        except GanstrataError as error:
            raise NotConforming(f"{what} are not scored: {visible(str(error), 300)}") from None


def feature_maps_lead_back_to_pictures(subject: Subject) -> None:
    """feature_stages() gives maps (N, C, H, W) whose gradients reach each picture, and no other's."""
    scorer = _scorer(subject)
    if type(scorer).feature_stages is Scorer.feature_stages:
        raise DoesNotApply("it has no feature_stages()")
    if scorer.features:
        raise DoesNotApply("it reads feature maps of the generator, so pictures are not compared by its own")
    images = pictures(PICTURES, SIDE, SIDE).to(scorer.device).requires_grad_(True)
    if scorer.feature_stages(Rendering(images, composed=True)) is None:
        raise DoesNotApply("its feature_stages() gives None")
    maps = feature_maps(scorer, Rendering(images, composed=True))
    cut = next((k for k, x in enumerate(maps, start=1) if not x.requires_grad), None)
    if cut is not None:
        raise NotConforming(
            f"map {cut} of {len(maps)} of feature_stages() has no gradients; leave out .detach(), "
            "torch.no_grad() and what leaves torch"
        )
    total = torch.stack([x[:1].float().square().mean() for x in maps]).sum()
    (gradient,) = torch.autograd.grad(total, images)
    reached = gradient.flatten(1).abs().sum(dim=1)  # (N,)
    if not bool(reached[0] > 0.0) or not bool(reached.isfinite().all()):
        raise NotConforming("the gradients of feature_stages() do not reach the pictures, or are not finite")
    if bool((reached[1:] > 0.0).any()):
        raise NotConforming(
            "feature_stages() gives maps of a picture that depend on the others of its batch; is a batch "
            "normalisation in training mode? Call .eval()"
        )


def everything_is_on_its_device(subject: Subject) -> None:
    """On another device it gives scores there, and mixes no devices."""
    if _scorer(subject).features:
        raise DoesNotApply("it reads feature maps, which a generator must make there")
    scorer = cast("Scorer", subject.build())
    second_device.try_scorer(scorer, pictures(2, SIDE, SIDE), left_behind(scorer, subject.build_for))


def pictures(n: int, height: int, width: int) -> Tensor:
    """Return smooth random pictures (n, 3, height, width) in [0, 1], the same at every call.

    >>> images = pictures(2, 32, 48)
    >>> tuple(images.shape), bool(images.min() >= 0.0), bool(images.max() <= 1.0)
    ((2, 3, 32, 48), True, True)
    """
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, 3, 4, 4, generator=random)
    fine = torch.rand(n, 3, height, width, generator=random)
    smooth = interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    return (0.9 * smooth + 0.1 * fine).clamp(0.0, 1.0)


def beyond_the_range(images: Tensor) -> Tensor:
    """Return pictures (N, 3, H, W) whose values are stretched from [0, 1] to [-0.2, 1.2]."""
    return 1.4 * images - 0.2


def _scorer(subject: Subject) -> Scorer:
    return cast("Scorer", subject.built)


def _rendering(subject: Subject) -> Rendering:
    """Return pictures, with the feature maps that the scorer reads.

    Raises:
        DoesNotApply: it reads feature maps, and no generator was given.
    """
    scorer = _scorer(subject)
    scorer.judges_range = False
    if not scorer.features:
        return Rendering(pictures(PICTURES, SIDE, SIDE))
    generator = subject.feature_maker
    if generator is None:
        raise DoesNotApply(
            "it reads feature maps: give the generator that makes them, generator=... in a test, or --config "
            "with the config of a run"
        )
    latents = sampled(generator, PICTURES)
    with torch.no_grad():
        codes = codes_of(generator, latents)
        rendering = Pass(generator, codes, condition=latents.condition, features=scorer.features).rendering
    return Rendering(rendering.images, rendering.features)


def _scores(subject: Subject, rendering: Rendering, rows: slice = slice(None)) -> NDArray[np.float32]:
    with torch.inference_mode():
        return scores_of(_scorer(subject), rendering, rows)
