"""Follow objects along boundaries: segment before and after each move, and count what turns into what.

This is method C of docs/method.md and figure 5 of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..boundaries.by_name import boundaries_named
from ..errors import LayerError, UserError, nearest
from ..figures.masks import sheet
from ..plugins.boundary import STYLES, Boundary
from ..plugins.scorer import Segmenter
from ..rescoring.results import Effects
from ..rescoring.transitions import is_stuff, joined, share, transitions
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.session import Finished
from ..statistics import bootstrap_means, bootstrap_weights, interval
from ..storage.json_values import JsonObject
from ..storage.result_folder import index_text, replace_folder
from ..strata.displacements import displacement
from ..strata.layers import layer_sets, layers_in_words
from ..strata.moves import own_layers
from .objects_passes import Batch, BatchTransitions, Start, samples_with, segment_hops
from .objects_record import (
    FOLDER,
    INDEX,
    TABLE,
    Hop,
    Objects,
    Settings,
    Sources,
    read_objects,
    scorers_of,
    table_text,
)
from .objects_result import figure_of


@dataclass(frozen=True)
class TransitionRequest:
    """Represent the options of the analysis of objects.

    Attributes:
        along: names of boundaries, moved along in turn.
        segmenter: alias of a scorer of the run; None for the only segmenter.
        layers: a layer set or numbers; None for the group where the boundaries act most (`strongest_group`).
        samples: number of samples.
        step: length of each move, in the unit of rescoring.distance_unit; None for rescoring.distance.
        start: id of a concept that samples must have at the start, by its threshold; None for all samples.
        device: device to compute on; None for that of the run's config.
    """

    along: tuple[str, ...]
    segmenter: str | None = None
    layers: str | None = None
    samples: int = 500
    step: float | None = None
    start: str | None = None
    device: str | None = None


def follow_objects(
    finished: Finished, request: TransitionRequest, effects: Effects, *, progress: Progress
) -> Objects:
    """Move samples along boundaries in turn, and write what happens to their objects to analysis/objects/.

    Args:
        finished: a finished run, with its plugins.
        request: the options.
        effects: effects of the run, from which the layers are chosen if the request names none.
        progress: where progress is shown.

    Raises:
        GanstrataError: the request does not fit the run; nothing was written.
    """
    run, engine = finished.run, finished.engine
    prepared = engine.prepared
    boundaries = boundaries_named(run, engine, request.along)
    alias = _segmenter(prepared, request.segmenter)
    set_name, layers = _layers(prepared, request.layers or strongest_group(effects, request.along))
    moved = [own_layers(boundary, layers) for boundary in boundaries]
    for boundary, own in zip(boundaries, moved, strict=True):
        if not own:
            raise LayerError(
                f"'{boundary.name}' moves {layers_in_words(boundary.layers or ())} alone, none of which is "
                f"at the layers {set_name}; give others with --layers"
            )
    step = prepared.config.rescoring.distance if request.step is None else request.step
    if step == 0.0 or not math.isfinite(step):
        raise UserError(f"--step {step:g}: give a length other than 0")
    if request.samples < 1:
        raise UserError(f"--samples {request.samples}: give at least 1")
    columns = tuple(_column(prepared, boundary.concept) for boundary in boundaries)
    start = None if request.start is None else _start(prepared, request.start)
    unit = run.step_unit
    with progress.stage("objects", total=request.samples) as done:
        indices = (
            list(range(request.samples)) if start is None else samples_with(engine, start, request.samples)
        )
        fields = tuple(
            displacement(
                prepared.generator,
                boundary.normal,
                own,
                prepared.edit_scale,
                styles=boundary.space == STYLES,
                length=step * unit,
            )
            for boundary, own in zip(boundaries, moved, strict=True)
        )
        tasks = [
            Batch(at, tuple(indices[at : at + prepared.batch]), alias, layers, fields, columns)
            for at in range(0, len(indices), prepared.batch)
        ]
        batches: list[BatchTransitions] = []
        for batch in engine.map(segment_hops, tasks):
            batches.append(batch)
            done(len(batch.scores))
        batches.sort(key=lambda batch: batch.position)
        settings = Settings(
            segmenter=alias,
            set_name=set_name,
            layers=layers,
            are_layers_default=request.layers is None,
            samples=request.samples,
            step=step,
            step_in_w=step * unit,
            unit=prepared.config.rescoring.distance_unit,
            start=request.start,
            styles=prepared.in_styles,
        )
        _write(finished, summarise(prepared, boundaries, batches, settings), batches)
    objects = read_objects(run)
    assert objects is not None
    return objects


def _segmenter(prepared: Prepared, alias: str | None) -> str:
    """Return the alias of the requested segmenter, or of the only one.

    Raises:
        UserError: there is none, there are several, or none has this alias.
    """
    known = tuple(alias for alias, scorer in prepared.scorers.items() if isinstance(scorer, Segmenter))
    if not known:
        raise UserError(
            f"none of the scorers of this run is a segmenter ({', '.join(prepared.scorers)}). "
            "Add one to the config of the run, such as\n"
            '  - {use: segmentation, as: object, with: {checkpoint: "bundled:rooms"}}\n'
            "and run `ganstrata run` with the same --out: it keeps the samples and computes what is missing"
        )
    return _one_of(alias, known, what="segmenter", option="--segmenter")


def strongest_group(effects: Effects, along: Sequence[str]) -> str:
    """Return the layer group where boundaries change their own concepts most, by re-scoring.

    That is the group with the largest effect in sd units, averaged over the boundaries, of those at which
    each of them moves something.

    Args:
        effects: effects of the run.
        along: names of the boundaries.

    Returns:
        The name of the group; `all` if there is no such group, or the effects are unknown.
    """
    names, sets = [boundary.name for boundary in effects.boundaries], list(effects.sets)
    rows = [names.index(name) for name in along]
    groups = [g for g in effects.groups if g in sets and effects.reached[rows, sets.index(g)].all()]
    columns = [sets.index(group) for group in groups]
    means = effects.in_sd[rows][:, columns, 0][range(len(rows)), :, effects.own[rows]].mean(axis=0)  # (G,)
    return "all" if np.isnan(means).all() else groups[int(np.nanargmax(means))]


def _layers(prepared: Prepared, layers: str) -> tuple[str, tuple[int, ...]]:
    """Return name and layers of the requested layer set.

    Raises:
        LayerError: there is no such set, or there are several.
    """
    sets = layer_sets([layers], prepared.groups, prepared.generator.card.layers)
    if len(sets) != 1:
        raise LayerError(
            f"--layers {layers}: that is {len(sets)} layer sets; name one, "
            f"such as all, {', '.join(prepared.groups) or '0'}, or 0,2,5-7"
        )
    return next(iter(sets.items()))


def _column(prepared: Prepared, concept: str) -> tuple[str, int]:
    """Return the scorer of a concept, and the concept's column in its scores."""
    alias, name = concept.split("/", 1)
    return alias, [c.name for c in prepared.scorers[alias].concepts].index(name)


