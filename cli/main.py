"""Define the entry point `ganstrata`, which imports a command only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from .. import __version__

COMMANDS = {
    "init": ("init", "Write a commented config for a checkpoint."),
    "run": ("run", "Run the whole method, from a config to a report."),
    "synthesize": ("stages", "Stage 1: sample latents, synthesise images, score them."),
    "learn": ("stages", "Stage 2: learn a boundary for every concept that varies."),
    "rescore": ("stages", "Stage 3: verify each boundary by moving codes along it."),
    "edit": ("stages", "Stage 4: draw strips of edited images."),
    "report": ("stages", "Stage 5: draw figures, and write tables and report.html."),
    "status": ("status", "Say how far a run is, here or elsewhere."),
    "manipulate": ("manipulate", "Edit chosen pictures, as strips, grids, films or a page."),
    "app": ("app", "Look at a run in a browser, edit its pictures, export them."),
    "analysis": ("analysis", "Analyse a run: ranking, hierarchy, side effects, objects."),
    "leaderboard": ("leaderboard", "Compare boundary learners on the same samples."),
    "boundaries": ("boundaries", "List boundaries, import them from HiGAN, or export to its format."),
    "segment": ("segment", "Read segmentations off feature maps, and edit by painting."),
    "invert": ("invert", "Turn pictures into codes of a generator, to edit photographs."),
    "restore": ("restore", "Colourise, inpaint, super-resolve or denoise pictures."),
    "morph": ("morph", "Interpolate between pictures, mix their layers, or diffuse parts."),
    "encoder": ("encoder", "Train an encoder, a network that maps pictures to codes."),
    "trust": ("trust", "Measure how far inverted pictures and their edits can be trusted."),
    "dissect": ("dissect", "Find which units detect which class, and what setting them does."),
    "study": ("study", "Ask people which layers edit a concept best, and read votes."),
    "model": ("model", "Inspect or convert a checkpoint, or list published generators."),
    "config": ("config", "Check a config, or describe configs for editors."),
    "plugins": ("plugins", "List plugins, show one, check one, or begin a new one."),
}


class Lazy(click.Group):
    """Represent a group that imports a command's module only when it is needed."""

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command as click does, and turn every error into a short message and an exit code."""
        perform = partial(super().main, args, prog_name, standalone_mode=False, **extra)
        if not standalone_mode:
            return perform()
        from .outermost import exit_code

        quiet = "--quiet" in (sys.argv[1:] if args is None else args)
        sys.exit(exit_code(perform, own_process=args is None, quiet=quiet))

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Make the context as click does; this prints the help."""
        from .errors import unhidden

        with unhidden():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command as click does."""
        from .errors import unhidden

        try:
            Path.cwd()
        except OSError:  # libraries would end the process with messages of their own
            raise click.ClickException("the working directory no longer exists; change to another") from None

        with unhidden():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, built-in or a plugin's, and return it, or None if there is none of this name."""
        if cmd_name not in COMMANDS:
            from .plugin_commands import command_of_plugin

            return command_of_plugin(cmd_name)
        command = getattr(import_module(f".{COMMANDS[cmd_name][0]}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line per command, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
        # To name those of plugins, their modules would have to be imported.
        formatter.write_paragraph()
        formatter.write_text("Plugins may add commands, which `ganstrata plugins list` shows.")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does, with a hint for a misspelt name."""
        from ..core.errors import nearest

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from .plugin_commands import names_of_plugins

            known = [*COMMANDS, *names_of_plugins("command")]
            if args[0] not in known:
                raise click.UsageError(f"No such command '{args[0]}'.{nearest(args[0], known)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ganstrata")
def main() -> None:
    """Find which layers of an image generator control which concept, verify it, and edit with it.

    \b
    Start with the bundled model, or with your own checkpoint:
      ganstrata run bundled:rooms
      ganstrata init stylegan2-ffhq.pkl
    """


if __name__ == "__main__":
    main()
