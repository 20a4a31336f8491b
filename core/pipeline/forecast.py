"""Forecast the cost of a run: its images, its time and its disk space."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path

import torch

from ..boundaries.learning_variance import replicate_samples
from ..editing import stage as edit
from ..errors import GanstrataError
from ..messages import quantity
from ..randomness import Stream
from ..rescoring import work_units as rescoring
from ..rescoring.null_comparison import NO_NULL
from ..runs.prepare import Prepared
from ..runs.speed import at_this_speed, seconds_of
from ..strata.first_batch import first_batch, is_made

MEASURED = 4  # images that are timed first: a whole batch may cost more than a small run itself
BRIEF = 0.2  # seconds from which a first pass, which is slower than others, is not repeated
PATIENCE = 2.0  # seconds that timing a whole batch may take; small pictures cost less in larger batches
SPACE_FACTOR = 1.2  # free disk space required, relative to the size of the arrays


def forecast(prepared: Prepared, workers: int) -> str:
    """Return a text with the number of images of a run and an estimate of its time.

    The number is N + K (1 + (B + G R) S + B S') + K' M B plus the images of edits (method B).
    The time is the number of images times the measured time of one image, divided by the workers.

    Args:
        prepared: the run.
        workers: number of processes.
    """
    config = prepared.config
    boundaries = prepared.learner.expected(len(prepared.chosen)) + len(config.conditions)
    places = prepared.learner.layer_sets(prepared.generator, len(prepared.chosen))
    # Which layers these are is known when the boundaries are; each is counted as if it were all.
    probing = config.synthesis.samples
    verifying = rescoring.images_needed(prepared, [None] * boundaries, [None] * places)
    editing = boundaries * len(edit.shown_sets(prepared)) * edit.images_of_strip(prepared)
    total = probing + verifying + editing
    per_image = _measure(prepared)
    samples, null, sets = config.rescoring.samples, config.rescoring.null_directions, len(prepared.sets)
    baselines, adaptive = rescoring.baselines(prepared), config.rescoring.adaptive
    back = sum(rescoring.backwards(prepared))
    backwards = f" + {boundaries} backwards x {back}" if back else ""
    resamples, fewer = prepared.learning_resamples, replicate_samples(samples, prepared.batch)
    replicates = (
        f" + {fewer} x {quantity(resamples, 'resampling')} x {quantity(boundaries, 'boundary', 'boundaries')}"
        if resamples
        else ""
    )
    moved_at, at = quantity(sets, "layer set"), f" at each of up to {places} places" if places > 1 else ""
    random = f" + {null} random{at}" if null else ""
    verified = (
        f"({baselines} + ({quantity(boundaries, 'boundary', 'boundaries')}{random}) x {moved_at}{backwards})"
    )
    return (
        f"{'at most ' if adaptive else ''}{total} images to synthesise and score: {probing} for probing, "
        f"{verifying} for re-scoring = {samples} x {verified}{replicates}, {editing} for edits.\n"
        + at_this_speed(
            total,
            per_image,
            workers,
            less="where edits begin late in the generator"
            f"{', and where re-scoring stops early' if adaptive else ''}",
        )
        + ("" if null else f"\n{NO_NULL[0].upper()}{NO_NULL[1:]}.")
    )


@torch.inference_mode()
def _measure(prepared: Prepared) -> float:
    """Return the seconds per image of the first batch, or of a few images if a batch takes too long for that.

    The first batch is kept for the stage that stores it, and so are the scorers' features of it.
    """
    batch = prepared.batch
    is_warm = is_made(prepared, prepared.memory)
    if batch > MEASURED and not is_warm:
        per_image = seconds_of(partial(_make, prepared, MEASURED)) / MEASURED
        if per_image * batch > PATIENCE:
            return per_image
        is_warm = True
    first = first_batch(prepared, prepared.memory)
    began = time.monotonic()
    prepared.score(first.rendering)
    seconds = first.seconds + time.monotonic() - began
    if not is_warm and seconds <= BRIEF:
        seconds = min(seconds, seconds_of(partial(_make, prepared, batch), warm=True))
    return seconds / batch


def _make(prepared: Prepared, count: int) -> None:
    """Make and score some images of the first batch."""
    latents, _, codes = prepared.draw(0, Stream.PROBING)
    condition = None if latents.condition is None else latents.condition[:count]
    passed = prepared.render(codes[:count], condition, latents.index[:count], Stream.PROBING)
    prepared.score(passed.rendering)


def check_room(prepared: Prepared, out: Path) -> None:
    """Check that the disk can hold the samples.

    Raises:
        GanstrataError: it has too little free space.
    """
    card, n = prepared.generator.card, prepared.config.synthesis.samples
    width = card.code_size + len(prepared.concepts)
    if prepared.config.synthesis.mixing > 0.0:
        width += card.layers * card.code_size
    needed = int(4 * n * width * SPACE_FACTOR)
    free = shutil.disk_usage(out).free
    if free < needed:
        raise GanstrataError(
            f"{out}: the samples need about {-(-needed // 2**20)} MiB, "  # rounded up, and what is free down
            f"but {free // 2**20} MiB are free on this disk"
        )
