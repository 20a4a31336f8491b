"""Define `ganstrata segment edit` and `ganstrata segment sample`: pictures that follow a painted mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from ..core.semantics.painting.defaults import EMPHASIS
from ..core.strata.search_defaults import LEARNING_RATE_OF_PICTURES
from .computing import computing
from .options import PATH, Limited, quiet_option
from .segment_options import (
    candidates_option,
    count_option,
    device_option,
    folder_argument,
    learning_rate_option,
    out_option,
    penalty_option,
    resize_option,
    steps_option,
)
from .streams import say

SPACES = ["z", "w", "layers", "w+"]
SPACE_HELP = "What is moved: one z, one w, or a z (layers) or w (w+) per layer."
space_option = click.option(
    "--space", type=click.Choice(SPACES), default="z", show_default=True, help=SPACE_HELP
)


@click.command("edit")
@folder_argument
@click.option(
    "--sample",
    "wanted",
    required=True,
    metavar="K|NAME",
    help="Number of the picture to edit; any number gives another one. With --codes, name or number of a "
    "picture in its folder.",
)
@click.option(
    "--codes",
    type=PATH,
    metavar="FOLDER",
    help="Edit a picture of your own: a folder that `ganstrata invert` wrote.",
)
@click.option("--strokes", type=PATH, metavar="FILE", help="PNG of strokes; without it, files to paint on.")
@click.option(
    "--space",
    type=click.Choice(SPACES),
    help=f"{SPACE_HELP}  [default: z; for pictures of your own, the space in which they were inverted]",
)
@steps_option
@click.option(
    "--by",
    type=click.Choice(["extractor", "teacher", "colour"]),
    default="extractor",
    show_default=True,
    help="What must agree with the strokes: classes by the extractor or by the teacher; colour: strokes are "
    "colours on the picture.",
)
@learning_rate_option
@click.option(
    "--emphasis",
    type=Limited(float, 0.0, 1000.0),
    default=EMPHASIS,
    show_default=True,
    metavar="X",
    help="Weight of the painted pixels by themselves, beside all pixels together; 0 in the paper.",
)
@click.option(
    "--only",
    "layers",
    metavar="LAYERS",
    help="Move only these layers, such as 0-6, or a group; the later ones hold colours.  [default: all]",
)
@resize_option
@out_option
@device_option
@quiet_option
def edit_command(
    folder: Path,
    wanted: str,
    codes: Path | None,
    strokes: Path | None,
    steps: int,
    space: str | None,
    by: str,
    learning_rate: float,
    emphasis: float,
    layers: str | None,
    resize: bool,
    out: Path,
    device: str | None,
    quiet: bool,
) -> None:
    """Edit a picture by painting on its segmentation.

    Without --strokes, write the picture, its labels and the colours of the classes, to be painted on with any
    paint program. With --strokes, move the codes of the picture until its segmentation is as painted.

    \b
    Examples:
      ganstrata segment edit segmentations/rooms --sample 3 --out paint
      ganstrata segment edit segmentations/rooms --sample 3 --strokes paint/strokes.png --out edited
      ganstrata segment edit segmentations/rooms --codes inverted/photographs --sample 1-sofa --out paint
    """
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.runs.inversions import check_inversion
        from ..core.semantics.painting.edit_stage import PAGE, PaintRequest, edit_into
        from ..core.semantics.painting.studio import Studio, prepare_painting
        from ..core.strata.code_search import Search

        if codes is not None:
            check_inversion(codes)  # before the generator is loaded for it
        studio = Studio.open(folder, device, progress)
        edited = None
        if strokes is None:
            prepare_painting(
                studio, studio.picture(wanted, codes), out, "teacher" if by == "teacher" else "extractor"
            )
        else:
            request = PaintRequest(
                sample=wanted,
                strokes=strokes,
                codes=codes,
                space=cast("Any", space),
                search=Search(steps=steps, learning_rate=learning_rate),
                emphasis=emphasis,
                layers=layers,
                by=cast("Any", by),
                resize=resize,
            )
            edited = edit_into(studio, request, out, progress)
    if edited is None:
        say(
            f"In {out}: picture.png, labels.png, and the colours of the classes in classes.png. Paint in "
            "these colours on a transparent layer above labels.png, without anti-aliasing, save the layer as "
            "PNG, and pass it to --strokes."
        )
        return
    for who, change in edited.changes.items():
        say(f"By the {who}, {change.in_words()}.")
    if by in edited.changes and edited.changes[by].reached_nothing:
        say(
            "Nothing was reached. Paint the class where such a thing can be, such as beside one that is "
            "there, raise --emphasis or --steps, or try --space w+"
            + (f" with --learning-rate {LEARNING_RATE_OF_PICTURES}." if by == "teacher" else ".")
        )
    say(f"Page: {out / PAGE}")


@click.command("sample")
@folder_argument
@click.option("--mask", required=True, type=PATH, metavar="FILE", help="PNG of classes.")
@count_option(10_000, default=10, words="Pictures.")
@candidates_option
@space_option
@steps_option
@click.option(
    "--by",
    type=click.Choice(["extractor", "teacher"]),
    default="extractor",
    show_default=True,
    help="What must agree with the mask.",
)
@learning_rate_option
@penalty_option
@resize_option
@out_option
@device_option
@quiet_option
def sample_command(
    folder: Path,
    mask: Path,
    count: int,
    candidates: int,
    steps: int,
    space: str,
    by: str,
    learning_rate: float,
    penalty: float,
    resize: bool,
    out: Path,
    device: str | None,
    quiet: bool,
) -> None:
    """Make pictures whose segmentation is that of a painted mask.

    Pixels of the mask that are transparent or black may be anything.

    \b
    Example:
      ganstrata segment sample segmentations/rooms --mask mask.png -n 10 --out sampled
    """
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.semantics.painting.sample_stage import PAGE, SampleRequest, sample_into
        from ..core.semantics.painting.studio import Studio
        from ..core.strata.code_search import Search

        studio = Studio.open(folder, device, progress)
        request = SampleRequest(
            mask=mask,
            n=count,
            candidates=candidates,
            space=cast("Any", space),
            search=Search(steps, learning_rate, stay=penalty, prior=penalty),
            by=cast("Any", by),
            resize=resize,
        )
        sampled = sample_into(studio, request, out, progress)
    say(sampled.agreement())
    say(f"Page: {out / PAGE}")
