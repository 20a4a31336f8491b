"""Check the promises of a scorer: its concepts, and scores that follow from the picture alone."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ..core.conformance import random_state
from ..core.conformance.networks import check_evaluation_mode
from ..core.conformance.scores import compare, scores_of
from ..core.errors import UserError
from ..core.plugins.contracts import Scorer
from ..core.plugins.records import Rendering
from ..core.plugins.scoring import checked_scores
from ..core.randomness import Stream
from ..core.strata.composition import Pass
from . import second_device
from .any_plugin import declared, json_config, missing_file
from .kit import DoesNotApply, NotConforming, check
from .subject import Subject

PICTURES, SIDE = 4, 64
SIZES = ((32, 32), (48, 96), (256, 256))


@check("scorer")
def declarations_are_complete(subject: Subject) -> None:
    """It is built from its config, and its concepts have unique names, levels and limits."""
    declared(subject)


@check("scorer")
def config_is_strict(subject: Subject) -> None:
    """Its Config refuses unknown options, and survives being written as JSON and read again."""
    json_config(subject)


@check("scorer")
def networks_are_in_evaluation_mode(subject: Subject) -> None:
    """None of its networks is in training mode."""
    check_evaluation_mode(_scorer(subject))


@check("scorer")
def scores_are_a_table(subject: Subject) -> None:
    """score() gives a tensor (N, C) of finite numbers, NaN only for concepts that may be undefined."""
    _scores(subject, _rendering(subject))


@check("scorer")
def score_can_be_repeated(subject: Subject) -> None:
    """A picture has the same score when it is scored again, also by a scorer built anew."""
    scorer, rendering = _scorer(subject), _rendering(subject)
    first = _scores(subject, rendering)
    compare(scorer, first, _scores(subject, rendering))
    other = cast("Scorer", subject.build())
    with torch.inference_mode():
        compare(scorer, first, scores_of(other, rendering, slice(None)))


@check("scorer")
def batch_does_not_change_a_score(subject: Subject) -> None:
    """A picture has the same score alone and in a batch."""
    rendering = _rendering(subject)
    together = _scores(subject, rendering)
    alone = np.concatenate([_scores(subject, rendering, slice(i, i + 1)) for i in range(PICTURES)])
    compare(_scorer(subject), together, alone, across_batches=True)


@check("scorer")
def order_does_not_change_a_score(subject: Subject) -> None:
    """Pictures in another order have their scores in that order."""
    rendering = _rendering(subject)
    scores = _scores(subject, rendering)
    turned = Rendering(
        rendering.images.flip(0).contiguous(), {s: x.flip(0) for s, x in rendering.features.items()}
    )
    compare(_scorer(subject), scores[::-1], _scores(subject, turned), across_batches=True)


@check("scorer")
def pictures_are_left_alone(subject: Subject) -> None:
    """score() does not write into the pictures and feature maps that other scorers are given too."""
    with torch.inference_mode():
        checked_scores(_scorer(subject), _rendering(subject))


@check("scorer")
def global_random_state_is_untouched(subject: Subject) -> None:
    """Scoring draws nothing from the global random numbers of torch, numpy or Python."""
    with random_state.unchanged(subject.owner, "scoring"):
        _scores(subject, _rendering(subject))


@check("scorer")
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
        except Exception as error:
            raise NotConforming(
                f"pictures of {height} x {width} pixels end with {type(error).__name__}: {str(error)[:300]}; "
                "scale them, or raise ganstrata.DataError and say which sizes it scores"
            ) from None


@check("scorer")
def extreme_pictures_are_scored(subject: Subject) -> None:
    """Black, white, and values a little beyond [0, 1], as edits make them, have scores."""
    scorer = _scorer(subject)
    if scorer.features:
        raise DoesNotApply("it reads feature maps, of which no extremes are known")
    base = pictures(2, SIDE, SIDE)
    images = torch.cat([torch.zeros_like(base[:1]), torch.ones_like(base[:1]), 1.4 * base - 0.2])
    scorer.judges_range = False
    with torch.inference_mode():
        checked_scores(scorer, Rendering(images))


@check("scorer")
def everything_is_on_its_device(subject: Subject) -> None:
    """On another device it gives scores there, and mixes no devices."""
    if _scorer(subject).features:
        raise DoesNotApply("it reads feature maps, which a generator must make there")
    second_device.try_scorer(cast("Scorer", subject.build()), pictures(2, SIDE, SIDE))


@check("scorer")
def missing_file_is_named(subject: Subject) -> None:
    """A checkpoint that does not exist is reported as the user's mistake, by its name."""
    missing_file(subject)


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
        raise DoesNotApply("it reads feature maps: give the generator that makes them (generator=...)")
    with torch.no_grad():
        latents = generator.sample(PICTURES, 0, 0, Stream.PROBING)
        codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
        rendering = Pass(generator, codes, condition=latents.condition, features=scorer.features).rendering
    return Rendering(rendering.images, rendering.features)


def _scores(subject: Subject, rendering: Rendering, rows: slice = slice(None)) -> NDArray[np.float32]:
    with torch.inference_mode():
        return scores_of(_scorer(subject), rendering, rows)
