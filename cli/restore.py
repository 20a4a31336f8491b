"""Define `ganstrata restore`, which restores pictures with a generator as what is known of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .computing import computing
from .invert import KEPT, pictures_argument, plain, tell_of, with_common_options
from .options import PATH, Commands, Limited, number_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.inversion.commands import Finished
    from ..core.inversion.degradation import Degradation
    from ..core.runs.progress import Progress


@click.group(cls=Commands)
def restore() -> None:
    """Restore pictures: find codes whose picture, degraded as the given one was, looks like it.

    What is missing is made up by the generator, which knows its own pictures alone. The folder and its page
    are those of `ganstrata invert`.

    \b
    Examples:
      ganstrata restore colourise old-photograph.jpg --generator bundled:rooms
      ganstrata restore inpaint room.png --mask hole.png --generator bundled:rooms
      ganstrata restore super-resolve small.png --factor 4 --run runs/rooms --truth large.png
    """


def with_options_of_restoration(function: Any) -> Any:
    """Add the options that all restorations share."""
    for option in reversed(
        (
            click.option(
                "--truth",
                "truths",
                multiple=True,
                type=PATH,
                metavar="FILE",
                help="What a picture was before, to measure by: one for each picture, in their order.",
            ),
            click.option(
                "--spoil",
                is_flag=True,
                help="Try it on whole pictures: degrade them first, and compare with them.",
            ),
            click.option(
                "--out",
                type=PATH,
                metavar="FOLDER",
                help="Folder to write, new or of the same command.  [default: named after the picture]",
            ),
        )
    ):
        function = option(function)
    return with_common_options(function)


def _restored(
    kind: str, degradation: Callable[[], Degradation], options: dict[str, Any], *, quiet: bool
) -> None:
    """Restore pictures, and print the measures."""
    with computing(KEPT, quiet=quiet) as progress:
        finished = _perform(kind, degradation(), options, progress)
    tell_of(finished)


def _perform(kind: str, degradation: Degradation, options: dict[str, Any], progress: Progress) -> Finished:
    from ..core.inversion.commands import perform
    from ..core.inversion.request import InvertRequest
    from ..core.inversion.restoration import Restoration

    truths, spoil = options.pop("truths"), options.pop("spoil")
    opened = {name: options.pop(name) for name in ("run", "generator", "device")}
    request = InvertRequest(**plain(options))
    return perform(request, kind, Restoration(degradation, truths, spoil), progress=progress, **opened)


@restore.command()
@pictures_argument
@click.option(
    "--luma",
    type=click.Choice(["BT.601", "BT.709"]),
    default="BT.601",
    show_default=True,
    help="Weights of red, green and blue in the grey.",
)
@with_options_of_restoration
def colourise(luma: Any, quiet: bool, **options: Any) -> None:
    """Give colours to grey pictures; those of others are not looked at.

    \b
    Example:
      ganstrata restore colourise old-photograph.jpg --generator bundled:rooms
    """

    def made() -> Degradation:
        from ..core.inversion.degradation import Grey

        return Grey(luma)

    _restored("colourise", made, options, quiet=quiet)


@restore.command()
@pictures_argument
@with_options_of_restoration
def inpaint(quiet: bool, **options: Any) -> None:
    """Make up what is black or transparent in --mask, which has the size of its picture.

    \b
    Example:
      ganstrata restore inpaint room.png --mask hole.png --generator bundled:rooms
    """

    def made() -> Degradation:
        from ..core.inversion.degradation import Mask

        return Mask()

    _restored("inpaint", made, options, quiet=quiet)


@restore.command("super-resolve")
@pictures_argument
@click.option(
    "--factor",
    type=number_from(2, 1024),
    required=True,
    metavar="N",
    help="How many times as large; it must divide the generator's size. Pictures are fitted to the smaller "
    "size.",
)
@click.option(
    "--filter",
    "filter_name",
    type=click.Choice(["area", "bilinear", "bicubic"]),
    default="bicubic",
    show_default=True,
    help="How large pictures become small ones.",
)
@with_options_of_restoration
def super_resolve(factor: int, filter_name: Any, quiet: bool, **options: Any) -> None:
    """Find large pictures that, made small, look like the given ones.

    \b
    Example:
      ganstrata restore super-resolve small.png --factor 4 --run runs/rooms --truth large.png
    """

    def made() -> Degradation:
        from ..core.inversion.degradation import Downsample

        return Downsample(int(factor), filter_name)

    _restored("super-resolve", made, options, quiet=quiet)


@restore.command()
@pictures_argument
@click.option(
    "--noise",
    type=Limited(float, 0.0001, 1.0),
    required=True,
    metavar="SD",
    help="Standard deviation of the noise, in units of the range of colours: 0.1 is 25 of 255.",
)
@with_options_of_restoration
def denoise(noise: float, quiet: bool, **options: Any) -> None:
    """Find pictures without noise: the search stops pulling where the error is that of the noise.

    \b
    Example:
      ganstrata restore denoise dark.jpg --noise 0.1 --run runs/rooms
    """

    def made() -> Degradation:
        from ..core.inversion.degradation import Noise

        return Noise(noise)

    _restored("denoise", made, options, quiet=quiet)
