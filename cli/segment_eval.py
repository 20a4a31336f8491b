"""Define `ganstrata segment eval`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .options import PATH, Limited, number_from, quiet_option
from .segment_options import device_option
from .streams import say


@click.command("eval")
@click.argument("folders", metavar="FOLDER...", type=PATH, nargs=-1, required=True)
@click.option(
    "--images",
    type=number_from(2, 1_000_000),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Number of new pictures, the same for all.",
)
@click.option(
    "--out", type=PATH, metavar="FOLDER", help="Folder to write.  [default: evaluation in the first FOLDER]"
)
@click.option(
    "--select",
    type=Limited(float, 0.0, 1.0),
    metavar="IOU",
    help="Also list the classes that at least one extractor reads with an IoU above this, such as 0.1, on as "
    "many other pictures.",
)
@device_option
@quiet_option
def eval_command(
    folders: tuple[Path, ...],
    images: int,
    out: Path | None,
    select: float | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Compare extractors with their teacher, and with each other.

    Each FOLDER is one of `ganstrata segment train`. All must be of the same generator, teacher and classes.
    Writes tables like the paper's 1 and 5, charts, masks beside each other, a page, and evaluation.json.

    \b
    Examples:
      ganstrata segment eval segmentations/rooms --images 2000
      ganstrata segment eval segmentations/rooms segmentations/rooms-nse1 --select 0.1 --out comparison
    """
    folder = folders[0] / "evaluation" if out is None else out
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.semantics.measuring.evaluation_folder import PAGE, evaluate_folders
        from ..core.semantics.measuring.evaluation_tables import sentences

        found = evaluate_folders(
            folders, folder, images=images, select=select, device=device, progress=progress
        )
        page = folder / PAGE
    for sentence in sentences(found):
        say(clean(sentence))
    if found.selection is not None and found.selection.classes and found.selection.left_out:
        say(clean(f"\nIn the config:\nextractor: {{classes: {json.dumps(found.selection.classes)}}}"))
    say(f"\nPage: {page}")
