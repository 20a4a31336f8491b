"""Define `ganstrata morph`: pictures between pictures, mixed styles, and parts that grow into others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from .computing import computing
from .errors import clean
from .inversion_options import generator_option, run_option, settings_option
from .options import DEVICES, PATH, Commands, fps_option, number_from, quiet_option
from .streams import say

if TYPE_CHECKING:
    from ..core.inversion.morph.folder import Written

AGAIN = "Nothing was written; run the same command again."
SPACES = ["z", "w", "w+"]
Command = TypeVar("Command", bound=Callable[..., Any])


def _with(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return what adds several options to a command."""

    def add(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return add


_generator = _with(
    run_option,
    generator_option,
)
_pictures = _with(
    click.option("--codes", type=PATH, metavar="FOLDER", help="Pictures that `ganstrata invert` inverted."),
    click.option("--seeds", metavar="0-3", help="Samples of the generator, by number."),
)
_last = _with(
    click.option(
        "--batch",
        type=number_from(1, 10_000),
        default=8,
        show_default=True,
        metavar="N",
        help="Pictures in one pass.",
    ),
    click.option("--out", required=True, type=PATH, metavar="FOLDER", help="Folder to write."),
    click.option(
        "--device", metavar=DEVICES, help="Where to compute.  [default: as in the run's config, or auto]"
    ),
    quiet_option,
)
_perceptual = click.option(
    "--perceptual",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="What pictures are compared by besides pixels; none for pixels alone.",
)


@click.group(cls=Commands)
def morph() -> None:
    """Make pictures between pictures, mix their layers, and let a part of one grow into others.

    \b
    Examples:
      ganstrata morph interpolate --run runs/rooms --codes inverted/photographs --out path
      ganstrata morph mix --run runs/rooms --codes inverted/photographs --layers 4-9 --out mixed
      ganstrata morph diffuse window.png rooms --run runs/rooms --box 8,8,24,24 --out diffused
    """


@morph.command("interpolate")
@_generator
@_pictures
@click.option(
    "--pictures", metavar="A,B,C", help="Names of pictures, in the order of the path.  [default: all]"
)
@click.option(
    "--steps",
    type=number_from(2, 10_000),
    default=9,
    show_default=True,
    metavar="N",
    help="Pictures from one to the next, both of them included.",
)
@click.option(
    "--space",
    type=click.Choice(SPACES),
    help="Go straight in w or w+, or on an arc in z.  [default: that of the pictures; of samples w]",
)
@_perceptual
@click.option(
    "--as",
    "kinds",
    default="strip,gif,html",
    show_default=True,
    metavar="strip,gif,mp4,html",
    help="Formats to write.",
)
@fps_option
@_last
def interpolate_command(
    run: Path | None,
    generator: str | None,
    codes: Path | None,
    seeds: str | None,
    pictures: str | None,
    steps: int,
    space: str | None,
    perceptual: str,
    kinds: str,
    fps: float,
    batch: int,
    out: Path,
    device: str | None,
    quiet: bool,
) -> None:
    """Go from picture to picture, and measure where the path jumps.

    Codes, noise, classes and tuned weights all change along the path, so that its ends are the pictures
    themselves. steps.csv and the page say how far each picture is from the one before.

    \b
    Examples:
      ganstrata morph interpolate --run runs/rooms --codes inverted/photographs --pictures hall,den --out path
      ganstrata morph interpolate --generator bundled:rooms --seeds 0-3 --space z --steps 16 --out path
    """
    with computing(AGAIN, quiet=quiet) as progress:
        from ..core.inversion.morph.commands import (
            INTERPOLATED,
            MorphRequest,
            check_request,
            perform_interpolate,
        )
        from ..core.inversion.perceptual_named import perceptual_named
        from ..core.inversion.source import open_source

        request = MorphRequest(codes, seeds, _kinds(kinds), fps, out, batch)
        check_request(request, INTERPOLATED, run)
        source = open_source(run, generator, device)
        written = perform_interpolate(
            source.generator,
            request,
            pictures=pictures,
            steps=steps,
            space=cast("Any", space),
            network=perceptual_named(perceptual, source.generator, source.scorers),
            seed=source.seed,
            progress=progress,
        )
    _tell(written)


@morph.command("mix")
@_generator
@_pictures
@click.option(
    "--layers",
    required=True,
    metavar="LAYERS",
    help="Layers that take their codes from the style pictures: numbers such as 4-9, or a group.",
)
@click.option("--rows", metavar="A,B", help="Names of the structure pictures.  [default: all]")
@click.option("--columns", metavar="A,B", help="Names of the style pictures.  [default: all]")
@click.option(
    "--as", "kinds", default="strip,html", show_default=True, metavar="strip,html", help="Formats to write."
)
@_last
def mix_command(
    run: Path | None,
    generator: str | None,
    codes: Path | None,
    seeds: str | None,
    layers: str,
    rows: str | None,
    columns: str | None,
    kinds: str,
    batch: int,
    out: Path,
    device: str | None,
    quiet: bool,
) -> None:
    """Cross pictures: some layers of one, the others of another.

    Each row keeps the structure of its picture, each column gives the codes of LAYERS. The early layers hold
    layout and category, the late ones colours; `ganstrata analysis` says which of them decide what.

    \b
    Example:
      ganstrata morph mix --generator bundled:rooms --seeds 0-3 --layers 6-9 --out mixed
    """
    with computing(AGAIN, quiet=quiet) as progress:
        from ..core.inversion.morph.commands import MIXED, MorphRequest, check_request, perform_mix
        from ..core.inversion.source import open_source

        request = MorphRequest(codes, seeds, _kinds(kinds), 8.0, out, batch)
        check_request(request, MIXED, run)
        source = open_source(run, generator, device)
        written = perform_mix(
            source.generator,
            request,
            rows=rows,
            columns=columns,
            layers=layers,
            seed=source.seed,
            progress=progress,
        )
    _tell(written)


@morph.command("diffuse")
@click.argument("target", type=PATH)
@click.argument("contexts", metavar="CONTEXT...", nargs=-1, required=True, type=PATH)
@_generator
@click.option(
    "--box",
    required=True,
    metavar="LEFT,TOP,WIDTH,HEIGHT",
    help="What is pasted, at its own place, in pixels of the generator's pictures.",
)
@click.option(
    "--embed",
    metavar="NAME",
    help="Step that starts from the pasted picture.  [default: an encoder that is bundled, or else best]",
)
@click.option(
    "--refine",
    multiple=True,
    metavar="NAME",
    help="Step that searches under the box; may be repeated.  [default: w+, or z without w]",
)
@settings_option
@_perceptual
@click.option(
    "--crop",
    default="centre",
    show_default=True,
    metavar="RULE",
    help="How a picture of another shape is fitted to the generator.",
)
@_last
def diffuse_command(
    target: Path,
    contexts: tuple[Path, ...],
    run: Path | None,
    generator: str | None,
    box: str,
    embed: str | None,
    refine: tuple[str, ...],
    settings: tuple[str, ...],
    perceptual: str,
    crop: str,
    batch: int,
    out: Path,
    device: str | None,
    quiet: bool,
) -> None:
    """Paste a part of TARGET into each CONTEXT, and let the generator make the rest fit.

    The search begins at the code of the pasted picture and looks at the box alone, so that all around it
    follows from what the generator takes for natural.

    \b
    Example:
      ganstrata morph diffuse window.png rooms --generator bundled:rooms --box 8,8,24,24 --out diffused
    """
    with computing(AGAIN, quiet=quiet) as progress:
        from ..core.inversion.morph.diffusion import DiffuseRequest, check_diffuse, perform_diffuse
        from ..core.inversion.source import open_source

        request = DiffuseRequest(
            target=target,
            contexts=contexts,
            box=box,
            embed=embed,
            refine=refine or None,
            settings=settings,
            perceptual=perceptual,
            crop=crop,
            batch=batch,
            out=out,
        )
        check_diffuse(request)
        written = perform_diffuse(open_source(run, generator, device), request, progress=progress)
    _tell(written)


def _kinds(text: str) -> tuple[str, ...]:
    return tuple(kind.strip() for kind in text.split(","))


def _tell(written: Written) -> None:
    """Print what was found, and where the files are."""
    for sentence in written.sentences:
        say(clean(sentence))
    say(f"In {written.path}: {', '.join(written.files)}")
