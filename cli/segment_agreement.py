"""Define `ganstrata segment agreement`."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .options import PATH, Limited, number_from, quiet_option
from .segment_edit import device_option, folder_argument
from .streams import say


@click.command("agreement")
@folder_argument
@click.option(
    "--with",
    "others",
    multiple=True,
    type=PATH,
    metavar="FILE",
    help="A further extractor, as a file or a segmentation folder; may be repeated.",
)
@click.option(
    "--targets",
    type=number_from(2, 10_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Masks; 100 in the paper.",
)
@click.option(
    "-n",
    "pictures",
    type=number_from(1, 1000),
    default=5,
    show_default=True,
    metavar="N",
    help="Pictures for each mask; 10 in the paper.",
)
@click.option(
    "--candidates",
    type=number_from(1, 10_000),
    default=10,
    show_default=True,
    metavar="N",
    help="Samples from which each picture's start is chosen; 10 or 100 in the paper.",
)
@click.option(
    "--steps",
    type=number_from(0, 10_000),
    default=50,
    show_default=True,
    metavar="N",
    help="Steps of a search.",
)
@click.option(
    "--learning-rate",
    type=Limited(float, 1e-6, 10.0),
    default=0.03,
    show_default=True,
    metavar="X",
    help="Learning rate of Adam; 0.001 in the paper, 0.01 in its code.",
)
@click.option(
    "--penalty",
    type=Limited(float, 0.0, 1000.0),
    default=1e-3,
    show_default=True,
    metavar="X",
    help="Weight of the squared distances from start and mean; 0 in the paper, 0.001 in its code.",
)
@click.option("--no-baseline", is_flag=True, help="Do not sample by the teacher as well, which is slower.")
@click.option("--out", required=True, type=PATH, metavar="FOLDER", help="Folder to write.")
@device_option
@quiet_option
def agreement_command(
    folder: Path,
    others: tuple[Path, ...],
    targets: int,
    pictures: int,
    candidates: int,
    steps: int,
    learning_rate: float,
    penalty: float,
    no_baseline: bool,
    out: Path,
    device: str | None,
    quiet: bool,
) -> None:
    """Measure how well sampled pictures agree with the masks that they are sampled for.

    The masks are the teacher's labels of new pictures. The extractor of DIR, others, and the teacher itself
    lead the sampling; the teacher judges. Writes a table like the paper's table 3, a chart and a page.

    \b
    Example:
      ganstrata segment agreement segmentations/rooms --with shots/extractors/shots-8-repeat-1.safetensors \\
        --out agreement
    """
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.semantics.painting.conditioned import AgreementRequest, measure_agreement, open_predictors
        from ..core.semantics.painting.conditioned_folder import INDEX, PAGE, sentences, write_agreement
        from ..core.semantics.painting.editing import Search
        from ..core.storage.result_folder import check_free

        check_free(out, INDEX, "ganstrata segment agreement")
        subject, extractors = open_predictors(folder, others, device, progress)
        search = Search(steps, learning_rate, stay=penalty, prior=penalty)
        request = AgreementRequest(targets, pictures, candidates, search, baseline=not no_baseline)
        found = measure_agreement(subject, extractors, request, progress)
        write_agreement(found, out)
    for sentence in sentences(found):
        say(clean(sentence))
    say(f"\nPage: {out / PAGE}")
