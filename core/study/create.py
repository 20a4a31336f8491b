"""Create a study from a run: render the strips, shuffle them, and write the page and the key."""

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
from ..messages import visible
from ..plugins.boundary import STYLES, Boundaries, Boundary
from ..plugins.compatibility import check_fits
from ..randomness import Stream
from ..rescoring.null_comparison import NO_NULL
from ..rescoring.results import Effects
from ..rescoring.stored_effects import read_effects
from ..runs.engines.run_engine import RunEngine
from ..runs.lock import locked_results
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..runs.session import Finished, open_finished_run
from ..storage.result_folder import add_files, check_outside_arrays, recover
from ..strata.displacements import Displacement, displacement, edited
from ..strata.layers import layers_in_words
from .asked import Asked, default_words
from .key import KEY, PAGE, Key, Question, shuffled
from .page import build_page
from .votes import NONE

STRIPS = 3
STEPS = 5
SMALL = 128  # longer side in pixels up to which pictures are stored as PNG
LONGEST_WORDS = 200  # characters of what the page calls a boundary
POOL = 100_000  # number of samples that a study draws from


@dataclass(frozen=True)
class StudyRequest:
    """Represent the options of a study.

    Attributes:
        concepts: patterns of boundaries' names; empty for the variation factors.
        strips: samples per boundary.
        steps: pictures in a row; odd, so that the unedited one is in the middle.
        words: what the page calls a boundary, by name.
        seed: seed of samples and shuffling; None to draw one, which the key stores.
        device: device to compute on; None for that of the run.
    """

    concepts: tuple[str, ...] = ()
    strips: int = STRIPS
    steps: int = STEPS
    words: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Task:
    """Hold one question to render; plain data, so that it can go to a worker.

    Attributes:
        question: random name of the question.
        sample: index of the sample.
        displacements: for each row, what one unit of the edit adds.
        layers: for each row, the edited layers.
        amounts: number of units for each column.
    """

    question: str
    sample: int
    displacements: tuple[Displacement, ...]
    layers: tuple[tuple[int, ...], ...]
    amounts: tuple[float, ...]


def make_study(path: Path, out: Path, request: StudyRequest, *, progress: Progress) -> Key:
    """Write study.html, for the raters, and key.json, for the owner of the study, into a new folder.

    Raises:
        UserError: the run is not finished or has fewer than two layer groups, a name is unknown, or `out`
            already holds a study.
        GanstrataError: `out` cannot be written.
    """
    with locked_results(out):
        recover(out, KEY)  # what a killed process left
        _check(request, out)
        with open_finished_run(path, request.device, writes=False, progress=progress) as finished:
            run, engine = finished.run, finished.engine
            prepared = engine.prepared
            groups = dict(prepared.groups)
            if len(groups) < 2:
                raise UserError(
                    f"{path} has {len(groups)} layer groups, and a study compares two or more; "
                    "set rescoring.groups in the config of a new run"
                )
            if NONE in groups:
                raise UserError(
                    f"{path} has a layer group '{NONE}', which is what raters choose if no row fits; "
                    "rename it in rescoring.groups in the config of a new run"
                )
            effects = read_effects(run)
            words = default_words(effects)
            chosen, left_out = _select_boundaries(effects, request, words, path)
            for name, reason in left_out.items():
                progress.warn(f"{name} is left out: {reason}")
            for boundary in chosen:
                check_fits(boundary, prepared.generator)
            seed = secrets.randbits(48) if request.seed is None else request.seed
            amounts = tuple(float(a) for a in _amounts(run, request.steps))
            key = _key(finished, chosen, groups, amounts, request, words, seed)
            strips = _strips(run, engine, key, chosen, progress)
            card = prepared.generator.card
        page = build_page(key, strips, (card.height, card.width))
        add_files(out, {PAGE: page.encode(), KEY: key.text.encode()}, KEY)
    return key