def _start(prepared: Prepared, concept: str) -> Start:
    """Return the condition that samples have a concept.

    Raises:
        UserError: there is no such concept, or it has no threshold.
    """
    ids = [c.name for c in prepared.concepts]
    if concept not in ids:
        raise UserError(
            f"--start {concept}: there is no such concept.{nearest(concept, ids)} "
            f"Concepts are named alias/name, such as {ids[0]}"
        )
    threshold = prepared.concepts[ids.index(concept)].threshold
    if threshold is None:
        raise UserError(f"--start {concept}: this concept has no threshold above which a picture has it")
    return Start(*_column(prepared, concept), threshold)


def summarise(
    prepared: Prepared, boundaries: list[Boundary], batches: list[BatchTransitions], settings: Settings
) -> Objects:
    """Compute what a hop along each boundary did to its own concept, and all transitions of classes.

    Args:
        prepared: of the run.
        boundaries: of the hops, in turn.
        batches: pixels and scores before and after, in the order of the samples.
        settings: how samples were moved.
    """
    rescoring = prepared.config.rescoring
    names = tuple(concept.name for concept in prepared.scorers[settings.segmenter].concepts)
    scores = np.concatenate([batch.scores for batch in batches]).astype(np.float64)  # (K, hops, 2)
    weights = bootstrap_weights(len(scores), rescoring.bootstrap, prepared.config.synthesis.seed)
    rows = [
        row
        for hop in range(len(boundaries))
        for row in transitions(joined([batch.hops[hop] for batch in batches]), names, weights, hop=hop + 1)
    ]
    returns = np.concatenate([batch.returns for batch in batches])  # (K, hops - 1, 2)
    hops: list[Hop] = []
    for hop, boundary in enumerate(boundaries):
        alias, column = _column(prepared, boundary.concept)
        summary = _hop(boundary, prepared.scorers[alias].concepts[column].threshold, scores[:, hop], weights)
        if hop > 0:
            return_share = share(returns[:, hop - 1], weights)
            summary = replace(
                summary,
                cosine=_cosine(boundaries[hop - 1], boundary),
                returned=None if math.isnan(return_share[1]) else return_share,
            )
        hops.append(summary)
    stuff = tuple(name for name in names if is_stuff(name))
    return Objects(settings=settings, classes=names, stuff=stuff, hops=hops, rows=rows)


