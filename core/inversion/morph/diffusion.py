"""Do what `ganstrata morph diffuse` asks for: read pictures, diffuse, and write a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from markupsafe import Markup

from ...decimals import number
from ...errors import UserError
from ...figures.pages import data_uri, framed
from ...figures.pictures import to_pixels
from ...figures.sheets import enlarged, sheet
from ...messages import quantity
from ...plugins.generator import Generator
from ...runs.inversion_rows import joined
from ...runs.lock import results_of
from ...runs.progress import Progress
from ...storage.json_values import JsonObject
from ..commands import method_of
from ..photographs import Pictures, find_pictures, read_pictures
from ..source import Source
from .commands import of_generator
from .diffuse import Box, Diffused, box_numbers, diffuse
from .folder import SHOWN, STYLE, Written, codes_of, write

DIFFUSED = "diffuse.json"
COMMAND = "ganstrata morph diffuse"
HEADS = ("context", "pasted", "start", "diffused")


@dataclass(frozen=True)
class DiffuseRequest:
    """State what is pasted where, and how its surroundings are found.

    Attributes:
        target: picture that holds the part.
        contexts: pictures, or folders of them.
        box: `LEFT,TOP,WIDTH,HEIGHT` in pixels of the generator's pictures.
        embed: first step; None for the default.
        refine: steps that search; None for the default.
        settings: texts `NAME.FIELD=VALUE`.
        perceptual: what pictures are compared by besides pixels.
        crop: rule by which pictures are fitted.
        batch: contexts at once.
        out: folder to write.
    """

    target: Path
    contexts: tuple[Path, ...]
    box: str
    embed: str | None
    refine: tuple[str, ...] | None
    settings: tuple[str, ...]
    perceptual: str
    crop: str
    batch: int
    out: Path


def check_diffuse(request: DiffuseRequest) -> None:
    """Refuse what can be refused before the generator is loaded.

    Raises:
        UserError: the box is not one.
        DataError: there are no such pictures.
        RunError: the folder holds files that this command did not write.
    """
    with results_of(request.out, DIFFUSED, COMMAND):
        box_numbers(request.box)
        targets = find_pictures([request.target]).files
        if len(targets) > 1:
            raise UserError(
                f"{request.target} holds {quantity(len(targets), 'picture')}; "
                "give the one whose box is pasted"
            )
        find_pictures(request.contexts)


def perform_diffuse(source: Source, request: DiffuseRequest, *, progress: Progress) -> Written:
    """Diffuse the box of a target into contexts, and write the folder.

    Args:
        source: the generator, the seed of all that is drawn, and scorers that may compare pictures.
        request: what is pasted where.
        progress: where progress is shown.

    Raises:
        UserError: the box, a step or a field does not fit; nothing was written.
        DataError: a file is not a picture.
        RunError: the folder holds files that this command did not write.
    """
    check_diffuse(request)
    with results_of(request.out, DIFFUSED, COMMAND):
        return _diffused(source, request, progress)


def _diffused(source: Source, request: DiffuseRequest, progress: Progress) -> Written:
    """Do what `perform_diffuse` does, in a folder that is held."""
    generator, seed = source.generator, source.seed
    box = Box.parse(request.box, generator.card.height, generator.card.width)
    method = method_of(
        generator,
        request.embed,
        request.refine,
        request.settings,
        perceptual=request.perceptual,
        seed=seed,
        class_index=None,
        scorers=source.scorers,
    )
    target = read_pictures(request.target, generator, crop=request.crop)
    contexts = read_pictures(request.contexts, generator, crop=request.crop)
    embed, *refine = [step.inverter for step in method.steps]
    parts = []
    total = len(contexts.images) * max(method.total_steps, 1)
    with progress.stage("diffuse", total=total) as done:
        for start in range(0, len(contexts.images), request.batch):
            images = contexts.images[start : start + request.batch].to(generator.device)
            parts.append(
                diffuse(
                    generator,
                    target.images[0].to(generator.device),
                    images,
                    box,
                    embed,
                    refine,
                    method.rule,
                    seed=seed,
                    first=start,
                    on_step=lambda losses: done(len(losses)),
                )
            )
    found = _joined(parts)
    record: JsonObject = {
        "target": target.records[0].as_data(),
        "contexts": [one.as_data() for one in contexts.records],
        "box": request.box,
        "steps": [step.name for step in method.steps],
        "distance": method.rule.name,
        "seed": seed,
        "psnr_in_the_box": found.inside.tolist(),
        "psnr_outside_to_the_context": found.outside.tolist(),
        **of_generator(generator),
    }
    files = _files(generator, found, target, contexts, record, seed)
    names = write(request.out, DIFFUSED, record, files)
    sentence = (
        f"In the box PSNR {number(float(found.inside.mean()), 1)} dB to the target in the mean; outside "
        f"{number(float(found.outside.mean()), 1)} dB to the context, from which it may differ."
    )
    return Written(request.out, names, (sentence,))


def _joined(parts: Sequence[Diffused]) -> Diffused:
    def all_of(take: Callable[[Diffused], torch.Tensor]) -> torch.Tensor:
        return torch.cat([take(part) for part in parts])

    return Diffused(
        all_of(lambda part: part.pasted),
        all_of(lambda part: part.first),
        all_of(lambda part: part.pictures),
        joined([part.inversion for part in parts]),
        all_of(lambda part: part.inside),
        all_of(lambda part: part.outside),
    )


def _files(
    generator: Generator,
    found: Diffused,
    target: Pictures,
    contexts: Pictures,
    record: JsonObject,
    seed: int,
) -> dict[str, bytes]:
    """Return the files but the index, by name."""
    names = [one.name for one in contexts.records]
    columns = [contexts.images, found.pasted, found.first, found.pictures]
    grid = np.stack([to_pixels(images) for images in columns], axis=1)  # (N, 4, H, W, 3)
    digits = len(str(len(names)))
    stems = [f"{i:0{digits}d}" for i in range(1, len(names) + 1)]
    files = {"grid.png": sheet(grid, HEADS, names)}
    files |= codes_of(found.inversion, torch.arange(len(names)), stems, generator, seed)
    rows = [
        (
            name,
            [Markup(data_uri(enlarged(picture, SHOWN))) for picture in pictures],
            float(found.inside[i]),
            float(found.outside[i]),
        )
        for i, (name, pictures) in enumerate(zip(names, grid, strict=True))
    ]
    values = {
        "rows": rows,
        "heads": HEADS,
        "target": Markup(data_uri(enlarged(to_pixels(target.images)[0], SHOWN))),
        "target_name": target.records[0].name,
        "record": record,
        "model": generator.card.source,
    }
    files["diffuse.html"] = framed(__package__, "diffuse.html.j2", values, STYLE).encode()
    return files
