"""Define `ganstrata analysis`, the group of analyses of finished runs, and its command `objects`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click

from ..core.messages import listed
from ..core.plugins.plugin_info import PluginInfo
from ..core.plugins.registry import registry
from .computing import computing
from .effect_analyses import COMMANDS
from .errors import clean, reported
from .options import LENGTH, Commands, device_option, number_from, quiet_option, run_argument
from .plugin_commands import analysis_of_plugin
from .streams import say


class Analyses(Commands):
    """Represent the group of analyses: the built-in ones, and those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the built-in analyses, then those of plugins."""
        return [*super().list_commands(ctx), *sorted(_of_plugins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return an analysis by name, or None if there is none.

        If several plugins have one of this name, it is that of the first, and refuses to run.
        """
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        infos = _of_plugins().get(cmd_name)
        return analysis_of_plugin(infos[0]) if infos else None

    def first_sentences(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return each analysis with its first sentence; of a plugin's, the summary it was registered with."""
        built_in = [
            (name, command.get_short_help_str(limit=1000)) for name, command in sorted(self.commands.items())
        ]
        return [*built_in, *((name, _summary(infos)) for name, infos in sorted(_of_plugins().items()))]


def _of_plugins() -> dict[str, list[PluginInfo]]:
    """Return the analyses of plugins by name: one each, unless plugins clash."""
    with reported():
        infos = registry().infos("analysis")
    return {name: list(group) for name, group in groupby(infos, key=lambda info: info.name)}


def _summary(infos: Sequence[PluginInfo]) -> str:
    """Return a line on the plugins of one name."""
    if len(infos) == 1:
        return clean(infos[0].summary[:1].upper() + infos[0].summary[1:].rstrip(".") + ".", lines=False)
    owners = listed(info.distribution for info in infos)
    return f"Cannot be run: several plugins have this name, from {owners}."


@click.group(cls=Analyses)
def analysis() -> None:
    """Analyse a finished run: ranking, hierarchy, side effects, objects.

    Each analysis writes a folder in RUN/analysis. Two of them, `layers` and `objects`, also add a chapter
    to the report. Plugins may add analyses of their own.

    \b
    Examples:
      ganstrata analysis hierarchy runs/rooms
      ganstrata analysis objects runs/rooms --along category/bedroom --along category/dining_room
    """


@analysis.command("objects")
@run_argument
@click.option(
    "--along",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A boundary of the run. May be repeated: each move starts where the last one ended.",
)
@click.option("--segmenter", metavar="ALIAS", help="The scorer that labels pixels.  [default: the only one]")
@click.option(
    "--layers",
    metavar="SET",
    help="Layers to move: all, a group, or numbers such as 2-5.  "
    "[default: the group where re-scoring finds the largest effect]",
)
@click.option(
    "--samples",
    type=number_from(1, 100_000_000),
    default=500,
    show_default=True,
    metavar="N",
    help="Number of samples to move.",
)
@click.option(
    "--step",
    type=LENGTH,
    metavar="X",
    help="Length of each move, in standard deviations of w (of the styles with learning.space: s), or as "
    "rescoring.distance_unit in the config says.  [default: rescoring.distance]",
)
@click.option(
    "--start",
    metavar="CONCEPT",
    help="Move only samples that have this concept, such as category/living_room.  [default: all samples]",
)
@device_option
@quiet_option
def objects_command(
    run_dir: Path,
    along: tuple[str, ...],
    segmenter: str | None,
    layers: str | None,
    samples: int,
    step: float | None,
    start: str | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Count which objects become which others while pictures move along boundaries.

    A segmenter labels every pixel before and after each move, as in figure 5 of the paper. Writes
    transitions.csv, flow.svg, flow.csv, masks.png and objects.json to RUN/analysis/objects, and updates
    the report.

    A boundary between two categories, such as category/bedroom-vs-living_room, needs a category scorer with
    `against: [[bedroom, living_room]]`.

    \b
    Example:
      ganstrata analysis objects runs/rooms --start category/living_room \\
        --along category/bedroom-vs-living_room --along category/dining_room-vs-bedroom
    """
    with computing("Earlier results are kept; run the same command again.", quiet=quiet) as progress:
        from ..core.analyses.objects import TransitionRequest
        from ..core.analyses.objects_result import description, sentences_of
        from ..core.pipeline.analyse import objects

        request = TransitionRequest(
            along=along,
            segmenter=segmenter,
            layers=layers,
            samples=samples,
            step=step,
            start=start,
            device=device,
        )
        result = objects(run_dir, request, progress=progress)
    say(description(result))
    for hop, name in enumerate(result.along, start=1):
        say(f"\nHop {hop}, along {name}")
        for sentence in sentences_of(result, hop):
            say(f"  {sentence}")
    say(f"\nIn {run_dir / 'analysis/objects'}; the report has a chapter on it: {run_dir / 'report.html'}")


for command in COMMANDS:
    analysis.add_command(command)
