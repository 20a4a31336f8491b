"""Find the commands and the analyses of plugins, and report their errors as the plugin's."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..core.plugins.plugin_info import Kind, PluginInfo
from ..core.plugins.registry import registry
from .computing import computing
from .errors import reported
from .options import DEVICES, PATH, run_argument

PASSING = (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit)
OUTPUT = (errno.EPIPE, errno.ENOSPC)  # the output has no reader, or no room


class PluginCommand(click.Command):
    """Represent a plugin's command, whose exceptions are reported as the plugin's, without a traceback."""

    def __init__(self, command: click.Command, info: PluginInfo) -> None:
        super().__init__(command.name)
        self._command, self._info = command, info

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command's options as click does; this calls their callbacks."""
        with self._attributed("its options"):
            ctx = self._command.make_context(*args, **kwargs)
        if not ctx.resilient_parsing:  # which is for completion in a shell
            ctx.command = self  # because click calls the `invoke` of the context's command
        return ctx

    def invoke(self, ctx: click.Context) -> None:
        """Call the command as click does. What it returns is dropped: it is no exit code."""
        ctx.command = self._command
        with self._attributed("the command"):
            self._command.invoke(ctx)

    @contextmanager
    def _attributed(self, what: str) -> Iterator[None]:
        """Name the plugin in the errors of the block, except those of click and those of the output."""
        from ..core.plugins.failures import plugin_call

        home = self._info.target.partition(":")[0]
        with reported(), plugin_call(self._info.owner, what, home=home, passing=_passes):
            yield


def _passes(error: BaseException) -> bool:
    return isinstance(error, PASSING) or (isinstance(error, OSError) and error.errno in OUTPUT)


def names_of_plugins(kind: Kind) -> list[str]:
    """Return the names of all plugins of a kind, sorted."""
    with reported():
        return sorted({info.name for info in registry().infos(kind)})


def command_of_plugin(name: str) -> click.Command | None:
    """Import the command that a plugin registered under this name; None if there is none."""
    from ..core.errors import PluginBroken

    if name not in names_of_plugins("command"):
        return None
    with reported():
        info = registry().info("command", name)
        command = info.imported()
        if not isinstance(command, click.Command):
            raise PluginBroken(
                f"{info.target} from {info.distribution} is registered as a command but is not one of click."
            )
    return PluginCommand(command, info)


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
        run_argument,
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Set an option of the analysis; may be repeated.",
        ),
        click.option(
            "--out",
            type=PATH,
            metavar="FOLDER",
            help=f"Folder to write.  [default: analysis/{info.name} in the run]",
        ),
        click.option("--device", metavar=DEVICES, help="Where to compute.  [default: auto]"),
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
