"""Define `ganstrata leaderboard`, which compares boundary learners on the same samples."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .options import PATH, config_device_option, number_from, quiet_option, set_option
from .streams import say


def _numbers(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Return numbers that were given as one text, with commas or spaces between them.

    Raises:
        click.BadParameter: one is not a number.
    """
    if value is None:
        return None
    try:
        return tuple(float(part) for part in value.replace(",", " ").split())
    except ValueError:
        raise click.BadParameter(
            f"'{value}' is not a list of numbers such as -2,-1,1,2", param=parameter
        ) from None


@click.command()
@click.argument("config", type=PATH)
@click.argument("more", nargs=-1, metavar="[LEARNER]...")
@click.option(
    "--learners",
    multiple=True,
    metavar="LEARNER...",
    help="Learners to compare, as NAME or 'NAME:{option: value}'; the first is the baseline.",
)
@click.option(
    "--out",
    type=PATH,
    metavar="FOLDER",
    help="Folder to write, new or of an earlier call.  [default: leaderboards/<name of the config>]",
)
@click.option(
    "--samples",
    type=number_from(1, 10**8),
    metavar="N",
    help="Samples to learn from.  [default: as in the config]",
)
@click.option(
    "--verify",
    type=number_from(8, 10**8),
    metavar="K",
    help="Samples that are moved.  [default: as in the config]",
)
@click.option(
    "--fresh",
    type=number_from(20, 10**8),
    metavar="N",
    help="Samples that no learner is given, for accuracy and meaning.  [default: 1000]",
)
@click.option(
    "--steps",
    callback=_numbers,
    metavar="A,B,...",
    help="Steps in standard deviations of w (in space s: of the styles), rising; effects are those of the "
    "last.  [default: -2,-1,1,2]",
)
@click.option(
    "--null",
    type=number_from(3, 100_000),
    metavar="M",
    help="Random directions to compare with.  [default: as in the config]",
)
@click.option(
    "--seed",
    type=number_from(0, 2**63 - 1),
    metavar="S",
    help="Seed of everything random.  [default: as in the config]",
)
@click.option(
    "--judges",
    multiple=True,
    metavar="CONCEPT,CONCEPT...",
    help="Concepts of several scorers that mean the same: the first is learnt, all judge; may be repeated.",
)
@click.option(
    "--baseline", metavar="LABEL", help="Learner with which the others are compared.  [default: the first]"
)
@click.option(
    "--page",
    type=PATH,
    metavar="FILE",
    help="A page in Markdown whose tables, between two marks, are replaced too.",
)
@set_option
@config_device_option
@quiet_option
def leaderboard(
    config: Path,
    more: tuple[str, ...],
    learners: tuple[str, ...],
    out: Path | None,
    samples: int | None,
    verify: int | None,
    fresh: int | None,
    steps: tuple[float, ...] | None,
    null: int | None,
    seed: int | None,
    judges: tuple[str, ...],
    baseline: str | None,
    page: Path | None,
    overrides: tuple[str, ...],
    device: str | None,
    quiet: bool,
) -> None:
    """Compare learners of directions on the generator and the scorers of CONFIG.

    All get the same samples; their directions are moved on the same fresh samples, at their own layers, and
    held against random directions at the same layers. Every number has an interval. Names and options
    are checked before samples are drawn. A learner that fails is named with its reason, and the others
    continue.

    The same command continues an interrupted comparison; with more learners it computes only those.

    \b
    Example:
      ganstrata leaderboard examples/rooms.yaml --learners linear_svm ridge 'ridge:{alpha: 1000}'
    """
    out = Path("leaderboards") / config.stem if out is None else out
    with computing(f"The same command continues in {out}.", quiet=quiet) as progress:
        from ..core.config.reading import read_config
        from ..core.leaderboard.request import FRESH, STEPS, BoardRequest, overrides_of

        changes = overrides_of(samples=samples, verify=verify, null=null, seed=seed, device=device)
        validated = read_config(config, (*overrides, *changes))

        # This imports torch, for which a fault in the config should not wait.
        from ..core.leaderboard.folder import PAGE, leaderboard_into
        from ..core.leaderboard.tables import in_a_line

        request = BoardRequest(
            learners=(*learners, *more),
            steps=STEPS if steps is None else steps,
            fresh=FRESH if fresh is None else fresh,
            judges=judges,
            baseline=baseline,
        )
        board = leaderboard_into(validated, out, request, page=page, source=str(config), progress=progress)
    for e in board.order:
        say(clean(in_a_line(board, e)))
    say(f"Page: {out / PAGE}")
