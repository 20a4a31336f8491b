"""`ganstrata.manipulate`: edits of chosen pictures, written as pictures, films, tables and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UserError
from ..figures import sheets
from ..figures.pictures import Pixels
from ..runs.engine import Engine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run, versions
from ..runs.session import open_finished_run
from ..storage.filenames import file_stem
from ..storage.result_folder import check_free, index_text, replace_folder
from . import coarse, films
from .directions import EditPart, find_boundaries, find_parts, mean_code
from .page import Edited, build_page, scores_text, steps_text
from .range_search import Coarse, even_steps, find_range
from .render import Frames, Ruler, Table
from .request import JITTER, SEARCHED, EditRequest
from .sources import Source, find_source
from .steps import Strip, positions, strips_of

INDEX = "manipulate.json"
FOLDER = "manipulations"  # in the run, where no other folder is named
FORMAT = 1


@dataclass(frozen=True)
class Manipulated:
    """What was made.

    Attributes:
        path: the folder.
        names: of the samples (N).
        strips: name, layers and distances of each series.
        before: the unedited samples beside each strip, T = 1.
        frames: pictures (N, T, H, W, 3), scores (N, T, C) and distances of each strip.
        concepts: columns of the scores.
        files: names of what was written.
    """

    path: Path
    names: tuple[str, ...]
    strips: tuple[Strip, ...]
    before: tuple[Frames, ...]
    frames: tuple[Frames, ...]
    concepts: tuple[str, ...]
    files: tuple[str, ...]


def manipulate(
    run: Run | Path | str,
    along: str | Sequence[str],
    *,
    keep: Sequence[str] = (),
    mode: str = "independent",
    seeds: str | Sequence[int] | None = None,
    samples: str | Sequence[int] | None = None,
    codes: Path | str | None = None,
    start: float | None = None,
    end: float | None = None,
    steps: int | None = None,
    search: bool = False,
    noise_sd: float | None = None,
    boundaries: Path | str | None = None,
    scores: bool = True,
    kinds: Sequence[str] = ("strip", "html"),
    fps: float = 8.0,
    out: Path | str | None = None,
    device: str | None = None,
    quiet: bool = True,
) -> Manipulated:
    """Move pictures along boundaries of a run, and write what becomes of them (method C).

    Args:
        run: one that has learnt its boundaries, or its directory.
        along: one or more of NAME[:AMOUNT][@LAYERS]: a boundary, its distance at the last step, where to move.
        keep: boundaries that must be left alone (conditional edit).
        mode: independent, joint, absolute (to distances from the boundary) or jitter (draws with noise).
        seeds: fresh pictures, such as "0-9" or [0, 1]; the default is those that the report edits.
        samples: the run's own pictures.
        codes: a .npy or .npz with w (N, D) or codes (N, L, D).
        start: first distance, in the unit of rescoring.distance_unit; default: the run's editing.start.
        end: last distance.
        steps: how many.
        search: find for each boundary how far it goes, and step evenly in its score.
        noise_sd: of jitter.
        boundaries: a folder with boundaries.json, if they are not the run's.
        scores: whether to score the pictures.
        kinds: of files to write: strip, grid, gif, mp4, html.
        fps: steps per second in films.
        out: the folder; default: in the run.
        device: default: as in the run's config.
        quiet: whether to say nothing.

    Raises:
        GanstrataError: what was asked for does not fit; then nothing was written.

    Example:
        >>> from inspect import signature
        >>> list(signature(manipulate).parameters)[:4]
        ['run', 'along', 'keep', 'mode']
    """
    ask = EditRequest(
        along=(along,) if isinstance(along, str) else tuple(along),
        keep=(keep,) if isinstance(keep, str) else tuple(keep),
        mode=mode,
        seeds=_numbers(seeds),
        samples=_numbers(samples),
        codes=None if codes is None else Path(codes),
        start=start,
        end=end,
        steps=steps,
        search=search,
        noise_sd=noise_sd,
        boundaries=None if boundaries is None else Path(boundaries),
        scores=scores,
        kinds=(kinds,) if isinstance(kinds, str) else tuple(kinds),
        fps=fps,
        out=None if out is None else Path(out),
        device=device,
    )
    return perform(run.path if isinstance(run, Run) else Path(run), ask, progress=Progress(quiet=quiet))


def perform(path: Path, ask: EditRequest, *, progress: Progress) -> Manipulated:
    """As `manipulate`, with everything that was asked for in one record."""
    ask.check()
    if "mp4" in ask.kinds:
        films.video_library()
    stages = ("synthesize", "learn") if ask.boundaries is None else ("synthesize",)
    with open_finished_run(path, ask.device, stages, writes=ask.out is None) as (run, engine):
        return _perform(run, engine, ask, progress)


def _perform(run: Run, engine: Engine, ask: EditRequest, progress: Progress) -> Manipulated:
    prepared, editing = engine.prepared, run.config.editing
    unit = run.step_unit
    known, boundary_record = find_boundaries(run, ask.boundaries)
    parts = find_parts(prepared, known, ask, unit)
    source = find_source(prepared, ask)
    strips = strips_of(parts, positions(ask, editing.start, editing.end, editing.steps), ask.mode)
    ruler = Ruler(
        unit, mean_code(prepared.generator), (JITTER if ask.noise_sd is None else ask.noise_sd) * unit
    )
    if ask.mode == "absolute" and ruler.mean is None:
        raise DataError(
            "an absolute edit is impossible with this generator: what its broadcast() does is no truncation towards a point"
        )
    out = _folder(run, ask, strips)
    rows = -(-len(source.codes) // prepared.batch) * prepared.batch
    columns = strips[0].distances.shape[1]
    total = rows * columns * (len(strips) + (columns if "grid" in ask.kinds else 0))
    total += coarse.work(parts) * coarse.batches(prepared) * prepared.batch if ask.search else 0
    with progress.stage("manipulate", total=total) as done:
        if ask.search:
            steps = coarse.coarse_steps(
                -SEARCHED if ask.start is None else ask.start, SEARCHED if ask.end is None else ask.end
            )
            strips = _searched(
                parts, coarse.measure(prepared, parts, run.concepts, steps, unit, done), strips, ask
            )
        table = Table(prepared, source, ruler, scored=ask.scores)
        before, frames = table.draw(strips, done)
        grid = table.grid(strips[0], done) if "grid" in ask.kinds else None
        edited = [Edited(*each) for each in zip(strips, before, frames, strict=True)]
        record = _record(run, prepared, ask, source, strips, boundary_record, unit)
        files = _files(run, ask, source, edited, grid, record)
        files[INDEX] = index_text(record, files)
        replace_folder(out, INDEX, files)
    concepts = tuple(concept.name for concept in prepared.concepts) if ask.scores else ()
    return Manipulated(out, source.names, tuple(strips), tuple(before), tuple(frames), concepts, tuple(files))


def _numbers(given: str | Sequence[int] | None) -> str | None:
    return given if given is None or isinstance(given, str) else ",".join(str(int(i)) for i in given)


def _folder(run: Run, ask: EditRequest, strips: Sequence[Strip]) -> Path:
    """Return where to write: in the run, or a folder that is new, empty, or holds earlier edits alone.

    Raises:
        RunError: it holds something else.
    """
    if ask.out is not None:
        check_free(ask.out, INDEX, "manipulate")
        return ask.out
    name = file_stem(*(part.boundary.name for strip in strips for part in strip.parts), between="+")
    return run.path / FOLDER / f"{name}.{ask.mode}"


def _searched(
    parts: Sequence[EditPart], tables: Sequence[Coarse], strips: list[Strip], ask: EditRequest
) -> list[Strip]:
    """The strips with the steps that a search finds for each part."""
    for part in parts:
        if part.amount is not None:
            raise UserError(
                f"{part.boundary.name}:{part.amount:g} says how far to go, and --search finds it; leave one of them out"
            )
    count = strips[0].distances.shape[1]
    found = {part.name: find_range(table, name=part.name) for part, table in zip(parts, tables, strict=True)}
    return [
        replace(
            strip,
            distances=np.stack([even_steps(found[part.name], count) for part in strip.parts]),
            search=tuple(found[part.name].record() for part in strip.parts),
        )
        for strip in strips
    ]


def _record(
    run: Run,
    prepared: Prepared,
    ask: EditRequest,
    source: Source,
    strips: Sequence[Strip],
    boundaries: Mapping[str, Any],
    unit: float,
) -> dict[str, Any]:
    """Everything needed to make the same again."""
    card = prepared.generator.card
    return {
        "format": FORMAT,
        "asked": {
            "along": list(ask.along),
            "keep": list(ask.keep),
            "mode": ask.mode,
            "steps": strips[0].distances.shape[1],
            "search": ask.search,
            "noise_sd": (JITTER if ask.noise_sd is None else ask.noise_sd) if ask.mode == "jitter" else None,
            "scores": ask.scores,
            "as": list(ask.kinds),
            "fps": ask.fps,
        },
        "codes": dict(source.record),
        "boundaries": dict(boundaries),
        "unit": {"name": prepared.config.rescoring.distance_unit, "in_w": unit},
        "strips": [
            {
                "name": strip.name,
                "parts": [
                    part.record() | {"distances": row.tolist()}
                    for part, row in zip(strip.parts, strip.distances, strict=True)
                ],
                "search": list(strip.search),
            }
            for strip in strips
        ],
        "generator": {
            "family": card.family,
            "source": card.source,
            "fingerprint": prepared.generator.fingerprint,
        },
        "checkpoints": run.record.checkpoints,
        "stands_on": {"learn": run.keys.stages["learn"]},
        "config": {key: run.manifest["config"][key] for key in ("generator", "scorers", "synthesis")}
        | {"scale": run.config.editing.scale},
        "batch_size": prepared.batch,
        "device": str(prepared.device),
        "precision": prepared.precision,
        "versions": versions(),
    }


def _files(
    run: Run,
    ask: EditRequest,
    source: Source,
    edited: Sequence[Edited],
    grid: NDArray[np.uint8] | None,
    record: Mapping[str, Any],
) -> dict[str, bytes]:
    """What was asked for, by name."""
    files: dict[str, bytes] = {"steps.csv": steps_text(source.names, edited).encode()}
    if ask.scores:
        files["scores.csv"] = scores_text(source.names, edited, run.concepts).encode()
    for each in edited:
        stem = (
            "joint"
            if ask.mode == "joint"
            else file_stem(each.strip.parts[0].boundary.name, each.strip.parts[0].set_name)
        )
        if "strip" in ask.kinds:
            row: Pixels = np.concatenate([each.before.pictures, each.frames.pictures], axis=1)
            files[f"{stem}.png"] = sheets.sheet(
                row, ["unedited", *each.strip.labels], source.names, apart=True
            )
        film = films.frames(each.frames.pictures) if {"gif", "mp4"} & set(ask.kinds) else None
        if film is not None and "gif" in ask.kinds:
            files[f"{stem}.gif"] = films.gif(film, ask.fps)
        if film is not None and "mp4" in ask.kinds:
            files[f"{stem}.mp4"] = films.mp4(film, ask.fps)
    if grid is not None:
        strip = edited[0].strip
        across, down = ([label.split(" ")[p] for label in strip.labels] for p in (0, 1))
        for name, cells in zip(source.names, grid, strict=True):
            files[f"grid.{name.replace(' ', '-')}.png"] = sheets.sheet(cells, across, down[::-1])
    if "html" in ask.kinds:
        files["manipulate.html"] = build_page(run, source.names, edited, record).encode()
    return files
