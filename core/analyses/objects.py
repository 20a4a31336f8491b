"""What becomes of objects when a category changes: labels before and after moving along boundaries in turn (method C, paper fig. 5)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..boundaries.by_name import boundaries_named
from ..errors import DataError, LayerError, ScoreError, UserError, nearest
from ..figures.masks import sheet
from ..figures.pictures import Pixels, to_pixels
from ..plugins.contracts import Segmenter
from ..plugins.records import Boundary
from ..plugins.scoring import checked_scores, refusing_writes
from ..randomness import Stream
from ..rescoring.transitions import Entries, count, is_stuff, joined, returned, share, transitions
from ..runs.engine import Engine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..statistics import bootstrap_means, bootstrap_weights, interval
from ..storage.result_folder import index_text, replace_folder
from ..strata.layers import layer_sets
from ..strata.moves import edit_direction, move
from .object_results import FOLDER, INDEX, TABLE, Hop, Objects, read_objects, scorers_of, stamp, table_text

SHOWN = 4  # samples whose masks are drawn
PAPERS = "lower"  # the group where the paper's generators have categories
TRIED = 100  # times as many samples are looked at as are wanted, before a start is given up


@dataclass(frozen=True)
class TransitionRequest:
    """What to analyse.

    Attributes:
        along: names of boundaries, moved along in turn.
        segmenter: alias of a scorer of the run; None for the only one.
        layers: a layer set or numbers; None for the lower layers where there are such, else all.
        samples: how many.
        step: of each move, in the unit of rescoring.distance_unit; None for rescoring.distance.
        start: id of a concept: only samples that have it, by its threshold; None for all.
        device: None for that of the run's config.
    """

    along: tuple[str, ...]
    segmenter: str | None = None
    layers: str | None = None
    samples: int = 500
    step: float | None = None
    start: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class Batch:
    """Samples to look at in one pass; plain data. `fields` (L, D) are whole steps; columns are of the scorers."""

    position: int
    indices: tuple[int, ...]
    segmenter: str
    layers: tuple[int, ...]
    fields: tuple[NDArray[np.float32], ...]
    columns: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class BatchTransitions:
    """Of one batch: transitions of each hop; scores of its concept before and after it (N, hops, 2); pictures and labels of the first samples."""

    position: int
    hops: list[Entries]
    scores: NDArray[np.float32]
    returns: NDArray[np.int64]  # (N, hops - 1, 2), see `returned`
    pictures: Pixels  # (n, hops + 1, H, W, 3)
    labels: NDArray[np.int64]  # (n, hops + 1, h, w)


def follow_objects(run: Run, engine: Engine, ask: TransitionRequest, *, progress: Progress) -> Objects:
    """Move samples along boundaries in turn, and write what becomes of their objects to analysis/objects/.

    Raises:
        GanstrataError: what was asked for does not fit the run; then nothing was written.
    """
    prepared = engine.prepared
    boundaries = boundaries_named(run, engine, ask.along)
    alias = _segmenter(prepared, ask.segmenter)
    set_name, layers = _layers(prepared, ask.layers)
    step = prepared.config.rescoring.distance if ask.step is None else ask.step
    if step == 0.0 or not math.isfinite(step):
        raise UserError(f"--step {step:g}: give a length other than 0")
    if ask.samples < 1:
        raise UserError(f"--samples {ask.samples}: give at least 1")
    columns = tuple(_column(prepared, boundary.concept) for boundary in boundaries)
    begin = None if ask.start is None else _start(prepared, ask.start)
    unit = run.step_unit
    with progress.stage("objects", total=ask.samples) as done:
        chosen = list(range(ask.samples)) if begin is None else _chosen(engine, begin, ask.samples)
        fields = tuple(
            edit_direction(boundary.normal, layers, prepared.edit_scale) * np.float32(step * unit)
            for boundary in boundaries
        )
        tasks = [
            Batch(at, tuple(chosen[at : at + prepared.batch]), alias, layers, fields, columns)
            for at in range(0, len(chosen), prepared.batch)
        ]
        seen: list[BatchTransitions] = []
        for part in engine.map(_look, tasks):
            seen.append(part)
            done(len(part.scores))
        seen.sort(key=lambda part: part.position)
        asked = {
            "segmenter": alias,
            "set": set_name,
            "layers": list(layers),
            "samples": ask.samples,
            "step": step,
            "step_in_w": step * unit,
        }
        asked |= {"unit": prepared.config.rescoring.distance_unit, "start": ask.start}
        _write(run, prepared, boundaries, seen, asked)
    found = read_objects(run)
    assert found is not None
    return found


def _segmenter(prepared: Prepared, asked: str | None) -> str:
    """Alias of the segmenter to use.

    Raises:
        UserError: none, several, or none of the name.
    """
    known = tuple(alias for alias, scorer in prepared.scorers.items() if isinstance(scorer, Segmenter))
    if not known:
        raise UserError(
            f"none of the scorers of this run is a segmenter ({', '.join(prepared.scorers)}). Add one to the config that it was made from, such as\n"
            '  - {use: segmentation, as: object, with: {checkpoint: "bundled:rooms"}}\n'
            "and run `ganstrata run` with the same --out: the samples of a finished run stay, and what the new scorer lacks is computed"
        )
    return _one_of(asked, known, what="segmenter", option="--segmenter")


def _layers(prepared: Prepared, asked: str | None) -> tuple[str, tuple[int, ...]]:
    """Name and layers of one layer set.

    Raises:
        LayerError: several sets, or none of the name.
    """
    sets = layer_sets(
        [asked or (PAPERS if PAPERS in prepared.groups else "all")],
        prepared.groups,
        prepared.generator.card.layers,
    )
    if len(sets) != 1:
        raise LayerError(
            f"--layers {asked}: that is {len(sets)} layer sets; name one, such as all, {', '.join(prepared.groups) or '0'}, or 0,2,5-7"
        )
    return next(iter(sets.items()))


def _column(prepared: Prepared, concept: str) -> tuple[str, int]:
    """A concept's scorer, and its column there."""
    alias, name = concept.split("/", 1)
    return alias, [c.name for c in prepared.scorers[alias].concepts].index(name)


