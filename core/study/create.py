"""Makes a study of a run: renders the strips, shuffles them, writes the page and the key."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import RunError, UserError, nearest
from ..figures.pictures import jpeg, png, tile, to_pixels
from ..plugins.compatibility import check_fits
from ..plugins.records import Boundaries, Boundary
from ..randomness import Stream
from ..rescoring.results import Effects
from ..rescoring.stored import read_effects
from ..runs.engine import Engine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..runs.session import open_finished_run
from ..storage.result_folder import add_files
from ..strata.moves import edit_direction, move
from .key import KEY, PAGE, Key, Question, shuffled
from .page import build_page

STRIPS = 3
STEPS = 5
SMALL = 128  # pixels up to which pictures are kept without loss
POOL = 100_000  # samples from which those of a study are taken


@dataclass(frozen=True)
class StudyRequest:
    """What a study is to show.

    Attributes:
        concepts: patterns of boundaries' names; none for the variation factors.
        strips: samples per boundary.
        steps: pictures in a row; odd, so that the unedited one stands in the middle.
        words: what the page calls a boundary, by name.
        seed: decides samples and shuffling; None draws one, which the key keeps.
        device: to compute on; None for that of the run.
    """

    concepts: tuple[str, ...] = ()
    strips: int = STRIPS
    steps: int = STEPS
    words: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Task:
    """One question to render; plain data. `fields` (L, D) are a unit of the edit at the layers of each row."""

    question: str
    sample: int
    fields: tuple[NDArray[np.float32], ...]
    layers: tuple[tuple[int, ...], ...]
    amounts: tuple[float, ...]


def make_study(path: Path, out: Path, ask: StudyRequest, *, progress: Progress) -> Key:
    """Write study.html, to be given away, and key.json, to be kept, into a new folder.

    Raises:
        UserError: the run is not finished or has no layer groups, a name is unknown, or `out` holds a study.
        GanstrataError: `out` cannot be written.
    """
    _check(ask, out)
    with open_finished_run(path, ask.device, writes=False) as (run, engine):
        prepared = engine.prepared
        groups = dict(prepared.groups)
        if len(groups) < 2:
            raise UserError(
                f"{path} has {len(groups)} layer groups, and a study compares two or more; say rescoring.groups in a config of a new run"
            )
        chosen = _chosen(read_effects(run), ask, path)
        for boundary in chosen:
            check_fits(boundary, prepared.generator)
        seed = secrets.randbits(48) if ask.seed is None else ask.seed
        amounts = tuple(float(a) for a in _amounts(run, ask.steps))
        key = _key(run, prepared, chosen, groups, amounts, ask, seed)
        strips = _strips(run, engine, key, chosen, progress)
    add_files(out, {KEY: key.text.encode(), PAGE: build_page(key, strips).encode()})
    return key


def plain_words(name: str) -> str:
    """What the page calls a boundary: the concept without its scorer, in words.

    >>> plain_words("category/bedroom-vs-living_room"), plain_words("a/far_horizon|a/clouds")
    ('bedroom rather than living room', 'far horizon')
    """
    concept = name.split("|", 1)[0].split("/", 1)[-1]
    return " ".join(concept.replace("-vs-", " rather than ").replace("_", " ").split())


def _check(ask: StudyRequest, out: Path) -> None:
    if ask.steps < 3 or ask.steps % 2 == 0:
        raise UserError(
            f"--steps {ask.steps}: give an odd number from 3 on, so that the unedited picture stands in the middle"
        )
    if ask.strips < 1:
        raise UserError(f"--strips {ask.strips}: give 1 or more")
    taken = [name for name in (KEY, PAGE, "run.json") if (out / name).exists()]
    if taken:
        raise RunError(f"{out} has {' and '.join(taken)} already; give another --out")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file; give a folder as --out")


def _chosen(rescored: Effects, ask: StudyRequest, path: Path) -> Boundaries:
    known = rescored.boundaries
    for pattern in ask.concepts:
        if not any(fnmatchcase(name, pattern) for name in known.names):
            raise UserError(
                f"--concepts {pattern}: no boundary of {path} has such a name.{nearest(pattern, known.names)}"
            )
    for name in ask.words:
        if name not in known.names:
            raise UserError(
                f"--words {name}=...: no boundary of {path} has this name.{nearest(name, known.names)}"
            )
    if ask.concepts:
        return Boundaries(b for b in known if any(fnmatchcase(b.name, pattern) for pattern in ask.concepts))
    if not rescored.found:
        raise UserError(f"{path} has no variation factors to ask about; say which boundaries with --concepts")
    return Boundaries(known.of(name) for name in rescored.found)


def _amounts(run: Run, steps: int) -> NDArray[np.float64]:
    """From the first step of the run's strips over none to the last."""
    editing = run.config.editing
    if not editing.start < 0.0 < editing.end:
        raise UserError(
            f"{run.path}: editing goes from {editing.start:g} to {editing.end:g}; a study needs both directions"
        )
    half = steps // 2 + 1
    return np.concatenate([np.linspace(editing.start, 0.0, half)[:-1], np.linspace(0.0, editing.end, half)])


