"""Define `ganstrata segment geometry`."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .options import number_from, quiet_option
from .segment_options import (
    device_option,
    folder_argument,
    out_option,
)
from .streams import say


@click.command("geometry")
@folder_argument
@out_option
@click.option(
    "--per-image",
    type=number_from(1, 1_000_000),
    default=200,
    show_default=True,
    metavar="N",
    help="Pixels of a class from one picture, which must cover at least so many.",
)
@click.option(
    "--per-class",
    type=number_from(1, 100_000_000),
    default=4000,
    show_default=True,
    metavar="N",
    help="Pixels of a class in all, a multiple of --per-image.",
)
@click.option(
    "--max-images",
    type=number_from(1, 1_000_000),
    default=2000,
    show_default=True,
    metavar="N",
    help="Pictures after which classes that are rarely large enough are given up.",
)
@click.option(
    "--centres",
    type=number_from(1, 1_000_000),
    default=768,
    show_default=True,
    metavar="N",
    help="Pictures that make the class centres; 3000 in the paper.",
)
@click.option(
    "--images",
    type=number_from(2, 1_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="New pictures on which class centres and extractor are measured.",
)
@device_option
@quiet_option
def geometry_command(
    folder: Path,
    out: Path,
    per_image: int,
    per_class: int,
    max_images: int,
    centres: int,
    images: int,
    device: str | None,
    quiet: bool,
) -> None:
    """Measure how the features of classes lie on the unit sphere.

    Writes the mean cosines of the features of each two classes, as in the paper's figure 9, and how well the
    nearest class centre labels pixels without training, beside the extractor of FOLDER, as in its figure 4.

    \b
    Example:
      ganstrata segment geometry segmentations/rooms --out geometry
    """
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.semantics.measuring.geometry_folder import (
            PAGE,
            GeometryRequest,
            measure_geometry,
            sentences,
        )

        request = GeometryRequest(per_image, per_class, max_images, centres, images)
        found = measure_geometry(folder, out, request, device=device, progress=progress)
    for sentence in sentences(found):
        say(clean(sentence))
    say(f"\nPage: {out / PAGE}")
