"""Define `ganstrata trust`, which says how far inverted pictures and their edits can be trusted."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .options import DEVICES, LENGTH, PATH, number_from, quiet_option
from .streams import say


@click.command()
@click.argument("folder", metavar="FOLDER", type=PATH)
@click.option("--run", type=PATH, metavar="RUN", help="Use generator, boundaries and scorers of this run.")
@click.option(
    "--generator",
    metavar="FILE[:KEY=VALUE]",
    help="Use the generator of a checkpoint: codes and warnings alone, no edits.",
)
@click.option(
    "--along",
    multiple=True,
    metavar="NAME[@LAYERS]",
    help="Boundary to edit along; may be repeated.  [default: those that re-scoring verified]",
)
@click.option(
    "--step",
    type=LENGTH,
    metavar="X",
    help="Distance of the edit, in the unit of rescoring.distance of the run, which is the default.",
)
@click.option(
    "--samples",
    type=number_from(2, 100_000),
    default=128,
    show_default=True,
    metavar="N",
    help="Samples that edits are compared with.",
)
@click.option(
    "--calibrate",
    type=number_from(0, 100_000),
    default=39,
    show_default=True,
    metavar="N",
    help="Samples that are inverted like the pictures, to set the threshold of warnings: at least "
    "19, or 0 for no warnings. It takes as long as inverting N pictures.",
)
@click.option(
    "--consistency",
    type=number_from(0, 100_000),
    default=8,
    show_default=True,
    metavar="N",
    help="Pictures whose edit is inverted again; 0 for none. It takes as long as inverting 2 N pictures.",
)
@click.option(
    "--perceptual",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="As `ganstrata invert` had it.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="distance.FIELD=VALUE",
    help="Weights of the distance, as `ganstrata invert` had them; may be repeated.",
)
@click.option(
    "--batch",
    type=number_from(1, 10_000),
    default=4,
    show_default=True,
    metavar="N",
    help="Pictures that are inverted at once.",
)
@click.option("--out", type=PATH, metavar="FOLDER", help="Folder to write.  [default: FOLDER/trust]")
@click.option(
    "--device", metavar=DEVICES, help="Where to compute.  [default: as in the run's config, or auto]"
)
@quiet_option
def trust(
    folder: Path,
    run: Path | None,
    generator: str | None,
    along: tuple[str, ...],
    step: float | None,
    samples: int,
    calibrate: int,
    consistency: int,
    perceptual: str,
    settings: tuple[str, ...],
    batch: int,
    out: Path | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Measure how far inverted pictures and their edits can be trusted.

    FOLDER is one that `ganstrata invert` wrote. Measured are the distance of each code from those of samples,
    layer by layer; a warning of pictures out of the domain, with its rate of false alarms; whether edits
    change scores as they change those of samples; and whether they come back where they began.

    \b
    Examples:
      ganstrata trust inverted/photographs --run runs/rooms
      ganstrata trust inverted/photographs --generator bundled:rooms --calibrate 0
    """
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.inversion.trust.commands import PAGE, perform
        from ..core.inversion.trust.request import TrustRequest

        request = TrustRequest(
            folder=folder,
            along=along,
            step=step,
            samples=samples,
            calibrate=calibrate,
            consistency=consistency,
            perceptual=perceptual,
            settings=settings,
            batch=batch,
            out=out,
        )
        found = perform(request, run=run, generator=generator, device=device, progress=progress)
    for sentence in found.sentences:
        say(clean(sentence))
    say(f"Page: {request.place / PAGE}")
