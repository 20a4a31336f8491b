"""Keep the first batch of samples, which checks and the forecast make, for the stage that stores it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..plugins.records import Latents, Rendering
from ..randomness import Stream
from .composition import Pass
from .scored_generator import ScoredGenerator

KEY = "first batch"


@dataclass(frozen=True)
class FirstBatch:
    """Hold the first batch of probing samples.

    Attributes:
        latents: latents of the N samples.
        w: (N, D).
        codes: (N, L, D).
        rendering: pictures of the codes; what scorers computed from them is cached in it.
        passed: the pass, from whose states edits restart; None when nothing will be edited any more.
        seconds: time that drawing and rendering took.
    """

    latents: Latents
    w: Tensor
    codes: Tensor
    rendering: Rendering
    passed: Pass | None
    seconds: float


@torch.inference_mode()
def first_batch(
    scored: ScoredGenerator, memory: dict[str, Any], sets: Iterable[Collection[int]] | None = None
) -> FirstBatch:
    """Return the first batch, which is made if `memory` does not hold it.

    It is made exactly as stage `synthesize` makes it, so the stage may take it over.

    Args:
        scored: a generator with its scorers.
        memory: where it is kept, until `taken` takes it out.
        sets: layer sets at which edits of it will begin; None for no edits.
    """
    kept: FirstBatch | None = memory.get(KEY)
    if kept is None or len(kept.codes) != scored.batch or (sets is not None and kept.passed is None):
        began = time.monotonic()
        latents, w, codes = scored.draw(0, Stream.PROBING)
        passed = scored.render(
            codes, latents.condition, latents.index, Stream.PROBING, () if sets is None else sets
        )
        passed.rendering.index = latents.index
        kept = FirstBatch(latents, w, codes, passed.rendering, passed, time.monotonic() - began)
    memory[KEY] = kept if sets is not None else replace(kept, passed=None)
    return kept


def is_made(scored: ScoredGenerator, memory: dict[str, Any]) -> bool:
    """Return whether `memory` holds the first batch."""
    kept: FirstBatch | None = memory.get(KEY)
    return kept is not None and len(kept.codes) == scored.batch


def taken(scored: ScoredGenerator, memory: dict[str, Any]) -> FirstBatch | None:
    """Return the first batch and forget it; None if it was not made, or with another batch size."""
    kept: FirstBatch | None = memory.get(KEY) if is_made(scored, memory) else None
    memory.pop(KEY, None)
    return kept
