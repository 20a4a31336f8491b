"""Define `ganstrata segment shots`."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .options import PATH, Counts, config_device_option, number_from, quiet_option, set_option
from .segment_options import with_device
from .streams import say

SHOTS = "1,4,8,16"
MOST_SHOTS = 1000


@click.command("shots")
@click.argument("config", type=PATH)
@click.option("--out", required=True, type=PATH, metavar="FOLDER", help="Folder, new or unfinished.")
@click.option(
    "--shots",
    type=Counts(MOST_SHOTS, SHOTS),
    default=SHOTS,
    show_default=True,
    metavar="N,N,...",
    help="Numbers of annotated pictures.",
)
@click.option(
    "--repeats",
    type=number_from(1, 100),
    default=5,
    show_default=True,
    metavar="N",
    help="Trainings for each number, each on other pictures.",
)
@click.option(
    "--images",
    type=number_from(2, 1_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="New pictures on which all are measured.",
)
@click.option(
    "--full",
    type=PATH,
    metavar="FOLDER",
    help="Folder of `ganstrata segment train`, whose extractor counts as 100 %.",
)
@set_option
@config_device_option
@quiet_option
def shots_command(
    config: Path,
    out: Path,
    shots: tuple[int, ...],
    repeats: int,
    images: int,
    full: Path | None,
    overrides: tuple[str, ...],
    device: str | None,
    quiet: bool,
) -> None:
    """Measure how good extractors are that learn from a few annotated pictures.

    CONFIG is one of `ganstrata segment train`; its teacher annotates. Writes a table like the paper's
    table 2, the curve, a page, and every extractor. The same command continues an interrupted one.

    \b
    Example:
      ganstrata segment shots examples/segment.yaml --full segmentations/rooms --out shots
    """
    with computing(f"The same command continues in {out}.", quiet=quiet) as progress:
        from ..core.config.reading import read_segment_config
        from ..core.semantics.measuring.shots import ShotsRequest
        from ..core.semantics.measuring.shots_folder import PAGE, shots_into
        from ..core.semantics.measuring.shots_tables import sentences

        found = shots_into(
            read_segment_config(config, with_device(overrides, device)),
            out,
            ShotsRequest(shots, repeats, images, full),
            source=str(config),
            progress=progress,
        )
        page = out / PAGE
    for sentence in sentences(found):
        say(clean(sentence))
    say(f"\nPage: {page}")
