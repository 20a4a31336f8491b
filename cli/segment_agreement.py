"""Define `ganstrata segment agreement`."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.semantics.painting.defaults import PICTURES, TARGETS
from .computing import computing
from .errors import clean
from .options import PATH, number_from, quiet_option
from .segment_options import (
    candidates_option,
    count_option,
    device_option,
    folder_argument,
    learning_rate_option,
    out_option,
    penalty_option,
    steps_option,
)
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
    default=TARGETS,
    show_default=True,
    metavar="N",
    help="Masks; 100 in the paper.",
)
@count_option(1000, default=PICTURES, words="Pictures for each mask; 10 in the paper.")
@candidates_option
@steps_option
@learning_rate_option
@penalty_option
@click.option("--no-baseline", is_flag=True, help="Do not sample by the teacher as well, which is slower.")
@out_option
@device_option
@quiet_option
def agreement_command(
    folder: Path,
    others: tuple[Path, ...],
    targets: int,
    count: int,
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

    The masks are the teacher's labels of new pictures. The extractor of FOLDER, others, and the teacher
    itself lead the sampling; the teacher judges. Writes a table like the paper's table 3, a chart and a page.

    \b
    Example:
      ganstrata segment agreement segmentations/rooms --with shots/extractors/shots-8-repeat-1.safetensors \\
        --out agreement
    """
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.semantics.measuring.conditioned import AgreementRequest
        from ..core.semantics.measuring.conditioned_folder import PAGE, agreement_into, sentences
        from ..core.strata.code_search import Search

        search = Search(steps, learning_rate, stay=penalty, prior=penalty)
        request = AgreementRequest(targets, count, candidates, search, baseline=not no_baseline)
        found = agreement_into(folder, others, request, out, device=device, progress=progress)
    for sentence in sentences(found):
        say(clean(sentence))
    say(f"\nPage: {out / PAGE}")
