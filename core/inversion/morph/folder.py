"""Write what morphing led to as a folder, whole or not at all: pictures, films, tables, codes, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from torch import Tensor

from ...editing import films
from ...errors import UserError, nearest
from ...figures.pages import data_uri, framed
from ...figures.pictures import Pixels
from ...figures.sheets import enlarged, sheet
from ...plugins.generator import Generator
from ...plugins.inverter import Inversion
from ...runs.inversion_file import codes_bytes
from ...runs.inversions import CODES
from ...storage.csv_tables import csv_text
from ...storage.json_values import JsonObject
from ...storage.result_folder import index_text, replace_folder
from .interpolate import Interpolated
from .mix import Mixed
from .points import Points

KINDS = ("strip", "gif", "mp4", "html")
SHOWN = 128  # pixels to which smaller pictures of a page are enlarged
FORMAT = 1
STYLE = """
.walk { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .5rem; }
.walk figure { margin: 0; } .walk img, .mixed img { width: 100%; border-radius: 6px; display: block; }
.walk figcaption { font-size: .74rem; font-variant-numeric: tabular-nums; }
.walk .bar { height: .4rem; border-radius: 3px; background: var(--rule); margin-top: .25rem; }
.walk .bar i { display: block; height: 100%; border-radius: 3px; background: currentColor; opacity: .55; }
.walk .jump { outline: 2px solid currentColor; border-radius: 8px; outline-offset: 3px; }
.mixed { table-layout: auto; } .mixed img { width: 7rem; }
"""


@dataclass(frozen=True)
class Written:
    """Hold what was written where, with sentences for the user."""

    path: Path
    files: tuple[str, ...]
    sentences: tuple[str, ...]


class FrameView(NamedTuple):
    """Hold a picture of a path for the page."""

    image: str
    words: str
    pixels: float | None
    perceptual: float | None
    width: float
    jump: bool


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse unknown kinds of files, and films that cannot be made.

    Raises:
        UserError: names them.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(f"'{kind}' is not an output.{nearest(kind, KINDS)} There are {', '.join(KINDS)}")
    if "mp4" in kinds:
        films.video_library()


def path_files(
    path: Interpolated, points: Points, kinds: Sequence[str], fps: float, record: JsonObject
) -> dict[str, bytes]:
    """Return the files of a path but the index, by name."""
    names = [*dict.fromkeys(place.first for place in path.places), path.places[-1].second]
    generator = points.generator
    digits = len(str(len(path.places) - 1))
    stems = [f"{t:0{digits}d}" for t in range(len(path.places))]
    files = {"steps.csv": steps_text(path).encode()}
    files |= codes_of(path.inversion, path.index, stems, generator, points.seed)
    if "strip" in kinds:
        files["strip.png"] = _strip(path)
    if {"gif", "mp4"} & set(kinds):
        film = films.frames(path.pictures[None], generator.card.background)
        files |= {"film.gif": films.gif(film, fps)} if "gif" in kinds else {}
        files |= {"film.mp4": films.mp4(film, fps)} if "mp4" in kinds else {}
    if "html" in kinds:
        values = {
            "names": names,
            "path": path,
            "frames": _views(path, generator.card.background),
            "sentences": path_sentences(path),
            "record": record,
            "codes": CODES if CODES in files else "",
            "model": generator.card.source,
        }
        files["interpolate.html"] = framed(__package__, "interpolate.html.j2", values, STYLE).encode()
    return files


def mixed_files(mixed: Mixed, points: Points, kinds: Sequence[str], record: JsonObject) -> dict[str, bytes]:
    """Return the files of a grid of mixed pictures but the index, by name."""
    generator = points.generator
    stems = [f"{r}-{c}" for r in range(len(mixed.rows)) for c in range(len(mixed.columns))]
    files = codes_of(mixed.inversion, mixed.index, stems, generator, points.seed)
    if "strip" in kinds:
        heads, names = ["", *mixed.columns], ["style", *mixed.rows]
        files["grid.png"] = sheet(mixed.grid, heads, names, apart=True)
    if "html" in kinds:
        background = generator.card.background
        values = {
            "mixed": mixed,
            "head": [_uri(picture, background) for picture in mixed.style],
            "rows": [
                (name, _uri(first, background), [_uri(picture, background) for picture in pictures])
                for name, first, pictures in zip(mixed.rows, mixed.structure, mixed.pictures, strict=True)
            ],
            "record": record,
            "codes": CODES if CODES in files else "",
            "model": generator.card.source,
        }
        files["mix.html"] = framed(__package__, "mix.html.j2", values, STYLE).encode()
    return files


def write(out: Path, index: str, record: JsonObject, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write a folder with its index in one step, and return the names of its files."""
    every = {**files, index: index_text({"format": FORMAT, **record}, files)}
    replace_folder(out, index, every)
    return tuple(every)


