"""Define `ganstrata segment train`."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .options import PATH, config_device_option, quiet_option, set_option
from .segment_options import with_device
from .streams import say


@click.command("train")
@click.argument("config", type=PATH)
@click.option(
    "--out",
    required=True,
    type=PATH,
    metavar="FOLDER",
    help="The segmentation folder, new or unfinished.",
)
@set_option
@config_device_option
@quiet_option
def train_command(
    config: Path, out: Path, overrides: tuple[str, ...], device: str | None, quiet: bool
) -> None:
    """Train an extractor by the labels of a segmentation scorer.

    CONFIG names the generator, the teacher, the extractor and the training. Samples are drawn, labelled and
    forgotten. The same command continues an interrupted training where it stopped.

    \b
    Examples:
      ganstrata segment train examples/segment.yaml --out segmentations/rooms
      ganstrata segment train examples/segment.yaml --set extractor.head=NSE-1 --out segmentations/rooms-nse1
      ganstrata segment train examples/segment.yaml --set training.method=whitened --out segmentations/quick
    """
    with computing(f"The same command continues the training in {out}.", quiet=quiet) as progress:
        from ..core.config.reading import read_segment_config
        from ..core.semantics.learning.folder import EXTRACTOR
        from ..core.semantics.learning.stage import train

        train(
            read_segment_config(config, with_device(overrides, device)),
            out,
            source=str(config),
            progress=progress,
        )
        file = out / EXTRACTOR
    say(f"Extractor: {file}")
