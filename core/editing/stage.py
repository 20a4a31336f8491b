"""Run stage 4, `edit`: strips for every boundary and layer group, and a joint edit (method C)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..boundaries.files import load_boundaries
from ..errors import PictureError
from ..figures.pictures import png, tile, to_pixels
from ..plugins.boundary import STYLES, Boundary
from ..plugins.records import Rendering
from ..randomness import Stream
from ..rescoring.results import Effects
from ..rescoring.stored_effects import read_effects
from ..rounding import floor_share
from ..runs.engines.run_engine import RunEngine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..storage.csv_tables import csv_text
from ..storage.disk import make_folder, write_bytes, write_text
from ..storage.filenames import file_stem
from ..strata.composition import Pass
from ..strata.displacements import Displacement, displacement, edited
from ..strata.moves import own_layers

TABLE = "edits/edits.csv"
INDEX = "edits/edits.json"


@dataclass(frozen=True)
class StripTask:
    """Represent one boundary to move at one layer set, as plain data for a worker.

    Attributes:
        path: directory of the run.
        boundary: its name.
        set_name: name of the layer set.
        layers: layers to move.
        direction: the change per unit of distance.
        column: column of the boundary's own concept among all scores.
    """

    path: Path
    boundary: str
    set_name: str
    layers: tuple[int, ...]
    direction: Displacement
    column: int


@dataclass(frozen=True)
class JointPart:
    """Represent one boundary of the joint edit, and the layer group where it works best."""

    boundary: int
    name: str
    level: str
    group: str
    amount: float


def is_complete(run: Run, prepared: Prepared) -> bool:
    """Return whether all strips exist unchanged, under the names that this version gives them."""
    if not run.is_done("edit"):
        return False
    boundaries, _ = load_boundaries(run.path)
    strips = {strip_name(b.name, set_name) for b in boundaries for set_name in moved_sets(prepared, b)}
    return strips <= set(run.record.stages["edit"].files)


def amounts(prepared: Prepared) -> list[float]:
    """Return the distances of a strip's steps, in the unit of the config."""
    editing = prepared.config.editing
    return [float(a) for a in np.linspace(editing.start, editing.end, editing.steps)]


def images_of_strip(prepared: Prepared) -> int:
    """Return the number of images that a strip renders; its unedited column is the baseline's."""
    return prepared.config.editing.samples * sum(amount != 0.0 for amount in amounts(prepared))


def strip_name(boundary: str, set_name: str) -> str:
    """Return the path of a strip, relative to the run."""
    return f"edits/{file_stem(boundary, set_name)}.png"


def shown_sets(prepared: Prepared) -> dict[str, tuple[int, ...]]:
    """Return the layer sets that get a strip: all layers, and the groups."""
    return {"all": tuple(range(prepared.generator.card.layers)), **prepared.groups}


def moved_sets(prepared: Prepared, boundary: Boundary) -> dict[str, tuple[int, ...]]:
    """Return those of the shown sets at which a boundary moves something, with the layers that it moves."""
    own = {name: own_layers(boundary, layers) for name, layers in shown_sets(prepared).items()}
    return {name: layers for name, layers in own.items() if layers}


def edit(run: Run, engine: RunEngine, progress: Progress) -> None:
    """Write edits/*.png, edits/edits.csv and edits/edits.json."""
    run.require("rescore")
    prepared = engine.prepared
    effects = read_effects(run)
    make_folder(run.path / "edits")
    strips = [
        StripTask(
            run.path,
            boundary.name,
            name,
            layers,
            displacement(
                prepared.generator,
                boundary.normal,
                layers,
                prepared.edit_scale,
                styles=boundary.space == STYLES,
                length=run.step_unit,
            ),
            int(effects.own[b]),
        )
        for b, boundary in enumerate(effects.boundaries)
        for name, layers in moved_sets(prepared, boundary).items()
    ]
    scores: dict[tuple[str, str], list[list[float]]] = {}
    with progress.stage("edit", total=len(strips)) as step:
        lost = 0
        for boundary, set_name, values, nonfinite in engine.map(_strip, strips):
            scores[boundary, set_name] = values
            lost += nonfinite
            step(1)
        _check_share(prepared, lost, len(strips))
        parts = joint_parts(effects, prepared.config.rescoring.distance)
        if len(parts) > 1:
            _joint(
                run,
                prepared,
                parts,
                [s.direction for p in parts for s in strips if (s.boundary, s.set_name) == (p.name, p.group)],
            )
    _write_table(run, prepared, {(s.boundary, s.set_name): scores[s.boundary, s.set_name] for s in strips})
    index = {
        "amounts": amounts(prepared),
        "joint": [asdict(part) for part in parts] if len(parts) > 1 else [],
    }
    write_text(run.path / INDEX, json.dumps(index, indent=2) + "\n")
    files = [strip_name(s.boundary, s.set_name) for s in strips] + (
        ["edits/joint.png"] if len(parts) > 1 else []
    )
    count = len(strips) * images_of_strip(prepared)
    run.finish("edit", seconds=step.seconds, files=(*files, TABLE, INDEX), images=count, nonfinite=lost)


