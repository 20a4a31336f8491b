"""Halve the batch of a run when memory runs out, as long as nothing is stored that was made with it."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import GanstrataError, MemoryExhausted
from ..plugins.failures import one_line
from ..probing.stage import is_untouched
from ..runs.prepare import Prepared
from ..runs.run import Run
from ..runs.stages import Stage
from ..shortage import is_out_of_memory


def with_half_the_batch(prepared: Prepared, out: Path, error: Exception, stage: Stage | None) -> Prepared:
    """Return the plugins with half the batch, after memory ran out before anything was stored.

    The bytes of samples depend on the batch, so it may change only while there are none.

    Args:
        prepared: with the batch that was too large.
        out: the run directory, with or without run.json.
        error: what was raised.
        stage: in which; None before the first of them, when a batch is tried and timed.

    Raises:
        MemoryExhausted: the batch is one picture, or fixed: by the config, or by what is stored. The message
            says what to do.
        Exception: the error itself, if it is another one, or of a stage that makes no pictures.
    """
    if not (isinstance(error, MemoryExhausted) or is_out_of_memory(error)):
        raise error
    if stage in ("learn", "report"):
        raise error
    run = Run.open(out) if (out / "run.json").is_file() else None
    batch, is_auto = prepared.batch, prepared.config.synthesis.batch_size == "auto"
    stored = run is not None and not is_untouched(run, prepared)
    if is_auto and not stored and batch > 1:
        return replace(prepared, batch=batch // 2, memory={})
    if batch == 1:
        advice = (
            "One picture at a time needs more memory than there is: fewer engine.workers, or another device"
        )
    elif stored:
        advice = (
            f"The samples of this run are stored in batches of {batch}, which it keeps: give it fewer "
            f"engine.workers, or make a new run with --set synthesis.batch_size={batch // 2}"
        )
    else:
        advice = (
            f"The config says batches of {batch}: --set synthesis.batch_size={batch // 2}, or auto, which "
            "halves them by itself"
        )
    text = str(error) if isinstance(error, GanstrataError) else f"memory ran out: {one_line(error)}"
    raise MemoryExhausted(f"{text.rstrip('.')}. {advice}") from error


def free_memory() -> None:
    """Give back to the GPUs what the failed batch has left."""
    gc.collect()  # an error and the frames where it was raised refer to each other, and to tensors
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