def _check(request: StudyRequest, out: Path) -> None:
    """Check the options and that `out` is free.

    Raises:
        UserError: an option is out of range, or `out` already holds a study.
    """
    if request.steps < 3 or request.steps % 2 == 0:
        raise UserError(
            f"--steps {request.steps}: give an odd number of at least 3, "
            "so that the unedited picture is in the middle"
        )
    if request.strips < 1:
        raise UserError(f"--strips {request.strips}: give 1 or more")
    check_outside_arrays(out)
    taken = [name for name in (KEY, PAGE, "run.json") if (out / name).exists()]
    if taken:
        raise RunError(f"{out} has {' and '.join(taken)} already; give another --out")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file; give a folder as --out")


def _select_boundaries(
    effects: Effects, request: StudyRequest, known_words: Mapping[str, Asked], path: Path
) -> tuple[Boundaries, dict[str, str]]:
    """Return the boundaries that match the patterns, or the variation factors, and why others are left out.

    Directions with layers of their own, and those without words, are taken only if no pattern is given or one
    has a wildcard; they are then left out.

    Raises:
        UserError: a name is unknown, words cannot be shown, there are no or too many boundaries, or one that
            was named cannot be asked about.
    """
    known = effects.boundaries
    for pattern in request.concepts:
        if not any(fnmatchcase(name, pattern) for name in known.names):
            raise UserError(
                f"--concepts {pattern}: no boundary of {path} has such a name.{nearest(pattern, known.names)}"
            )
    for name in request.words:
        if name not in known.names:
            raise UserError(
                f"--words {name}=...: no boundary of {path} has this name.{nearest(name, known.names)}"
            )
    if not request.concepts and not effects.factor_names:
        why = "" if effects.has_null else f", because {NO_NULL}"
        raise UserError(f"{path} has no variation factors to ask about{why}; name boundaries with --concepts")
    chosen = (
        Boundaries(b for b in known if any(fnmatchcase(b.name, pattern) for pattern in request.concepts))
        if request.concepts
        else Boundaries(known.of(name) for name in effects.factor_names)
    )
    faults = _not_askable(effects, chosen, request, known_words)
    if len(faults) == len(chosen):
        raise UserError(
            f"{path} has no direction to ask about among these: "
            + "; ".join(f"{name}: {reason}" for name, reason in list(faults.items())[:3])
        )
    chosen = Boundaries(b for b in chosen if b.name not in faults)
    for name, words in request.words.items():
        if name not in chosen.names:
            raise UserError(f"--words {name}=...: this study does not ask about {name}; add it to --concepts")
        if not words.strip() or visible(words, LONGEST_WORDS) != words:
            raise UserError(
                f"--words {name}={visible(words)}: give one line of 1 to {LONGEST_WORDS} characters "
                "that can be printed"
            )
    if len(chosen) * request.strips > POOL:
        raise UserError(
            f"--strips {request.strips}: {len(chosen)} boundaries with as many samples each are more than "
            f"the {POOL} samples that a study draws from; give fewer strips, or fewer --concepts"
        )
    return chosen, faults


def _not_askable(
    effects: Effects, chosen: Boundaries, request: StudyRequest, known_words: Mapping[str, Asked]
) -> dict[str, str]:
    """Return the names of boundaries that may not move every layer group, or have no words, with the reason.

    Raises:
        UserError: one that does not was given by its name.
    """
    faults = {}
    for boundary in chosen:
        fault = ""
        if not effects.free[effects.boundaries.names.index(boundary.name)]:
            layers = layers_in_words(boundary.layers or ())
            fault = f"it moves {layers} alone, and a study compares all layer groups"
        elif boundary.name not in known_words and boundary.name not in request.words:
            fault = f"it is unnamed: say what raters are to look for, with --words {boundary.name}=TEXT"
        if fault and boundary.name in request.concepts:
            raise UserError(f"--concepts {boundary.name}: {fault}")
        if fault:
            faults[boundary.name] = fault
    return faults


def _amounts(run: Run, steps: int) -> NDArray[np.float64]:
    """Return the amounts of the columns: evenly from the start of the strips to 0, and on to their end."""
    editing = run.config.editing
    if not editing.start < 0.0 < editing.end:
        raise UserError(
            f"{run.path}: editing goes from {editing.start:g} to {editing.end:g}; "
            "a study needs both directions"
        )
    half = steps // 2 + 1
    return np.concatenate([np.linspace(editing.start, 0.0, half)[:-1], np.linspace(0.0, editing.end, half)])


