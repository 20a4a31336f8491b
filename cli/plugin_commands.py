"""Find the commands and the analyses of plugins, and report their errors as the plugin's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.plugins.registry import Kind, PluginInfo, registry
from .computing import computing
from .errors import reported
from .options import PATH, run_dir_argument

if TYPE_CHECKING:
    from collections.abc import Callable

CLICK_OWN = (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit)


def names_of_plugins(kind: Kind) -> list[str]:
    """Return the names of all plugins of a kind, sorted."""
    with reported():
        return sorted({info.name for info in registry().infos(kind)})


def command_of_plugin(name: str) -> click.Command | None:
    """Import the command that a plugin registered under this name; None if there is none.

    Its exceptions are reported as the plugin's, without a traceback.
    """
    from ..core.errors import PluginBroken
    from ..core.plugins.failures import plugin_call

    if name not in names_of_plugins("command"):
        return None
    with reported():
        info = registry().info("command", name)
        command = info.imported()
        if not isinstance(command, click.Command):
            raise PluginBroken(
                f"{info.target} from {info.distribution} is registered as a command but is no click command."
            )
    perform: Callable[[click.Context], Any] = command.invoke
    home = info.target.partition(":")[0]

    def invoke(ctx: click.Context) -> Any:
        with reported(), plugin_call(info.owner, "the command", home=home):
            try:
                return perform(ctx)
            except CLICK_OWN as error:
                own = error
        raise own

    command.invoke = invoke  # type: ignore[method-assign]
    return command


def analysis_of_plugin(info: PluginInfo) -> click.Command:
    """Return the command that runs an analysis of a plugin. The plugin is imported when it is given."""

    def run(
        run_dir: Path, overrides: tuple[str, ...], out: Path | None, device: str | None, quiet: bool
    ) -> None:
        with computing("Earlier results are kept; run the same command again.", quiet=True):
            from ..core.config.overrides import override
            from ..core.pipeline.analyse import analyse_with_plugin

            options: dict[str, Any] = {}
            for text in overrides:
                override(options, text)
            written = analyse_with_plugin(info.name, run_dir, options, out=out, device=device or "auto")
        show(written, quiet=quiet)

    from .effect_analyses import show

    parameters = [
        run_dir_argument,
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set an option of the analysis."
        ),
        click.option(
            "--out",
            type=PATH,
            metavar="DIR",
            help=f"Folder to write.  [default: analysis/{info.name} in the run]",
        ),
        click.option("--device", metavar="auto|cpu|cuda|cuda:N", help="Where to compute.  [default: auto]"),
        click.option("--quiet", is_flag=True, help="Print nothing but errors."),
    ]
    for parameter in reversed(parameters):
        run = parameter(run)
    summary = info.summary[:1].upper() + info.summary[1:].rstrip(".")
    text = (
        f"{summary}.\n\nThis analysis comes from {info.distribution}. "
        f"`ganstrata plugins show {info.name}` lists its options, and --set sets one."
    )
    return click.command(info.name, help=text)(run)
