"""Define the analyses of effects: ranking, hierarchy, entanglement, ablation and layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, TypeVar, Unpack

import click

from .computing import computing
from .errors import clean
from .options import PATH, number_from, run_argument
from .streams import say

if TYPE_CHECKING:
    from ..core.analyses.request import AnalysisRequest
    from ..core.analyses.result import AnalysisResult

F = TypeVar("F", bound=Callable[..., Any])

AFTER_INTERRUPTION = "Earlier results are kept; run the same command again."

directories = click.argument("run_dirs", metavar="RUN...", type=PATH, nargs=-1, required=True)


class Options(TypedDict):
    """Hold the values of the options of an analysis."""

    concepts: tuple[str, ...]
    levels: tuple[str, ...]
    top: int | None
    layers: NotRequired[str | None]
    out: Path | None
    quiet: bool
    cluster: NotRequired[bool]


def shared_options(name: str, *, top: str, layers: str | None, several: bool = False) -> Callable[[F], F]:
    """Return a decorator that adds the options which all these analyses share."""
    where = f"analysis/{name} in the run" + ("; needed with several runs" if several else "")
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
            help="Only concepts of this level: layout, object, category, attribute or colour; "
            "may be repeated.",
        ),
        click.option("--top", type=number_from(1, 1_000_000), metavar="N", help=top),
        *([click.option("--layers", metavar="SET", help=layers)] if layers else []),
        click.option("--out", type=PATH, metavar="FOLDER", help=f"Folder to write.  [default: {where}]"),
        click.option("--quiet", is_flag=True, help="Print nothing but errors."),
    ]

    def add(command: F) -> F:
        for option in reversed(shared):
            command = option(command)
        return command

    return add


def _request(options: Options) -> AnalysisRequest:
    from ..core.analyses.request import AnalysisRequest

    return AnalysisRequest(
        concepts=options["concepts"],
        levels=options["levels"],
        top=options["top"],
        layers=options.get("layers"),
        out=options["out"],
        cluster=options.get("cluster", False),
    )


def _analyse(name: str, run_dirs: tuple[Path, ...], options: Options) -> None:
    """Run an analysis by its name, and print its result."""
    with computing(AFTER_INTERRUPTION, quiet=True):
        from ..core.pipeline.analyse import analyse_named

        result = analyse_named(name, run_dirs, _request(options))
    show(result, quiet=options["quiet"])


def show(written: tuple[AnalysisResult, Path], *, quiet: bool, more: str = "") -> None:
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
    "ranking",
    top="Number of concepts to show.  [default: all; with several runs, 10 of each]",
    layers=SETS,
    several=True,
)
def ranking_command(run_dirs: tuple[Path, ...], **options: Unpack[Options]) -> None:
    """Rank the concepts of one model, or of several side by side.

    As in figure 6 of the paper. Several runs must have the same scorers and the same distance. Writes
    ranking.svg, ranking.csv, places.csv with intervals of the ranks, agreement.csv and ranking.json.

    \b
    Example:
      ganstrata analysis ranking runs/rooms --levels attribute --top 10
    """
    _analyse("ranking", run_dirs, options)


@click.command("hierarchy")
@directories
@shared_options(
    "hierarchy",
    top="Only the N strongest variation factors of each level.  [default: all]",
    layers=None,
    several=True,
)
def hierarchy_command(run_dirs: tuple[Path, ...], **options: Unpack[Options]) -> None:
    """Show at which layers each level of meaning acts, from layout to colour.

    As in figure 3a of the paper, with the mean depth of every concept. Several runs must have the same layer
    groups. Writes figures, layers.csv, groups.csv, depths.csv, order.csv and hierarchy.json.

    \b
    Example:
      ganstrata analysis hierarchy runs/rooms runs/churches --out both
    """
    _analyse("hierarchy", run_dirs, options)


@click.command("entanglement")
@run_argument
@shared_options("entanglement", top="Only the N strongest concepts.  [default: all]", layers=SETS)
@click.option(
    "--cluster",
    is_flag=True,
    help="Order concepts by how much they move each other, instead of by strength.",
)
def entanglement_command(run_dir: Path, **options: Unpack[Options]) -> None:
    """Show what else each boundary changes, and how much of that the angles between boundaries explain.

    As in figure 8 of the paper. Writes entanglement.svg, pairs.csv with intervals and q values, cosines.svg,
    explained.csv and entanglement.json.

    \b
    Example:
      ganstrata analysis entanglement runs/rooms --layers upper --cluster
    """
    _analyse("entanglement", (run_dir,), options)


@click.command("ablation")
@run_argument
@shared_options("ablation", top="Number of ranks to show.  [default: all]", layers=SETS)
def ablation_command(run_dir: Path, **options: Unpack[Options]) -> None:
    """Rank concepts by their share of samples, by held-out accuracy and by re-scoring, and compare.

    As in figure 12 of the paper. Writes ablation.svg, rankings.csv, agreement.csv and ablation.json.

    \b
    Example:
      ganstrata analysis ablation runs/rooms --levels attribute
    """
    _analyse("ablation", (run_dir,), options)


@click.command("layers")
@run_argument
@shared_options(
    "layers",
    top="The N strongest variation factors of each level.  [default: 1; with --concepts, all that fit]",
    layers="Layers to compare with the others.  [default: the group where the level of the concept peaks]",
)
def layers_command(run_dir: Path, **options: Unpack[Options]) -> None:
    """Compare an edit at the layers where its level acts with the same edit at other layers.

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
    show(result, quiet=options["quiet"], more=more)


COMMANDS = (hierarchy_command, ranking_command, entanglement_command, ablation_command, layers_command)
