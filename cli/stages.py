"""Define the commands of the single stages, each for a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .computing import computing
from .meanings import say_meanings
from .options import PATH, quiet_option, run_argument
from .streams import say

if TYPE_CHECKING:
    from ..core.runs.stages import Stage


def _run_stage(run_dir: Path, stage: Stage, quiet: bool) -> None:
    with computing(f"`ganstrata {stage} {run_dir}` continues.", quiet=quiet) as progress:
        from ..core.pipeline.perform import resume

        resume(run_dir, stage, progress=progress)


@click.command()
@run_argument
@click.option("--config", type=PATH, help="Start a new run of this config in RUN.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="With --config: change one value of it; may be repeated.",
)
@quiet_option
def synthesize(run_dir: Path, config: Path | None, overrides: tuple[str, ...], quiet: bool) -> None:
    """Stage 1: sample latents, synthesise images, score them, and write samples.zarr.

    \b
    Example:
      ganstrata synthesize runs/rooms --config examples/rooms.yaml
    """
    if config is None:
        if overrides:
            raise click.UsageError(
                "--set goes with --config: an existing run keeps the config it was made from"
            )
        _run_stage(run_dir, "synthesize", quiet)
        return
    with computing(f"The same command continues the run in {run_dir}.", quiet=quiet) as progress:
        from ..core.config.reading import read_config
        from ..core.pipeline.perform import perform

        perform(
            read_config(config, overrides), run_dir, ("synthesize",), source=str(config), progress=progress
        )


@click.command()
@run_argument
@quiet_option
def learn(run_dir: Path, quiet: bool) -> None:
    """Stage 2: learn a boundary for every concept that varies.

    \b
    Example:
      ganstrata learn runs/rooms
    """
    _run_stage(run_dir, "learn", quiet)


@click.command()
@run_argument
@quiet_option
def rescore(run_dir: Path, quiet: bool) -> None:
    """Stage 3: move fresh samples along every boundary at every layer set, and score again.

    \b
    Example:
      ganstrata rescore runs/rooms
    """
    _run_stage(run_dir, "rescore", quiet)
    say_meanings(run_dir)


@click.command()
@run_argument
@quiet_option
def edit(run_dir: Path, quiet: bool) -> None:
    """Stage 4: draw strips of edited images for every boundary and layer group.

    \b
    Example:
      ganstrata edit runs/rooms
    """
    _run_stage(run_dir, "edit", quiet)


@click.command()
@run_argument
@quiet_option
def report(run_dir: Path, quiet: bool) -> None:
    """Stage 5: draw the figures, write their numbers, and assemble report.html.

    \b
    Example:
      ganstrata report runs/rooms
    """
    _run_stage(run_dir, "report", quiet)
    say(f"Report: {run_dir / 'report.html'}")