def steps_text(path: Interpolated) -> str:
    """Return steps.csv: a row per picture, with the distances from the one before."""
    perceptual: Sequence[float | str] = [""] * len(path.pixels)
    if path.perceptual is not None:
        perceptual = path.perceptual.tolist()
    rows: list[tuple[str | float, ...]] = [
        ("picture", "from", "to", "t", "pixels", "perceptual", "times_median", "jump")
    ]
    rows.append((0, *path.places[0], "", "", "", ""))
    for t, place in enumerate(path.places[1:]):
        jump = "yes" if t + 1 in path.jumps else "no"
        rows.append((t + 1, *place, path.pixels[t], perceptual[t], path.relative[t], jump))
    return csv_text(rows)


def path_sentences(path: Interpolated) -> tuple[str, ...]:
    """Return in words how even a path is."""
    what = f"perceptual, by {path.network}" if path.network else "root mean squared difference of pixels"
    first = (
        f"Median distance of neighbours: {np.median(path.measured):.3g} ({what}); the largest is "
        f"{path.relative.max():.1f} times as large."
    )
    if not path.jumps:
        return (first, "No step is more than twice the median: the path does not jump.")
    at = ", ".join(
        f"{path.places[t].first} to {path.places[t].second} at t = {path.places[t].at:.2f}"
        for t in path.jumps[:5]
    )
    more = f" and {len(path.jumps) - 5} more" if len(path.jumps) > 5 else ""
    return (first, f"It jumps, by more than twice the median, from {at}{more}.")


def _views(path: Interpolated, background: str) -> list[FrameView]:
    largest = float(path.measured.max()) or 1.0
    views = []
    for t, place in enumerate(path.places):
        ends = {0.0: place.first, 1.0: place.second}
        before = None if t == 0 else t - 1
        views.append(
            FrameView(
                _uri(path.pictures[t], background),
                ends.get(place.at, f"t = {place.at:.2f}"),
                None if before is None else float(path.pixels[before]),
                None if before is None or path.perceptual is None else float(path.perceptual[before]),
                0.0 if before is None else 100.0 * float(path.measured[before]) / largest,
                t in path.jumps,
            )
        )
    return views


def _strip(path: Interpolated) -> bytes:
    """Return the sheet of a path, a row from each picture to the next, both of them included."""
    starts = [t for t, place in enumerate(path.places) if place.at == 0.0]
    steps = (len(path.places) - 1) // len(starts) + 1
    rows: list[NDArray[np.uint8]] = [path.pictures[t : t + steps] for t in starts]
    heads = [f"{place.at:.2f}" for place in path.places[: steps - 1]] + ["1.00"]
    return sheet(np.stack(rows), heads, [f"{path.places[t].first} - {path.places[t].second}" for t in starts])


def _uri(picture: Pixels, background: str) -> Markup:
    return Markup(data_uri(enlarged(picture, SHOWN), background))


def codes_of(
    inversion: Inversion, index: Tensor, names: Sequence[str], generator: Generator, seed: int
) -> dict[str, bytes]:
    """Return the file of codes, which `ganstrata manipulate --codes` reads; none of pictures with weights.

    Weights lie in a file for each picture, and those of a path would be many copies of the network.
    """
    if any(inversion.weights):
        return {}
    kept = replace(inversion, losses=None, weights=())
    return {CODES: codes_bytes(kept, index, names, generator=generator.fingerprint, seed=seed)}
