"""`ganstrata analysis` on what re-scoring found: rankings, the hierarchy, entanglement, ablation, right and wrong layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .errors import clean
from .streams import say
from .types import PATH
from .work import working

if TYPE_CHECKING:
    from ..core.analyses.base import AnalysisRequest, AnalysisResult

F = TypeVar("F", bound=Callable[..., Any])

KEPT = "What was there before is kept; run the same command again."

directory = click.argument("run_dir", type=PATH)
directories = click.argument("run_dirs", type=PATH, nargs=-1, required=True)


def options(*, top: str, layers: str | None, several: bool = False) -> Callable[[F], F]:
    """The options that all of these share."""
    where = "analysis/NAME in the run" + ("; needed with several runs" if several else "")
    shared = [
        click.option(
            "--concepts",
            multiple=True,
            metavar="PATTERN",
            help="Only these, such as attribute/wood or 'colour/*'; may be repeated.",
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
        click.option("--quiet", is_flag=True, help="Say nothing unless something goes wrong."),
    ]

    def add(command: F) -> F:
        for option in reversed(shared):
            command = option(command)
        return command

    return add


def _ask(options: dict[str, Any]) -> AnalysisRequest:
    from ..core.analyses.base import AnalysisRequest

    return AnalysisRequest(**{key: value for key, value in options.items() if key != "quiet"})


def _show(found: tuple[AnalysisResult, Path], *, quiet: bool, more: str = "") -> None:
    """The table, what it says, and where the files are."""
    answer, folder = found
    if quiet:
        return
    rows = answer.table if len(answer.table) > 1 else []
    widths = [max(len(row[c]) for row in answer.table) for c in range(len(answer.table[0]))]
    for row in rows:
        say(clean("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()))
    if rows:
        say("")
    for sentence in answer.sentences:
        say(clean(sentence))
    say(f"\nIn {folder}{more}")


SETS = "Moved at this layer set of the run: all, a group, or numbers.  [default: all]"


@click.command("ranking")
@directories
@options(top="How many concepts to show.  [default: all; of several runs 10 each]", layers=SETS, several=True)
def ranking_command(run_dirs: tuple[Path, ...], **asked: Any) -> None:
    """The strongest concepts of a model, or of several models side by side (paper, fig. 6).

    RUN_DIRS are one run or several; several must agree in their scorers and in how far samples were moved.
    Writes ranking.svg, ranking.csv, places.csv with the places that resampling gives, agreement.csv and ranking.json.

    \b
    Example:
      ganstrata analysis ranking runs/rooms --levels attribute --top 10
    """
    with working(KEPT, quiet=True):
        from ..core.analyses.ranking import ranking
        from ..core.pipeline.analyse import analyse_runs

        found = analyse_runs(run_dirs, _ask(asked), ranking, "ranking")
    _show(found, quiet=asked["quiet"])


@click.command("hierarchy")
@directories
@options(
    top="Only the N strongest variation factors of each level.  [default: all]", layers=None, several=True
)
def hierarchy_command(run_dirs: tuple[Path, ...], **asked: Any) -> None:
    """Which level settles in which layers, how deep each concept sits, and whether one level sits before another (paper, fig. 3a).

    RUN_DIRS are one run or several, of the same groups. Writes figures, and layers.csv, groups.csv, depths.csv, order.csv and hierarchy.json.

    \b
    Example:
      ganstrata analysis hierarchy runs/rooms runs/churches --out both
    """
    with working(KEPT, quiet=True):
        from ..core.analyses.hierarchy import hierarchy
        from ..core.pipeline.analyse import analyse_runs

        found = analyse_runs(run_dirs, _ask(asked), hierarchy, "hierarchy")
    _show(found, quiet=asked["quiet"])


@click.command("entanglement")
@directory
@options(top="Only the N strongest concepts.  [default: all]", layers=SETS)
@click.option(
    "--cluster",
    is_flag=True,
    help="Put concepts that move each other side by side, instead of the strongest first.",
)
def entanglement_command(run_dir: Path, **asked: Any) -> None:
    """What each direction does to every other concept, and how much of it cosines between normals explain (paper, fig. 8).

    Writes entanglement.svg, pairs.csv with intervals and q values, cosines.svg, explained.csv and entanglement.json.

    \b
    Example:
      ganstrata analysis entanglement runs/rooms --layers upper --cluster
    """
    with working(KEPT, quiet=True):
        from ..core.analyses.entanglement import entanglement
        from ..core.pipeline.analyse import analyse_run

        found = analyse_run(run_dir, _ask(asked), entanglement, "entanglement")
    _show(found, quiet=asked["quiet"])


@click.command("ablation")
@directory
@options(top="How many places to show.  [default: all]", layers=SETS)
def ablation_command(run_dir: Path, **asked: Any) -> None:
    """The same concepts ranked by share of positives, by held-out accuracy and by re-scoring, and how far these agree (paper, fig. 12).

    Writes ablation.svg, rankings.csv, agreement.csv and ablation.json.

    \b
    Example:
      ganstrata analysis ablation runs/rooms --levels attribute
    """
    with working(KEPT, quiet=True):
        from ..core.analyses.ablation import ablation
        from ..core.pipeline.analyse import analyse_run

        found = analyse_run(run_dir, _ask(asked), ablation, "ablation")
    _show(found, quiet=asked["quiet"])


@click.command("layers")
@directory
@options(
    top="The N strongest variation factors of each level.  [default: 1; with --concepts, all that fit]",
    layers="The right layers.  [default: of each concept the group where its level peaks]",
)
def layers_command(run_dir: Path, **asked: Any) -> None:
    """What an edit does at its right layers and at wrong ones, to its own concept and to those of every level (paper, figs. 18 and 19).

    Writes layers.svg, sides.csv, concepts.csv, a sheet of pictures per concept and layers.json; without --out the report gets a chapter.

    \b
    Example:
      ganstrata analysis layers runs/rooms --concepts attribute/indoor_lighting --layers upper
    """
    with working(KEPT, quiet=asked["quiet"]) as progress:
        from ..core.pipeline.analyse import analyse_layers

        found = analyse_layers(run_dir, _ask(asked), progress=progress)
    more = "" if asked["out"] else f"; the report has a chapter on it: {run_dir / 'report.html'}"
    _show(found, quiet=asked["quiet"], more=more)


COMMANDS = (hierarchy_command, ranking_command, entanglement_command, ablation_command, layers_command)
