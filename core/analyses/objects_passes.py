"""Render and segment samples before and after each move along a boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DataError, ScoreError
from ..figures.pictures import Pixels, to_pixels
from ..messages import quantity
from ..plugins.scorer import Segmenter
from ..plugins.scoring import checked_scores, refusing_writes
from ..randomness import Stream
from ..rescoring.transitions import Entries, count, returned
from ..runs.engines.run_engine import RunEngine
from ..runs.prepare import Prepared
from ..strata.displacements import Displacement, edited

SHOWN = 4  # samples whose masks are drawn
MAX_SEARCH = 100  # a search for samples with a concept stops after this many times the samples wanted


@dataclass(frozen=True)
class Start:
    """Represent the concept that samples must have at the start.

    Attributes:
        alias: scorer of the concept.
        column: its column in the scores of that scorer.
        threshold: score above which a picture has the concept.
    """

    alias: str
    column: int
    threshold: float


@dataclass(frozen=True)
class Batch:
    """Hold the samples of one pass and how to move them; plain data, so that it can go to a worker.

    Attributes:
        position: place of the first sample among all that are moved.
        indices: indices of the samples.
        segmenter: alias of the segmenter.
        layers: layers to move.
        fields: change by each hop.
        columns: scorer of each hop's concept, and its column there.
    """

    position: int
    indices: tuple[int, ...]
    segmenter: str
    layers: tuple[int, ...]
    fields: tuple[Displacement, ...]
    columns: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class BatchTransitions:
    """Hold the results of one batch of N samples over H hops.

    Attributes:
        position: place of the first sample among all that are moved.
        hops: transitions between labels, for each hop.
        scores: scores of each hop's concept before and after it, (N, H, 2).
        returns: pixels that a hop changed, and those of them that the next hop changed back, (N, H - 1, 2).
        pictures: the first n samples before and after each hop, (n, H + 1, height, width, 3).
        labels: their labels, (n, H + 1, height, width).
    """

    position: int
    hops: list[Entries]
    scores: NDArray[np.float32]
    returns: NDArray[np.int64]
    pictures: Pixels
    labels: NDArray[np.int64]


def samples_with(engine: RunEngine, start: Start, wanted: int) -> list[int]:
    """Return the indices of the first `wanted` samples that have a concept.

    Raises:
        DataError: too few of the samples that were tried have it.
    """
    indices: list[int] = []
    batch, tried = engine.prepared.batch, 0
    limit = MAX_SEARCH * max(wanted, batch)
    while len(indices) < wanted:
        if tried >= limit:
            name = engine.prepared.scorers[start.alias].concepts[start.column].name
            raise DataError(
                f"--start {start.alias}/{name}: only {len(indices)} of {tried} samples have it, "
                f"and {wanted} were requested; give a smaller --samples"
            )
        stop = tried + batch * max(engine.workers, -(-(wanted - len(indices)) // batch))
        indices += sorted(
            index
            for part in engine.map(_above_threshold, [(at, start) for at in range(tried, stop, batch)])
            for index in part
        )
        tried = stop
    return indices[:wanted]


@torch.inference_mode()
def _above_threshold(prepared: Prepared, task: tuple[int, Start]) -> list[int]:
    """Return the indices of the samples of one batch that score above the threshold."""
    first, start = task
    latents, _, codes = prepared.draw(first, Stream.EDITING)
    rendering = prepared.render(codes, latents.condition, latents.index, Stream.EDITING).rendering
    scores = checked_scores(prepared.scorers[start.alias], rendering)[:, start.column]
    return [first + int(i) for i in np.flatnonzero(scores > start.threshold)]


def _codes_of(prepared: Prepared, indices: Sequence[int]) -> tuple[Tensor, Tensor | None, Tensor]:
    """Draw samples at any indices of the stream; the last one is repeated to fill the batch.

    Returns:
        Codes (B, L, D), condition or None, and indices (B,).
    """
    index = torch.tensor([*indices, *[indices[-1]] * (prepared.batch - len(indices))])
    grid = index // prepared.batch * prepared.batch
    codes: list[Tensor] = []
    conditions: list[Tensor] = []
    for start in torch.unique_consecutive(grid).tolist():
        latents, _, drawn = prepared.draw(start, Stream.EDITING)
        rows = (index[grid == start] - start).to(drawn.device)
        codes.append(drawn[rows])
        if latents.condition is not None:
            conditions.append(latents.condition[rows.to(latents.condition.device)])
    return torch.cat(codes), torch.cat(conditions) if conditions else None, index


@torch.inference_mode()
def segment_hops(prepared: Prepared, batch: Batch) -> BatchTransitions:
    """Segment the samples of a batch before and after every hop; each hop starts where the last ended.

    Raises:
        ScoreError: the segmenter returned labels of a wrong shape.
    """
    n, shown = len(batch.indices), max(min(SHOWN - batch.position, len(batch.indices)), 0)
    segmenter = prepared.scorers[batch.segmenter]
    assert isinstance(segmenter, Segmenter)
    codes, condition, index = _codes_of(prepared, batch.indices)
    base = prepared.render(codes, condition, index, Stream.EDITING, [batch.layers], strict=True)
    renderings = [base.rendering]
    for hops in range(1, len(batch.fields) + 1):
        fields = batch.fields[:hops]
        renderings.append(edited(base, codes, fields, [1.0] * hops, batch.layers))
    labels = []
    for rendering in renderings:
        with refusing_writes(segmenter, rendering):
            labels.append(segmenter.labels(rendering).cpu().numpy()[:n])
    if labels[0].ndim != 3 or len(labels[0]) != n:
        raise ScoreError(
            f"segmenter '{batch.segmenter}' returned labels of shape {labels[0].shape} for "
            f"{quantity(n, 'image')}; "
            "(images, height, width) was expected"
        )
    scores = np.empty((n, len(batch.fields), 2), np.float32)
    for hop, (alias, column) in enumerate(batch.columns):
        for after in (0, 1):
            scores[:, hop, after] = checked_scores(prepared.scorers[alias], renderings[hop + after])[
                :n, column
            ]
    return BatchTransitions(
        position=batch.position,
        hops=[count(a, b, len(segmenter.concepts), start=batch.position) for a, b in pairwise(labels)],
        scores=scores,
        returns=np.stack([returned(*labels[h : h + 3]) for h in range(len(labels) - 2)], axis=1)
        if len(labels) > 2
        else np.empty((n, 0, 2), np.int64),
        pictures=np.stack([to_pixels(rendering.images[:shown]) for rendering in renderings], axis=1),
        labels=np.stack([array[:shown] for array in labels], axis=1),
    )
