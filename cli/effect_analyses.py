"""Define the analyses of effects: ranking, hierarchy, entanglement, ablation and layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .computing import computing
from .errors import clean
from .options import PATH, run_dir_argument
from .streams import say

if TYPE_CHECKING:
    from ..core.analyses.request import AnalysisRequest
    from ..core.analyses.result import AnalysisResult

F = TypeVar("F", bound=Callable[..., Any])

AFTER_INTERRUPTION = "Earlier results are kept; run the same command again."

directories = click.argument("run_dirs", type=PATH, nargs=-1, required=True)


def shared_options(*, top: str, layers: str | None, several: bool = False) -> Callable[[F], F]:
    """Return a decorator that adds the options which all these analyses share."""
    where = "analysis/NAME in the run" + ("; needed with several runs" if several else "")
    shared = [
        click.option(
            "--concepts",
            multiple=True,
            metavar="PATTERN",
            help="Only matching concepts, such as attribute/wood or 'colour/*'; may be repeated.",
        ),
        click.option(
            "--levels",
            multiple=True,
            metavar="LEVEL",
            help="Only concepts of this level, such as attribute; may be repeated.",
        ),
        click.option("--top", type=click.IntRange(1, 1_000_000), metavar="N", help=top),
        *([click.option("--layers", metavar="SET", help=layers)] if layers else []),
        click.option("--out", type=PATH, metavar="DIR", help=f"Folder to write.  [default: {where}]"),
        click.option("--quiet", is_flag=True, help="Print nothing but errors."),
    ]

    def add(command: F) -> F:
        for option in reversed(shared):
            command = option(command)
        return command

    return add


def _request(options: dict[str, Any]) -> AnalysisRequest:
    from ..core.analyses.request import AnalysisRequest

    return AnalysisRequest(**{key: value for key, value in options.items() if key != "quiet"})


def _show(written: tuple[AnalysisResult, Path], *, quiet: bool, more: str = "") -> None:
    """Print the table, the conclusions and the folder of the files."""
    result, folder = written
    if quiet:
        return
    if result.table.rows:
        lines = [[str(cell) for cell in line] for line in (result.table.columns, *result.table.rows)]
        widths = [max(len(line[c]) for line in lines) for c in range(len(result.table.columns))]
        for line in lines:
            say(
                clean("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
            )
        say("")
    for sentence in result.sentences:
        say(clean(sentence))
    say(f"\nIn {folder}{more}")


SETS = "Layer set of the run: all, a group, or numbers.  [default: all]"


@click.command("ranking")
@directories
@shared_options(
    top="Number of concepts to show.  [default: all; with several runs, 10 of each]",
    layers=SETS,
    several=True,
)
def ranking_command(run_dirs: tuple[Path, ...], **options: Any) -> None:
    """Rank the concepts of one model, or of several side by side.

    As in figure 6 of the paper. Several runs must have the same scorers and the same distance. Writes
    ranking.svg, ranking.csv, places.csv with intervals of the ranks, agreement.csv and ranking.json.

    \b
    Example:
      ganstrata analysis ranking runs/rooms --levels attribute --top 10
    """
    with computing(AFTER_INTERRUPTION, quiet=True):
        from ..core.analyses.ranking_result import ranking
        from ..core.pipeline.analyse import analyse_runs

        result = analyse_runs(run_dirs, _request(options), ranking, "ranking")
    _show(result, quiet=options["quiet"])


@click.command("hierarchy")
@directories
@shared_options(
    top="Only the N strongest variation factors of each level.  [default: all]", layers=None, several=True
)
def hierarchy_command(run_dirs: tuple[Path, ...], **options: Any) -> None:
    """Show at which layers each level acts, and in which order.

    As in figure 3a of the paper, with the mean depth of every concept. Several runs must have the same layer
    groups. Writes figures, layers.csv, groups.csv, depths.csv, order.csv and hierarchy.json.

    \b
    Example:
      ganstrata analysis hierarchy runs/rooms runs/churches --out both
    """
    with computing(AFTER_INTERRUPTION, quiet=True):
        from ..core.analyses.hierarchy_result import hierarchy
        from ..core.pipeline.analyse import analyse_runs

        result = analyse_runs(run_dirs, _request(options), hierarchy, "hierarchy")
    _show(result, quiet=options["quiet"])


@click.command("entanglement")
@run_dir_argument
@shared_options(top="Only the N strongest concepts.  [default: all]", layers=SETS)
@click.option(
    "--cluster",
    is_flag=True,
    help="Order concepts by how much they move each other, instead of by strength.",
)
def entanglement_command(run_dir: Path, **options: Any) -> None:
    """Show the side effects of each direction, and the share that cosines explain.

    As in figure 8 of the paper. Writes entanglement.svg, pairs.csv with intervals and q values, cosines.svg,
    explained.csv and entanglement.json.

    \b
    Example:
      ganstrata analysis entanglement runs/rooms --layers upper --cluster
    """
    with computing(AFTER_INTERRUPTION, quiet=True):
        from ..core.analyses.entanglement_result import entanglement
        from ..core.pipeline.analyse import analyse_run

        result = analyse_run(run_dir, _request(options), entanglement, "entanglement")
    _show(result, quiet=options["quiet"])


@click.command("ablation")
@run_dir_argument
@shared_options(top="Number of ranks to show.  [default: all]", layers=SETS)
def ablation_command(run_dir: Path, **options: Any) -> None:
    """Compare rankings by positives, by held-out accuracy and by re-scoring.

    As in figure 12 of the paper. Writes ablation.svg, rankings.csv, agreement.csv and ablation.json.

    \b
    Example:
      ganstrata analysis ablation runs/rooms --levels attribute
    """
    with computing(AFTER_INTERRUPTION, quiet=True):
        from ..core.analyses.ablation_result import ablation
        from ..core.pipeline.analyse import analyse_run

        result = analyse_run(run_dir, _request(options), ablation, "ablation")
    _show(result, quiet=options["quiet"])


@click.command("layers")
@run_dir_argument
@shared_options(
    top="The N strongest variation factors of each level.  [default: 1; with --concepts, all that fit]",
    layers="The right layers.  [default: the group where the level of the concept peaks]",
)
def layers_command(run_dir: Path, **options: Any) -> None:
    """Compare an edit at its right layers with the same edit at wrong ones.

    As in figures 18 and 19 of the paper. Writes layers.svg, sides.csv, concepts.csv, a sheet of pictures per
    concept and layers.json. Without --out the report gets a chapter.

    \b
    Example:
      ganstrata analysis layers runs/rooms --concepts attribute/indoor_lighting --layers upper
    """
    with computing(AFTER_INTERRUPTION, quiet=options["quiet"]) as progress:
        from ..core.pipeline.analyse import analyse_layers

        result = analyse_layers(run_dir, _request(options), progress=progress)
    more = "" if options["out"] else f"; the report has a chapter on it: {run_dir / 'report.html'}"
    _show(result, quiet=options["quiet"], more=more)


COMMANDS = (hierarchy_command, ranking_command, entanglement_command, ablation_command, layers_command)