def _key(
    finished: Finished,
    chosen: Boundaries,
    groups: dict[str, tuple[int, ...]],
    amounts: tuple[float, ...],
    request: StudyRequest,
    words: Mapping[str, Asked],
    seed: int,
) -> Key:
    """Return the key, with the questions in random order and under random names.

    For each concept, each layer group is in each row equally often, as far as the number of strips allows.
    """
    run, prepared = finished.run, finished.engine.prepared
    rng = np.random.default_rng([seed, 0])
    first = run.config.editing.samples  # the report shows these, so a rater may know them
    samples = iter(first + rng.choice(POOL, size=len(chosen) * request.strips, replace=False))
    questions = [
        Question(
            "unnamed",
            b.name,
            words[b.name].level if b.name in words and b.name not in request.words else b.level,
            request.words.get(b.name) or words[b.name].words,
            int(next(samples)),
            order,
        )
        for b in chosen
        for order in shuffled(tuple(groups), request.strips, rng)
    ]
    names: list[str] = []
    while len(names) < len(questions) + 1:
        name = rng.bytes(6).hex()
        names += [] if name in names else [name]
    shuffled_questions = [questions[i] for i in rng.permutation(len(questions))]
    ordered = tuple(
        replace(question, id=name) for name, question in zip(names[1:], shuffled_questions, strict=True)
    )
    fingerprint = prepared.generator.fingerprint
    return Key(names[0], seed, run.path.name, fingerprint, groups, amounts, ordered, finished.as_data())


def _strips(
    run: Run, engine: RunEngine, key: Key, chosen: Boundaries, progress: Progress
) -> list[list[tuple[str, bytes]]]:
    """Render all questions: for each, media type and bytes of each row."""
    unit, scale = run.step_unit, engine.prepared.edit_scale

    def task(question: Question) -> Task:
        layers = tuple(key.groups[name] for name in question.order)
        boundary: Boundary = chosen.of(question.boundary)
        return Task(
            question.id,
            question.sample,
            tuple(
                displacement(
                    engine.prepared.generator,
                    boundary.normal,
                    row,
                    scale,
                    styles=boundary.space == STYLES,
                    length=unit,
                )
                for row in layers
            ),
            layers,
            key.amounts,
        )

    rows_of: dict[str, list[tuple[str, bytes]]] = {}
    with progress.stage("study", total=len(key.questions)) as step:
        for name, rows in engine.map(_render, [task(question) for question in key.questions]):  # in any order
            rows_of[name] = rows
            step(1)
    return [rows_of[question.id] for question in key.questions]


@torch.inference_mode()
def _render(prepared: Prepared, task: Task) -> tuple[str, list[tuple[str, bytes]]]:
    """Render the rows of one question, each picture on its own, and return them with the question's name."""
    start = task.sample // prepared.batch * prepared.batch
    latents, _, codes = prepared.draw(start, Stream.EDITING)
    row = slice(task.sample - start, task.sample - start + 1)
    condition = None if latents.condition is None else latents.condition[row]
    codes = codes[row]  # (1, L, D)
    base = prepared.render(codes, condition, torch.tensor([task.sample]), Stream.EDITING, task.layers)
    rows = []
    for unit, layers in zip(task.displacements, task.layers, strict=True):
        frames = [
            (edited(base, codes, [unit], [amount], layers) if amount else base.rendering).images
            for amount in task.amounts
        ]
        rows.append(_encoded(to_pixels(torch.cat(frames))))
    return task.question, rows


def _encoded(frames: NDArray[np.uint8]) -> tuple[str, bytes]:
    """Encode frames (A, H, W, 3) side by side: media type and bytes."""
    sheet: NDArray[np.uint8] = tile(np.asarray(frames)[None])
    return ("image/png", png(sheet)) if max(frames.shape[1:3]) <= SMALL else ("image/jpeg", jpeg(sheet))
