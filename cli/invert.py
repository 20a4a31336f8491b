"""Define `ganstrata invert`, which turns pictures of the user into codes of a generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .computing import computing
from .errors import clean
from .inversion_options import generator_option, run_option, settings_option
from .options import DEVICES, PATH, number_from, quiet_option
from .streams import say

if TYPE_CHECKING:
    from ..core.inversion.commands import Finished

KEPT = "The pictures that are done are kept; run the same command again, which goes on."
LARGEST = 2**63 - 1

pictures_argument = click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True, type=PATH)
common_options = (
    run_option,
    generator_option,
    click.option(
        "--embed",
        metavar="NAME",
        help="Step that starts from the pictures alone.  [default: an encoder that is bundled for the "
        "generator, or else best: the best of many samples]",
    ),
    click.option(
        "--refine",
        multiple=True,
        metavar="NAME",
        help="Step that refines what was found; may be repeated, or none.  [default: w+, or z without w]",
    ),
    settings_option,
    click.option(
        "--perceptual",
        default="auto",
        show_default=True,
        metavar="NAME",
        help="What pictures are compared by besides pixels: auto, none, a scorer of the run, "
        "SCORER:CHECKPOINT, or lpips:vgg:TRUNK:HEADS.",
    ),
    click.option(
        "--crop",
        default="centre",
        show_default=True,
        metavar="RULE",
        help="How a picture of another shape is fitted to the generator.",
    ),
    click.option(
        "--mask",
        "masks",
        multiple=True,
        type=PATH,
        metavar="FILE",
        help="Picture of known pixels: white is known, black is not. One for all pictures, or one for each.",
    ),
    click.option("--resize-mask", is_flag=True, help="Accept a mask of another size than its picture."),
    click.option(
        "--seed",
        type=number_from(0, LARGEST),
        metavar="N",
        help="Seed of everything random.  [default: that of the run, or 0]",
    ),
    click.option(
        "--class",
        "class_index",
        type=number_from(0, 10**6),
        metavar="N",
        help="Class of all pictures, by number.",
    ),
    click.option(
        "--batch",
        type=number_from(1, 10**6),
        metavar="N",
        help="Pictures at once.  [default: as many as memory seems to allow, halved when it runs out]",
    ),
    click.option(
        "--device", metavar=DEVICES, help="Where to compute.  [default: as in the run's config, or auto]"
    ),
    quiet_option,
)


def with_common_options(function: Any) -> Any:
    """Add the options that inversion and restoration share."""
    for option in reversed(common_options):
        function = option(function)
    return function


@click.command()
@pictures_argument
@with_common_options
@click.option(
    "--out",
    type=PATH,
    metavar="FOLDER",
    help="Folder to write, new or of the same command.  [default: inverted/<name of the first picture>]",
)
def invert(
    pictures: tuple[Path, ...],
    run: Path | None,
    generator: str | None,
    device: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Find codes whose pictures look like given ones, to edit photographs.

    PICTURE is a file or a folder of files. Writes codes.safetensors, PNG of what was wanted and of what the
    generator makes, invert.json with PSNR and other measures, and the page inversion.html. `ganstrata plugins
    list` shows the steps. An interrupted command goes on when it is run again.

    \b
    Examples:
      ganstrata invert living-room.jpg --generator bundled:rooms
      ganstrata invert photographs --run runs/rooms --set w+.steps=500 --out inverted
      ganstrata manipulate runs/rooms --along category/bedroom --codes inverted
    """
    with computing(KEPT, quiet=quiet) as progress:
        from ..core.inversion.commands import perform
        from ..core.inversion.request import InvertRequest

        request = InvertRequest(pictures=pictures, **plain(options))
        finished = perform(request, run=run, generator=generator, device=device, progress=progress)
    tell_of(finished)


def plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as a request takes them: no --refine means the default."""
    return {**options, "refine": options["refine"] or None}


def tell_of(finished: Finished) -> None:
    """Print the measures of each picture, and where the page is."""
    for line in finished.lines:
        say(clean(line))
    say(f"Page: {finished.page}")
