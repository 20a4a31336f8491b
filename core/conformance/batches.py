"""Check a run's plugins on one batch of the run's size, and on edits, where some faults first show."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from ..errors import PluginBroken
from ..plugins.base import owner_of
from ..plugins.finiteness import finite_rows
from ..randomness import Stream
from ..strata.composition import first_reader
from ..strata.scored_generator import ScoredGenerator
from . import random_state
from .ill_conditioned import batch_error
from .passes import BATCH_TOLERANCE, REPEAT_TOLERANCE, SAMPLES, check_range, check_same, distance, span_of
from .scores import compare, scores_of

NEARBY = 1.01  # factor that makes other codes of a batch of one sample


@torch.inference_mode()
def check_batch(scored: ScoredGenerator, sets: Collection[Sequence[int]]) -> None:
    """Refuse plugins whose first batch changes when it is repeated, made with fewer samples, or edited back.

    Args:
        scored: a generator with its scorers.
        sets: layer sets that will be edited.

    Raises:
        PluginBroken: a plugin does not give the same result; the message names it.
        PictureError: the network amplifies rounding, or as in any batch.
        ScoreError, ShapeError: as in any batch.
    """
    generator = scored.generator
    owner = owner_of(generator)
    seed = scored.seed
    with random_state.unchanged(owner, "making pictures"):
        latents = generator.sample(scored.batch, seed, 0, Stream.PROBING)
        codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
        whole = scored.render(codes, latents.condition, latents.index, Stream.PROBING, sets)
        images = whole.rendering.pictures.clone()
        if finite_rows(images) is not None or whole.rendering.finite is not None:
            return  # the run decides how many such pictures it allows
        width = span_of(images)
        if generator.judges_range:
            check_range(images, owner)
        few = generator.sample(min(SAMPLES, scored.batch), seed, 0, Stream.PROBING)
        few_codes = generator.broadcast(generator.map(few.z, few.condition), few.condition)
        part = scored.render(few_codes, few.condition, few.index, Stream.PROBING).rendering
        difference = distance(images[: len(few.z)], part.pictures, width)
        if not difference <= BATCH_TOLERANCE:
            fault = (
                f"pictures change by {difference:.2g} of the range when they are made in a batch of "
                f"{scored.batch} and not of {len(few.z)}; a picture may depend on its own sample only"
            )

            def make() -> Tensor:
                again = scored.render(few_codes, few.condition, few.index, Stream.PROBING)
                return again.rendering.pictures

            raise batch_error(owner, fault, difference, make, part.pictures, width, BATCH_TOLERANCE)
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
    again.index = latents.index
    for scorer in scored.scorers.values():
        with random_state.unchanged(owner_of(scorer), "scoring"):
            together, repeated = scores_of(scorer, again, slice(None)), scores_of(scorer, again, slice(None))
            alone = scores_of(scorer, again, slice(0, SAMPLES))
        compare(scorer, together, repeated)
        compare(scorer, together[: len(alone)], alone, across_batches=True)
