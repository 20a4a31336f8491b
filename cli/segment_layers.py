"""Define `ganstrata segment layers`."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .options import PATH, number_from, quiet_option
from .segment_options import device_option, folder_argument
from .streams import say


@click.command("layers")
@folder_argument
@click.option(
    "--run",
    "run_dir",
    required=True,
    type=PATH,
    metavar="RUN",
    help="Re-scored run of the same generator.",
)
@click.option(
    "--scorer", metavar="ALIAS", help="Scorer of the run with the classes.  [default: the only one]"
)
@click.option(
    "--images",
    type=number_from(2, 1_000_000),
    default=2000,
    show_default=True,
    metavar="N",
    help="Number of new pictures from which classes are read.",
)
@click.option("--out", type=PATH, metavar="FOLDER", help="Folder to write.  [default: layers in FOLDER]")
@device_option
@quiet_option
def layers_command(
    folder: Path,
    run_dir: Path,
    scorer: str | None,
    images: int,
    out: Path | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Say of each class in which stratum it can be read, and at which layer it can be moved.

    FOLDER is one of `ganstrata segment train` with LSE or NSE-1, best trained with training.layerwise_loss.
    The run needs boundaries of the classes, and effects of single layers. Writes read_and_moved.svg, both
    sides on one axis of layers with intervals, its numbers, classes.csv and read_and_moved.json.

    \b
    Example:
      ganstrata segment layers segmentations/rooms --run runs/rooms_objects
    """
    target = folder / "layers" if out is None else out
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.pipeline.class_layers import class_layers

        found = class_layers(
            folder, run_dir, target, images=images, scorer=scorer, device=device, progress=progress
        )
    for sentence in found.sentences:
        say(clean(sentence))
    say(f"\nIn {target}")
