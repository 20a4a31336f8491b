"""Provide `ganstrata.manipulate`: edits of chosen pictures as strips, films, tables and a page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UserError
from ..figures import sheets
from ..figures.pictures import Pixels
from ..messages import listed
from ..runs.inversions import check_inversion
from ..runs.lock import results_of
from ..runs.progress import Progress
from ..runs.run import Run
from ..runs.session import Finished, check_takes_results, open_finished_run
from ..runs.stages import Stage
from ..storage.filenames import file_stem
from ..storage.result_folder import index_text, replace_folder
from ..strata.moves import unit_in_words
from ..strata.truncation import mean_code
from . import coarse, films
from .directions import EditPart, find_boundaries, find_parts
from .folder_name import folder_name
from .page import build_page
from .range_search import Coarse, even_steps, find_range
from .record import EditRecord
from .render import Frames, Ruler, StripRenderer
from .request import JITTER, SEARCHED, EditRequest
from .saved_codes import holds_inversion
from .sources import find_source
from .steps import Strip, positions, signed, strips_of
from .tables import Edited, scores_text, steps_text

INDEX = "manipulate.json"
FOLDER = "manipulations"  # in the run, where no other folder is named


@dataclass(frozen=True)
class Manipulated:
    """Hold the edited pictures and where they were written.

    Attributes:
        path: the folder.
        names: names of the samples (N).
        strips: name, layers and distances of each series.
        before: the unedited samples beside each strip, T = 1.
        frames: pictures (N, T, H, W, C), scores (N, T, C) and distances of each strip.
        concepts: columns of the scores.
        files: names of the files.
        unit: of distances: `sd`, standard deviations of w or of the styles, or `raw`.
        remarks: how the shape of a file was read, and layers for which a boundary was not made.
        styles: whether style channels were moved, and not codes.
        inverted: whether they are inverted pictures of the user.
    """

    path: Path
    names: tuple[str, ...]
    strips: tuple[Strip, ...]
    before: tuple[Frames, ...]
    frames: tuple[Frames, ...]
    concepts: tuple[str, ...]
    files: tuple[str, ...]
    unit: str
    remarks: tuple[str, ...] = ()
    styles: bool = False
    inverted: bool = False

    def own_places(self) -> list[str]:
        """Return a sentence for each strip on where pictures of the user lie themselves; none for samples."""
        if not self.inverted:
            return []
        lines = []
        for strip, before in zip(self.strips, self.before, strict=True):
            for p, part in enumerate(strip.parts):
                places = (
                    f"{name} {signed(float(distance), 2)}"
                    for name, distance in zip(self.names, before.distances[:, 0, p], strict=True)
                    if not np.isnan(distance)
                )
                if listing := listed(list(places)):
                    lines.append(
                        f"Distance from {part.boundary.name} before the edit: {listing} {self.unit_in_words}"
                    )
        return lines

    @property
    def unit_in_words(self) -> str:
        """What distances are counted in, such as `standard deviations of w`."""
        return unit_in_words(self.unit, styles=self.styles)


def manipulate(
    run: Run | Path | str,
    along: str | Sequence[str],
    *,
    keep: Sequence[str] = (),
    mode: str = "independent",
    seeds: str | Sequence[int] | None = None,
    samples: str | Sequence[int] | None = None,
    codes: Path | str | None = None,
    codes_as: str | None = None,
    space: str | None = None,
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
    """Move pictures along boundaries of a run, and write the results (method C).

    Args:
        run: a run with learnt boundaries, or its directory.
        along: one or more of NAME[:AMOUNT][@LAYERS]: a boundary, its distance at the last step, the layers.
        keep: boundaries whose concepts must not change (conditional edit).
        mode: independent, joint, absolute (to distances from the boundary) or jitter (draws with noise).
        seeds: seeds of new pictures, such as "0-9" or [0, 1]; the default is those that the report edits.
        samples: the run's own pictures.
        codes: a folder that `ganstrata.invert` wrote, or a file of codes: z (N, Z), w (N, D) or codes (N, L,
            D), in any format that is read.
        codes_as: `code` for one code (L, D), `codes` for N of them, `codes-last` if the last axis counts
            them; needed where the shape does not tell.
        space: z, w or w+; needed where neither file nor shape tells.
        start: first distance, in the unit of rescoring.distance_unit; default: the run's editing.start.
        end: last distance.
        steps: how many.
        search: find a range for each boundary, with steps that are even in its score.
        noise_sd: sd of jitter, in the same unit.
        boundaries: a folder with boundaries.json, if they are not the run's.
        scores: whether to score the pictures.
        kinds: kinds of files to write: strip, grid, gif, mp4, html.
        fps: steps per second in films.
        out: the folder; default: in the run.
        device: default: as in the run's config.
        quiet: whether to show no progress.

    Raises:
        GanstrataError: the request does not fit the run; nothing was written.

    Example:
        >>> from inspect import signature
        >>> list(signature(manipulate).parameters)[:4]
        ['run', 'along', 'keep', 'mode']
    """
    request = EditRequest(
        along=(along,) if isinstance(along, str) else tuple(along),
        keep=(keep,) if isinstance(keep, str) else tuple(keep),
        mode=mode,
        seeds=_numbers(seeds),
        samples=_numbers(samples),
        codes=None if codes is None else Path(codes),
        codes_as=codes_as,
        space=space,
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
    return perform(run.path if isinstance(run, Run) else Path(run), request, progress=Progress(quiet=quiet))


def perform(path: Path, request: EditRequest, *, progress: Progress) -> Manipulated:
    """Do the same as `manipulate` for a request."""
    request.check()
    if "mp4" in request.kinds:
        films.video_library()
    if request.codes is not None and holds_inversion(request.codes):  # before plugins are loaded for it
        check_inversion(request.codes, Run.open(path).record.generator.fingerprint)
    stages: tuple[Stage, ...] = ("synthesize", "learn") if request.boundaries is None else ("synthesize",)
    out = request.out
    if out is None:
        check_takes_results(path)
    with (
        nullcontext() if out is None else results_of(out, INDEX, "manipulate"),  # else the run is locked
        open_finished_run(path, request.device, stages, writes=out is None, progress=progress) as finished,
    ):
        return _perform(finished, request, progress)


def _perform(finished: Finished, request: EditRequest, progress: Progress) -> Manipulated:
    """Check the request against the run, render everything, then write the folder in one step."""
    run, prepared = finished.run, finished.engine.prepared
    editing = run.config.editing
    known, boundaries = find_boundaries(run, request.boundaries)
    parts = find_parts(prepared, known, request, run.step_unit_in)
    styles = parts[0].in_styles
    unit = run.step_unit_in(parts[0].boundary.space)
    source = find_source(prepared, request)
    strips = strips_of(parts, positions(request, editing.start, editing.end, editing.steps), request.mode)
    ruler = Ruler(unit, (JITTER if request.noise_sd is None else request.noise_sd) * unit)
    one = None if source.condition is None else source.condition[:1]
    if request.mode == "absolute" and mean_code(prepared.generator, one) is None:
        raise DataError(
            "an absolute edit is impossible with this generator: "
            "its broadcast() is not a truncation towards a point"
        )
    out = _folder(run, request, strips)
    rows = source.rendered(prepared.batch)
    columns = strips[0].distances.shape[1]
    total = rows * columns * (len(strips) + (columns if "grid" in request.kinds else 0))
    if request.search:
        total += coarse.columns_per_batch(parts) * coarse.batch_count(prepared) * prepared.batch
    with progress.stage("manipulate", total=total) as done:
        if request.search:
            steps = coarse.coarse_steps(
                -SEARCHED if request.start is None else request.start,
                SEARCHED if request.end is None else request.end,
            )
            strips = _searched(
                parts, coarse.measure(prepared, parts, run.concepts, steps, unit, done), strips, request
            )
        renderer = StripRenderer(prepared, source, ruler, scored=request.scores)
        before, frames = renderer.draw(strips, done)
        grid = renderer.grid(strips[0], done) if "grid" in request.kinds else None
        edited = [Edited(*each) for each in zip(strips, before, frames, strict=True)]
        record = EditRecord(
            request,
            source,
            boundaries,
            strips,
            # A run that learns in w has no standard deviation in s: its steps there are units of s.
            "raw" if styles and not prepared.in_styles else prepared.config.rescoring.distance_unit,
            unit,
            styles,
            prepared.generator.fingerprint,
        )
        files = _files(run, record, edited, grid)
        files[INDEX] = index_text(record.as_data(finished), files)
        replace_folder(out, INDEX, files)
    concepts = tuple(concept.name for concept in prepared.concepts) if request.scores else ()
    return Manipulated(
        out,
        source.names,
        tuple(strips),
        tuple(before),
        tuple(frames),
        concepts,
        tuple(files),
        unit=record.unit,
        remarks=(*source.remarks, *(part.beyond for part in parts if part.beyond)),
        styles=styles,
        inverted=source.inverted,
    )


def _numbers(numbers: str | Sequence[int] | None) -> str | None:
    """Return numbers as text, the way the command line gives them."""
    if numbers is None or isinstance(numbers, str):
        return numbers
    return ",".join(str(int(i)) for i in numbers)


def _folder(run: Run, request: EditRequest, strips: Sequence[Strip]) -> Path:
    """Return the folder to write: one in the run, unless the request names another."""
    if request.out is not None:
        return request.out
    return run.path / FOLDER / folder_name(request, [part for strip in strips for part in strip.parts])


def _searched(
    parts: Sequence[EditPart], tables: Sequence[Coarse], strips: list[Strip], request: EditRequest
) -> list[Strip]:
    """Return the strips with the steps that a search finds for each part."""
    for part in parts:
        if part.amount is not None:
            raise UserError(
                f"{part.boundary.name}:{part.amount:g} says how far to go, and --search finds it; "
                "leave one of them out"
            )
    count = strips[0].distances.shape[1]
    ranges = {part.name: find_range(table, name=part.name) for part, table in zip(parts, tables, strict=True)}
    return [
        replace(
            strip,
            distances=np.stack([even_steps(ranges[part.name], count) for part in strip.parts]),
            search=tuple(ranges[part.name] for part in strip.parts),
        )
        for strip in strips
    ]


def _files(
    run: Run, record: EditRecord, edited: Sequence[Edited], grid: NDArray[np.uint8] | None
) -> dict[str, bytes]:
    """Return the contents of all files but manipulate.json, by name."""
    request, source = record.request, record.source
    files: dict[str, bytes] = {"steps.csv": steps_text(source.names, edited).encode()}
    if request.scores:
        files["scores.csv"] = scores_text(source.names, edited, run.concepts).encode()
    for each in edited:
        stem = (
            "joint"
            if request.mode == "joint"
            else file_stem(each.strip.parts[0].boundary.name, each.strip.parts[0].set_name)
        )
        if "strip" in request.kinds:
            row: Pixels = np.concatenate([each.before.pictures, each.frames.pictures], axis=1)
            files[f"{stem}.png"] = sheets.sheet(
                row, ["unedited", *each.strip.labels], source.names, apart=True
            )
        film = (
            films.frames(each.frames.pictures, run.record.generator.background)
            if {"gif", "mp4"} & set(request.kinds)
            else None
        )
        if film is not None and "gif" in request.kinds:
            files[f"{stem}.gif"] = films.gif(film, request.fps)
        if film is not None and "mp4" in request.kinds:
            files[f"{stem}.mp4"] = films.mp4(film, request.fps)
    if grid is not None:
        strip = edited[0].strip
        across, down = ([label.split(" ")[p] for label in strip.labels] for p in (0, 1))
        for name, cells in zip(source.names, grid, strict=True):
            files[f"grid.{name.replace(' ', '-')}.png"] = sheets.sheet(cells, across, down[::-1])
    if "html" in request.kinds:
        files["manipulate.html"] = build_page(run, edited, record).encode()
    return files
