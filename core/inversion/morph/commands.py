"""Do what `ganstrata morph` asks for: find pictures, compute, and write a folder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from ...messages import quantity
from ...plugins.generator import Generator
from ...runs.inversions import check_inversion
from ...runs.lock import results_of
from ...runs.progress import Progress
from ...runs.run import Run
from ...storage.json_values import JsonObject
from ..perceptual import Perceptual
from .folder import Written, check_kinds, mixed_files, path_files, path_sentences, write
from .interpolate import Space, check_path, chosen, default_space, interpolate
from .mix import layers_named, mix
from .points import Points, check_points, find_points

INTERPOLATED, MIXED = "interpolate.json", "mix.json"


@dataclass(frozen=True)
class MorphRequest:
    """State which pictures are morphed, and what is written.

    Attributes:
        codes: folder of inverted pictures; or else
        seeds: numbers of samples, such as `0-3`.
        kinds: files to write: strip, gif, mp4, html.
        fps: pictures of a film per second.
        out: folder to write.
        batch: pictures in one pass.
    """

    codes: Path | None
    seeds: str | None
    kinds: tuple[str, ...]
    fps: float
    out: Path
    batch: int = 8


def check_request(request: MorphRequest, index: str, run: Path | None = None) -> None:
    """Refuse what can be refused before the generator is loaded.

    Args:
        request: which pictures are morphed, and what is written.
        index: INTERPOLATED or MIXED.
        run: run whose generator will be loaded; None for that of a checkpoint.

    Raises:
        UserError: kinds of files, pictures or samples do not fit.
        RunError: the folder holds files that this command did not write.
    """
    check_kinds(request.kinds)
    if index == MIXED and {"gif", "mp4"} & set(request.kinds):
        raise UserError("mixed pictures make a grid, which is not a film; give --as strip,html")
    with _held(request, index):
        check_points(request.codes, request.seeds)
        if request.codes is not None:
            fingerprint = None if run is None else Run.open(run).record.generator.fingerprint
            check_inversion(request.codes, fingerprint)


def _held(request: MorphRequest, index: str) -> AbstractContextManager[None]:
    """Lock the folder to write, and refuse files of others in it."""
    return results_of(request.out, index, f"ganstrata morph {index.removesuffix('.json')}")


def perform_interpolate(
    generator: Generator,
    request: MorphRequest,
    *,
    pictures: str | None,
    steps: int,
    space: Space | None,
    network: Perceptual | None,
    seed: int,
    progress: Progress,
) -> Written:
    """Write the path through pictures as a folder.

    Args:
        generator: the generator.
        request: which pictures, and what is written.
        pictures: names `A,B,C` in the order of the path; None for all.
        steps: pictures from one to the next, both included.
        space: z, w or w+; None for that of the pictures.
        network: gives the perceptual distance; None for none.
        seed: seed of samples.
        progress: where progress is shown.

    Raises:
        UserError: there are no such pictures, or no such path; nothing was written.
        RunError: the folder holds files that this command did not write.
    """
    check_request(request, INTERPOLATED)
    with _held(request, INTERPOLATED):
        points = chosen(find_points(generator, request.codes, request.seeds, seed), pictures)
        space = default_space(points) if space is None else space
        check_path(points, steps, space)
        total = (len(points.names) - 1) * (steps - 1) + 1
        with progress.stage("interpolate", total=total) as done:
            path = interpolate(points, steps, space, network=network, batch=request.batch, done=done)
        record: JsonObject = {
            "pictures": list(points.names),
            "codes": points.origin,
            "space": space,
            "steps": steps,
            "perceptual": path.network,
            "jumps": path.jumps,
            **of_generator(generator),
        }
        files = path_files(path, points, request.kinds, request.fps, record)
        names = write(request.out, INTERPOLATED, record, files)
        return Written(request.out, names, path_sentences(path))


def perform_mix(
    generator: Generator,
    request: MorphRequest,
    *,
    rows: str | None,
    columns: str | None,
    layers: str,
    seed: int,
    progress: Progress,
) -> Written:
    """Write the grid of mixed pictures as a folder.

    Args:
        generator: the generator.
        request: which pictures, and what is written.
        rows: names `A,B` of the structure pictures; None for all.
        columns: names of the style pictures; None for all.
        layers: layers whose codes are those of the style pictures: numbers or a group.
        seed: seed of samples.
        progress: where progress is shown.

    Raises:
        UserError: there are no such pictures or layers; nothing was written.
        RunError: the folder holds files that this command did not write.
    """
    check_request(request, MIXED)
    with _held(request, MIXED):
        points = find_points(generator, request.codes, request.seeds, seed)
        chosen_layers = layers_named(points, layers)
        down, across = (_rows(points, *each) for each in ((rows, "--rows"), (columns, "--columns")))
        total = len(down) + len(across) + len(down) * len(across)
        with progress.stage("mix", total=total) as done:
            mixed = mix(points, down, across, chosen_layers, batch=request.batch, done=done)
        record: JsonObject = {
            "rows": list(mixed.rows),
            "columns": list(mixed.columns),
            "layers": list(chosen_layers),
            "codes": points.origin,
            **of_generator(generator),
        }
        names = write(request.out, MIXED, record, mixed_files(mixed, points, request.kinds, record))
        sentence = f"{quantity(len(mixed.rows), 'structure')} with {quantity(len(mixed.columns), 'style')}."
        return Written(request.out, names, (sentence,))


def _rows(points: Points, names: str | None, option: str) -> list[int]:
    return list(range(len(points.names))) if names is None else points.named(names, option)


def of_generator(generator: Generator) -> JsonObject:
    """Return what a record says of the generator."""
    card = generator.card
    return {
        "generator": {"family": card.family, "source": card.source, "fingerprint": generator.fingerprint},
        "truncation": card.truncation,
    }