def _start(prepared: Prepared, concept: str) -> tuple[str, int, float]:
    """Scorer, column and threshold of the concept that samples must have.

    Raises:
        UserError: no such concept, or one without a threshold.
    """
    ids = [c.name for c in prepared.concepts]
    if concept not in ids:
        raise UserError(
            f"--start {concept}: there is no such concept.{nearest(concept, ids)} Concepts are named alias/name, such as {ids[0]}"
        )
    threshold = prepared.concepts[ids.index(concept)].threshold
    if threshold is None:
        raise UserError(f"--start {concept}: this concept has no threshold above which a picture has it")
    return (*_column(prepared, concept), threshold)


def _chosen(engine: Engine, begin: tuple[str, int, float], wanted: int) -> list[int]:
    """Indices of the first samples that have the concept.

    Raises:
        DataError: too few.
    """
    found: list[int] = []
    batch, start = engine.prepared.batch, 0
    limit = TRIED * max(wanted, batch)
    while len(found) < wanted:
        if start >= limit:
            alias, column, _ = begin
            name = engine.prepared.scorers[alias].concepts[column].name
            raise DataError(
                f"--start {alias}/{name}: only {len(found)} of {start} samples have it, and {wanted} were asked for; ask for fewer --samples"
            )
        stop = start + batch * max(engine.workers, -(-(wanted - len(found)) // batch))
        found += sorted(
            index
            for indices in engine.map(_having, [(at, *begin) for at in range(start, stop, batch)])
            for index in indices
        )
        start = stop
    return found[:wanted]


@torch.inference_mode()
def _having(prepared: Prepared, task: tuple[int, str, int, float]) -> list[int]:
    """Which samples of one batch score above a threshold."""
    start, alias, column, threshold = task
    latents, _, codes = prepared.draw(start, Stream.EDITING)
    rendering = prepared.render(codes, latents.condition, latents.index, Stream.EDITING).rendering
    scores = checked_scores(prepared.scorers[alias], rendering)[:, column]
    return [start + int(i) for i in np.flatnonzero(scores > threshold)]


def _gathered(prepared: Prepared, indices: tuple[int, ...]) -> tuple[Tensor, Tensor | None, Tensor]:
    """Codes (B, L, D), condition and index (B,) of samples anywhere in the stream; the last one fills up the batch."""
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
def _look(prepared: Prepared, batch: Batch) -> BatchTransitions:
    """Segment before and after every hop; each hop begins at the code that the one before it left."""
    n, shown = len(batch.indices), max(min(SHOWN - batch.position, len(batch.indices)), 0)
    segmenter = prepared.scorers[batch.segmenter]
    assert isinstance(segmenter, Segmenter)
    codes, condition, index = _gathered(prepared, batch.indices)
    base = prepared.render(codes, condition, index, Stream.EDITING, [batch.layers], strict=True)
    renderings = [base.rendering]
    for field in batch.fields:
        codes = move(codes, field, 1.0)
        renderings.append(base.edited(codes, batch.layers))
    labels = []
    for rendering in renderings:
        with refusing_writes(segmenter, rendering):
            labels.append(segmenter.labels(rendering).cpu().numpy()[:n])
    if labels[0].ndim != 3 or len(labels[0]) != n:
        raise ScoreError(
            f"segmenter '{batch.segmenter}' gave labels of shape {labels[0].shape} for {n} images; (images, height, width) was expected"
        )
    scores = np.empty((n, len(batch.fields), 2), np.float32)
    for hop, (alias, column) in enumerate(batch.columns):
        for side in (0, 1):
            scores[:, hop, side] = checked_scores(prepared.scorers[alias], renderings[hop + side])[:n, column]
    return BatchTransitions(
        position=batch.position,
        hops=[count(a, b, len(segmenter.concepts), start=batch.position) for a, b in pairwise(labels)],
        scores=scores,
        returns=np.stack([returned(*labels[h : h + 3]) for h in range(len(labels) - 2)], axis=1)
        if len(labels) > 2
        else np.empty((n, 0, 2), np.int64),
        pictures=np.stack([to_pixels(rendering.images[:shown]) for rendering in renderings], axis=1),
        labels=np.stack([found[:shown] for found in labels], axis=1),
    )


def _write(
    run: Run,
    prepared: Prepared,
    boundaries: list[Boundary],
    seen: list[BatchTransitions],
    asked: dict[str, Any],
) -> None:
    """All files of the analysis at once."""
    rescoring = prepared.config.rescoring
    names = tuple(concept.name for concept in prepared.scorers[str(asked["segmenter"])].concepts)
    scores = np.concatenate([part.scores for part in seen]).astype(np.float64)  # (K, hops, 2)
    weights = bootstrap_weights(len(scores), rescoring.bootstrap, prepared.config.synthesis.seed)
    rows = [
        row
        for hop in range(len(boundaries))
        for row in transitions(joined([part.hops[hop] for part in seen]), names, weights, hop=hop + 1)
    ]
    returns = np.concatenate([part.returns for part in seen])  # (K, hops - 1, 2)
    hops: list[Hop] = []
    for hop, boundary in enumerate(boundaries):
        alias, column = _column(prepared, boundary.concept)
        made = _hop(boundary, prepared.scorers[alias].concepts[column].threshold, scores[:, hop], weights)
        if hop > 0:
            back = share(returns[:, hop - 1], weights)
            made = replace(
                made,
                cosine=_cosine(boundaries[hop - 1], boundary),
                returned=None if math.isnan(back[1]) else back,
            )
        hops.append(made)
    found = Objects(
        asked=asked,
        classes=names,
        stuff=tuple(name for name in names if is_stuff(name)),
        hops=hops,
        rows=rows,
    )
    drawn = [part for part in seen if len(part.pictures)]
    pictures, labels = (
        np.concatenate([getattr(part, kind) for part in drawn]) for kind in ("pictures", "labels")
    )
    figure = found.figure
    files = {
        TABLE: table_text(rows).encode(),
        "flow.svg": figure.file.encode(),
        "flow.csv": figure.csv.encode(),
        "masks.png": sheet(pictures, labels, names, [hop.along for hop in hops]),
    }
    index = {
        "asked": asked,
        "classes": names,
        "stuff": found.stuff,
        "hops": [asdict(hop) for hop in hops],
        "stamp": stamp(
            run, scorers_of(str(asked["segmenter"]), [*(hop.concept for hop in hops), asked["start"]])
        ),
    }
    replace_folder(run.path / FOLDER, INDEX, files | {INDEX: index_text(index, files)})


def _hop(
    boundary: Boundary, threshold: float | None, scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> Hop:
    """What a hop did to its own concept; scores (K, 2) before and after, NaN where there is none."""
    known = scores[~np.isnan(scores).any(axis=1)]
    change = scores[:, 1] - scores[:, 0]
    low, high = interval(bootstrap_means(change, weights))
    above = (
        [None, None]
        if threshold is None or not len(known)
        else [float((known[:, side] > threshold).mean()) for side in (0, 1)]
    )
    return Hop(
        along=boundary.name,
        concept=boundary.concept,
        samples=len(known),
        before=float(known[:, 0].mean()) if len(known) else None,
        after=float(known[:, 1].mean()) if len(known) else None,
        low=None if math.isnan(low) else float(low),
        high=None if math.isnan(high) else float(high),
        above_before=above[0],
        above_after=above[1],
    )


def _cosine(first: Boundary, second: Boundary) -> float:
    """Between two normals; of those with one per layer, the mean over layers."""
    a, b = (np.atleast_2d(boundary.normal).astype(np.float64) for boundary in (first, second))
    return float((a * b).sum(axis=1).mean() / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)).mean())


def _one_of(asked: str | None, known: tuple[str, ...], *, what: str, option: str) -> str:
    """The only one there is, or the one that was asked for.

    Raises:
        UserError: there are several, or none of the name.
    """
    if asked is None and len(known) == 1:
        return known[0]
    listed = ", ".join(known)
    if asked is None:
        raise UserError(f"this run has {len(known)} {what}s: {listed}; say which with {option}")
    if asked not in known:
        raise UserError(
            f"{option} {asked}: no {what} of this run has this name.{nearest(asked, known)} There {_are(known)} {listed}"
        )
    return asked


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