def _write(finished: Finished, objects: Objects, batches: list[BatchTransitions]) -> None:
    """Write the tables, the figure and the masks in one step."""
    run = finished.run
    assert objects.settings is not None
    drawn = [batch for batch in batches if len(batch.pictures)]
    pictures, labels = (
        np.concatenate([getattr(batch, kind) for batch in drawn]) for kind in ("pictures", "labels")
    )
    figure = figure_of(objects)
    files = {
        TABLE: table_text(objects.rows).encode(),
        "flow.svg": figure.file.encode(),
        "flow.csv": figure.csv.encode(),
        "masks.png": sheet(pictures, labels, objects.classes, objects.along),
    }
    index: JsonObject = {
        "asked": objects.settings.as_data(),
        "classes": objects.classes,
        "stuff": objects.stuff,
        "hops": [asdict(hop) for hop in objects.hops],
        "stamp": Sources.of_run(run, scorers_of(objects.settings, objects.hops)).as_data(),
        **finished.as_data(),
    }
    replace_folder(run.path / FOLDER, INDEX, files | {INDEX: index_text(index, files)})


def _hop(
    boundary: Boundary, threshold: float | None, scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> Hop:
    """Summarise what a hop did to its own concept, from scores (K, 2) before and after; NaN is unknown."""
    known = scores[~np.isnan(scores).any(axis=1)]
    change = scores[:, 1] - scores[:, 0]
    low, high = interval(bootstrap_means(change, weights))
    above = (
        [None, None]
        if threshold is None or not len(known)
        else [float((known[:, after] > threshold).mean()) for after in (0, 1)]
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
    """Compute the cosine of two normals.

    For boundaries with a normal per layer it is the mean dot product over the mean product of lengths.
    """
    a, b = (np.atleast_2d(boundary.normal).astype(np.float64) for boundary in (first, second))
    return float((a * b).sum(axis=1).mean() / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)).mean())


def _one_of(name: str | None, known: tuple[str, ...], *, what: str, option: str) -> str:
    """Return the requested one, or the only one.

    Raises:
        UserError: there are several and none was requested, or none has the name.
    """
    if name is None and len(known) == 1:
        return known[0]
    listed = ", ".join(known)
    if name is None:
        raise UserError(f"this run has {len(known)} {what}s: {listed}; choose one with {option}")
    if name not in known:
        verb = "is" if len(known) == 1 else "are"
        raise UserError(
            f"{option} {name}: this run has no {what} of this name.{nearest(name, known)} "
            f"There {verb} {listed}"
        )
    return name
