"""Check a run's plugins on one batch of the run's size, and on edits, where some faults first show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import PluginBroken
from ..plugins.base import owner_of
from ..plugins.finiteness import finite_rows
from ..randomness import Stream, noise_seed
from ..strata.composition import first_reader
from ..strata.first_batch import first_batch
from ..strata.scored_generator import ScoredGenerator
from . import random_state
from .ill_conditioned import batch_error
from .passes import (
    BATCH_TOLERANCE,
    REPEAT_TOLERANCE,
    SAMPLES,
    Batch,
    check_generator,
    check_range,
    check_same,
    distance,
    span_of,
)
from .same_everywhere import rendering_to_check
from .scores import check_scorers, compare, rows_of, scores_of

NEARBY = 1.01  # factor that makes other codes of a batch of one sample


Sets = Collection[Sequence[int]]


def check_samples(scored: ScoredGenerator, sets: Sets, memory: dict[str, Any]) -> bool:
    """Check single samples of a run's generator, and hold them against its first batch where they are alike.

    A batch in lower precision, and a batch of one, cannot be held against single samples: then two of these
    are made together, see `check_generator`.

    Args:
        scored: a generator with its scorers, which mixes no styles.
        sets: layer sets that will be edited.
        memory: where the first batch is kept, see `first_batch`.

    Returns:
        Whether they were held against the first batch.

    Raises:
        PluginBroken, PictureError: as `check_generator`.
    """
    if scored.precision != "fp32" or scored.batch < SAMPLES:
        check_generator(scored.generator)
        return False

    @torch.inference_mode()
    def together() -> Batch | None:
        first = first_batch(scored, memory, sets)
        finite = first.rendering.finite is None
        return Batch(first.rendering.pictures, first.latents) if finite else None

    noise = noise_seed(scored.seed, Stream.PROBING)
    check_generator(scored.generator, seed=scored.seed, noise=noise, together=together)
    return True


@torch.inference_mode()
def check_few_scores(scored: ScoredGenerator, sets: Sets, memory: dict[str, Any]) -> None:
    """Check the scores of the first samples, see `check_scorers`.

    Args:
        scored: a generator with its scorers.
        sets: layer sets that will be edited.
        memory: where the first batch is kept; its pictures are scored if there are enough.

    Raises:
        PluginBroken, ScoreError: as `check_scorers`.
        PictureError: as in any batch.
    """
    if scored.batch < SAMPLES:
        rendering = rendering_to_check(scored)
    else:
        with random_state.unchanged(owner_of(scored.generator), "making pictures"):
            rendering = first_batch(scored, memory, sets).rendering
        if scored.batch > SAMPLES:
            rendering = rows_of(rendering, slice(0, SAMPLES))
    check_scorers(list(scored.scorers.values()), rendering)


@torch.inference_mode()
def check_batch(scored: ScoredGenerator, sets: Sets, memory: dict[str, Any], *, held: bool = False) -> None:
    """Refuse plugins whose first batch changes when it is repeated, made with fewer samples, or edited back.

    Args:
        scored: a generator with its scorers.
        sets: layer sets that will be edited.
        memory: where the first batch is kept.
        held: whether the batch was held against samples that were made alone, see `check_samples`.

    Raises:
        PluginBroken: a plugin does not give the same result; the message names it.
        PictureError: the network amplifies rounding, or as in any batch.
        ScoreError, ShapeError: as in any batch.
    """
    generator = scored.generator
    owner = owner_of(generator)
    with random_state.unchanged(owner, "making pictures"):
        first = first_batch(scored, memory, sets)
        latents, codes, whole = first.latents, first.codes, first.passed
        assert whole is not None
        images = first.rendering.pictures.clone()
        if finite_rows(images) is not None or first.rendering.finite is not None:
            return  # the run decides how many such pictures it allows
        width = span_of(images)
        if generator.judges_range:
            check_range(images, owner)
        if not held and scored.batch > SAMPLES:
            _check_fewer(scored, images, width)
        # The edit that begins at the earliest stratum passes through all states from which later edits begin.
        earliest, *others = sorted(sets, key=lambda layers: first_reader(generator, layers))
        whole.edited(codes.roll(1, 0) if len(codes) > 1 else NEARBY * codes, earliest)
        for layers in others[-1:]:
            difference = distance(images, whole.edited(codes, layers).pictures, width)
            if not difference <= REPEAT_TOLERANCE:
                raise PluginBroken(
                    f"{owner}: an edit that changes nothing, after another edit, changes the picture by "
                    f"{difference:.2g} of the range; strata write into states that they are given, or return "
                    "memory that they write into again"
                )
        again = whole.edited(codes, earliest)
        check_same(images, again.pictures, width, owner)
    if scored.batch <= SAMPLES:
        return  # so many pictures were scored together, alone and again
    again.index = latents.index
    for scorer in scored.scorers.values():
        with random_state.unchanged(owner_of(scorer), "scoring"):
            together, repeated = scores_of(scorer, again, slice(None)), scores_of(scorer, again, slice(None))
            alone = scores_of(scorer, again, slice(0, SAMPLES))
        compare(scorer, together, repeated)
        compare(scorer, together[: len(alone)], alone, across_batches=True)


def _check_fewer(scored: ScoredGenerator, images: Tensor, width: float) -> None:
    """Refuse a generator whose pictures of a batch (N, C, H, W) are others when fewer are made together.

    Raises:
        PluginBroken: a picture differs.
        PictureError: the network amplifies rounding.
    """
    generator, owner = scored.generator, owner_of(scored.generator)
    few = generator.sample(SAMPLES, scored.seed, 0, Stream.PROBING)
    few_codes = generator.broadcast(generator.map(few.z, few.condition), few.condition)

    def make() -> Tensor:
        return scored.render(few_codes, few.condition, few.index, Stream.PROBING).rendering.pictures

    part = make()
    difference = distance(images[:SAMPLES], part, width)
    if not difference <= BATCH_TOLERANCE:
        fault = (
            f"pictures change by {difference:.2g} of the range when they are made in a batch of "
            f"{scored.batch} and not of {SAMPLES}; a picture may depend on its own sample only"
        )
        raise batch_error(owner, fault, difference, make, part, width, BATCH_TOLERANCE)
