"""Define `ganstrata study`: ask people which layers edit a concept best, and analyse their votes."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.messages import quantity
from .computing import computing
from .errors import clean, reported
from .options import PATH, Commands, device_option, number_from, quiet_option, run_argument
from .streams import say, tell


@click.group(cls=Commands)
def study() -> None:
    """Make a page where people vote which layer group edits a concept best, and analyse their votes.

    \b
    Examples:
      ganstrata study make runs/rooms --out studies/rooms
      ganstrata study read studies/rooms votes/*.json --out studies/rooms/result
    """


@study.command("make")
@run_argument
@click.option(
    "--out", required=True, type=PATH, metavar="FOLDER", help="A new folder, for study.html and key.json."
)
@click.option(
    "--concepts",
    multiple=True,
    metavar="PATTERN",
    help="Boundaries to ask about, such as 'attribute/*'; may be repeated.  [default: the variation factors]",
)
@click.option(
    "--strips",
    type=number_from(1, 1000),
    default=3,
    show_default=True,
    metavar="N",
    help="Samples shown per boundary.",
)
@click.option(
    "--steps",
    type=number_from(3, 101),
    default=5,
    show_default=True,
    metavar="N",
    help="Pictures in a row; an odd number from 3 to 101.",
)
@click.option(
    "--words", multiple=True, metavar="NAME=TEXT", help="What the page calls a boundary; may be repeated."
)
@click.option(
    "--seed",
    type=number_from(0, 2**63 - 1),
    metavar="S",
    help="Seed of samples and shuffling.  [default: drawn, and stored in key.json]",
)
@device_option
@quiet_option
def make_command(
    run_dir: Path,
    out: Path,
    concepts: tuple[str, ...],
    strips: int,
    steps: int,
    words: tuple[str, ...],
    seed: int | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Write a page of shuffled, unlabelled strips, a row per layer group, and the key to it.

    Give study.html to people: one file that opens in any browser and needs no network. It saves a file of
    votes, which they send back to you. Keep key.json, which says what each row shows.

    \b
    Example:
      ganstrata study make runs/rooms --out studies/rooms --concepts 'attribute/*' --strips 4
    """
    malformed = [text for text in words if "=" not in text]
    if malformed:
        raise click.BadParameter(f"'{malformed[0]}' is not of the form NAME=TEXT", param_hint="'--words'")
    with computing("Run the same command again.", quiet=quiet) as progress:
        from ..core.study.create import StudyRequest, make_study
        from ..core.study.key import KEY, PAGE

        named = dict(text.split("=", 1) for text in words)
        key = make_study(
            run_dir, out, StudyRequest(concepts, strips, steps, named, seed, device), progress=progress
        )
    concept_count = len({question.boundary for question in key.questions})
    say(
        f"{quantity(len(key.questions), 'question')} about {quantity(concept_count, 'concept')}, "
        f"{quantity(len(key.groups), 'row')} each."
    )
    say(f"Give {out / PAGE} to people; keep {out / KEY}, which says what each row shows.")


@study.command("read")
@click.argument("study_dir", metavar="STUDY", type=PATH)
@click.argument("votes", nargs=-1, required=True, type=PATH)
@click.option(
    "--out", required=True, type=PATH, metavar="FOLDER", help="A folder for the figure and the tables."
)
def read_command(study_dir: Path, votes: tuple[Path, ...], out: Path) -> None:
    """Compute the share of VOTES for each layer group, and how far people agree.

    As in figure 3b of the paper; agreement is Fleiss' kappa. STUDY is the folder that `make` wrote, with its
    key.json; VOTES are the files that people sent back. If a file is damaged or belongs to another study, an
    error names it and nothing is written.

    \b
    Example:
      ganstrata study read studies/rooms votes/*.json --out studies/rooms/result
    """
    with reported():
        from ..core.study.reading import read_study

        result = read_study(study_dir, votes, out)
    for sentence in result.sentences:
        say(sentence)
    for remark in result.votes.remarks:
        tell(f"Note: {clean(remark)}")
    say(f"{quantity(len(result.votes.raters), 'rater')}; the figure is {out / 'votes.svg'}")