def _key(
    run: Run,
    prepared: Prepared,
    chosen: Boundaries,
    groups: dict[str, tuple[int, ...]],
    amounts: tuple[float, ...],
    ask: StudyRequest,
    seed: int,
) -> Key:
    """The questions, in random order and under random names; each group stands at each place equally often for a concept."""
    rng = np.random.default_rng([seed, 0])
    first = run.config.editing.samples  # those of the report are known
    samples = iter(first + rng.choice(POOL, size=len(chosen) * ask.strips, replace=False))
    questions = [
        Question(
            "unnamed", b.name, b.level, ask.words.get(b.name, plain_words(b.name)), int(next(samples)), order
        )
        for b in chosen
        for order in shuffled(tuple(groups), ask.strips, rng)
    ]
    names: list[str] = []
    while len(names) < len(questions) + 1:
        name = rng.bytes(6).hex()
        names += [] if name in names else [name]
    mixed = [questions[i] for i in rng.permutation(len(questions))]
    asked = tuple(replace(question, id=name) for name, question in zip(names[1:], mixed, strict=True))
    return Key(names[0], seed, run.path.name, prepared.generator.fingerprint, groups, amounts, asked)


def _strips(
    run: Run, engine: Engine, key: Key, chosen: Boundaries, progress: Progress
) -> list[list[tuple[str, bytes]]]:
    """Pictures of every question, row by row."""
    unit, scale = run.step_unit, engine.prepared.edit_scale

    def task(question: Question) -> Task:
        layers = tuple(key.groups[name] for name in question.order)
        boundary: Boundary = chosen.of(question.boundary)
        return Task(
            question.id,
            question.sample,
            tuple(edit_direction(boundary.normal, row, scale) * unit for row in layers),
            layers,
            key.amounts,
        )

    found: dict[str, list[tuple[str, bytes]]] = {}
    with progress.stage("study", total=len(key.questions)) as step:
        for name, rows in engine.map(_render, [task(question) for question in key.questions]):  # in any order
            found[name] = rows
            step(1)
    return [found[question.id] for question in key.questions]


@torch.inference_mode()
def _render(prepared: Prepared, task: Task) -> tuple[str, list[tuple[str, bytes]]]:
    """The rows of one question, with its name; every picture is computed by itself, at one batch shape."""
    start = task.sample // prepared.batch * prepared.batch
    latents, _, codes = prepared.draw(start, Stream.EDITING)
    row = slice(task.sample - start, task.sample - start + 1)
    condition = None if latents.condition is None else latents.condition[row]
    codes = codes[row]
    base = prepared.render(codes, condition, torch.tensor([task.sample]), Stream.EDITING, task.layers)
    found = []
    for unit, layers in zip(task.fields, task.layers, strict=True):
        frames = [
            (base.edited(move(codes, unit, amount), layers) if amount else base.rendering).images
            for amount in task.amounts
        ]
        found.append(_encoded(to_pixels(torch.cat(frames))))
    return task.question, found


def _encoded(frames: NDArray[np.uint8]) -> tuple[str, bytes]:
    """Frames (A, H, W, 3) side by side."""
    sheet: NDArray[np.uint8] = tile(np.asarray(frames)[None])
    return ("image/png", png(sheet)) if frames.shape[1] <= SMALL else ("image/jpeg", jpeg(sheet))