def _check_share(prepared: Prepared, lost: int, strips: int) -> None:
    """Check how many pictures became non-finite by editing.

    Raises:
        PictureError: there are more than the config allows.
    """
    editing, allowed = prepared.config.editing, prepared.config.synthesis.allow_nonfinite
    total = strips * editing.samples * editing.steps
    if lost > (most := floor_share(allowed, total)):
        raise PictureError(
            f"{lost} of {total} edited pictures are not finite; "
            f"synthesis.allow_nonfinite: {allowed:g} allows {most}. "
            "Bring editing.start and editing.end nearer to 0"
        )


def joint_parts(effects: Effects, amount: float) -> list[JointPart]:
    """Return the strongest variation factor of each level, at the group where it moves its own score most."""
    groups = [name for name in effects.sets if name in effects.groups]
    parts: dict[str, JointPart] = {}
    for i in effects.ranking():
        boundary = effects.boundaries[i]
        if not effects.factors[i] or boundary.level in parts or not groups:
            continue
        at = {g: list(effects.sets).index(g) for g in groups}
        moved = [g for g in groups if effects.reached[i, at[g]]]
        if not moved:
            continue
        means = {g: effects.mean[i, at[g], 0, effects.own[i]] for g in moved}
        best = max(moved, key=lambda g: -np.inf if np.isnan(means[g]) else means[g])
        parts[boundary.level] = JointPart(i, boundary.name, boundary.level, best, amount)
    return sorted(parts.values(), key=lambda part: groups.index(part.group))


@torch.inference_mode()
def _strip(prepared: Prepared, strip: StripTask) -> tuple[str, str, list[list[float]], int]:
    """Write one strip.

    Returns:
        Boundary, layer set, scores of the own concept (a row per sample), and how many finite pictures
        became non-finite.
    """
    pictures, scores, lost = [], [], 0
    for start in _starts(prepared):
        baseline, codes = _baseline(prepared, start)
        frames, columns = [], []
        for amount in amounts(prepared):
            rendering = (
                edited(baseline, codes, [strip.direction], [amount], strip.layers)
                if amount
                else baseline.rendering
            )
            frames.append(to_pixels(rendering.pictures))
            columns.append(prepared.score_concept(rendering, strip.column))
            lost += _newly_lost(baseline.rendering, rendering)
        pictures.append(np.stack(frames, axis=1))
        scores.append(np.stack(columns, axis=1))
    write_bytes(strip.path / strip_name(strip.boundary, strip.set_name), png(tile(np.concatenate(pictures))))
    return strip.boundary, strip.set_name, np.concatenate(scores).tolist(), lost


def _newly_lost(before: Rendering, after: Rendering) -> int:
    """Count the pictures that are finite before an edit and not after it."""
    if after.finite is None:
        return 0
    return int((~after.finite if before.finite is None else before.finite & ~after.finite).sum())


def _starts(prepared: Prepared) -> range:
    """Return the first sample of each batch to edit."""
    return range(0, prepared.config.editing.samples, prepared.batch)


def _baseline(prepared: Prepared, start: int) -> tuple[Pass, Tensor]:
    """Return the unedited pass of a batch and its codes (N, L, D); the last one is cached."""
    cached = prepared.memory.get("editing")
    if cached is None or cached[0] != start:
        size = min(prepared.batch, prepared.config.editing.samples - start)
        latents, _, codes = prepared.draw(start, Stream.EDITING)
        codes, condition = codes[:size], None if latents.condition is None else latents.condition[:size]
        baseline = prepared.render(
            codes, condition, torch.arange(start, start + size), Stream.EDITING, shown_sets(prepared).values()
        )
        cached = prepared.memory["editing"] = (start, baseline, codes)
    return cached[1], cached[2]


@torch.inference_mode()
def _joint(run: Run, prepared: Prepared, parts: list[JointPart], directions: list[Displacement]) -> None:
    """Write edits/joint.png: the samples, each edit by itself, all edits together (paper, fig. 4b)."""
    everywhere = {layer for part in parts for layer in prepared.groups[part.group]}
    rows = []
    for start in _starts(prepared):
        baseline, codes = _baseline(prepared, start)
        columns = [to_pixels(baseline.rendering.pictures)]
        for part, direction in zip(parts, directions, strict=True):
            alone = edited(baseline, codes, [direction], [part.amount], prepared.groups[part.group])
            columns.append(to_pixels(alone.pictures))
        together = edited(baseline, codes, directions, [part.amount for part in parts], everywhere)
        columns.append(to_pixels(together.pictures))
        rows.append(np.stack(columns, axis=1))
    write_bytes(run.path / "edits/joint.png", png(tile(np.concatenate(rows))))


def _write_table(run: Run, prepared: Prepared, scores: dict[tuple[str, str], list[list[float]]]) -> None:
    """Write edits/edits.csv: a row per strip, sample and step."""
    table: list[tuple[Any, ...]] = [("boundary", "layers", "sample", "amount", "score")]
    for (boundary, set_name), rows in scores.items():
        for sample, values in enumerate(rows):
            table += [
                (boundary, set_name, sample, f"{amount:g}", value)
                for amount, value in zip(amounts(prepared), values, strict=True)
            ]
    write_text(run.path / TABLE, csv_text(table))
