"""`ganstrata run`: the whole method, from a config to a report."""

from __future__ import annotations

from pathlib import Path

import click

from .streams import say
from .types import PATH
from .work import working


@click.command()
@click.argument("config", type=PATH)
@click.option("--out", type=PATH, help="The run directory.  [default: runs/<name of the config>]")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the config; may be repeated.",
)
@click.option("--device", metavar="auto|cpu|cuda|cuda:N", help="Where to compute; overrides the config.")
@click.option("--quiet", is_flag=True, help="Show no progress: only the result, or what went wrong.")
def run(config: Path, out: Path | None, overrides: tuple[str, ...], device: str | None, quiet: bool) -> None:
    """Synthesise, learn, re-score, edit and report, as CONFIG (YAML, TOML or JSON) says.

    A run that was interrupted is continued where it stopped; finished stages are not run again.

    \b
    Examples:
      ganstrata run examples/rooms.yaml --out runs/rooms
      ganstrata run examples/rooms.yaml --set synthesis.samples=2000 --set engine.workers=1
    """
    out = Path("runs") / config.stem if out is None else out
    with working(f"The same command continues the run in {out}.", quiet=quiet) as progress:
        from ..core.config.reading import read_config
        from ..core.pipeline.perform import perform
        from ..core.runs.run import STAGES

        changed = (*overrides, f"device={device}") if device is not None else overrides
        validated = read_config(config, changed)
        perform(validated, out, STAGES, source=str(config), progress=progress)
    say(f"Report: {out / 'report.html'}")
