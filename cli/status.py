"""Define `ganstrata status`, which says how far a run is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from .errors import reported
from .options import run_argument
from .streams import say


@click.command()
@run_argument
@click.option("--watch", is_flag=True, help="Go on until the run is complete, or nothing drives it any more.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    help="With --watch: seconds between two looks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with --watch an object per line.")
def status(run_dir: Path, watch: bool, every: float, as_json: bool) -> None:
    """Say how far the run in RUN is: stage, rate, time left, workers, the last failure.

    It may run elsewhere: a file in its directory is read, which the process that drives it writes every few
    seconds. Nothing is locked or changed.

    \b
    Examples:
      ganstrata status runs/rooms
      ganstrata status runs/rooms --watch
    """
    with reported("The run goes on."):
        from ..core.runs.status import read_status

        shown: list[str] = []
        while True:
            found = read_status(run_dir)
            if as_json:
                say(json.dumps(found.model_dump(mode="json"), indent=None if watch else 2))
            else:
                lines = found.lines()
                if changed := [line for line in lines if line not in shown]:
                    say("\n".join(changed))
                shown = lines
            if not watch or found.state != "running":
                return
            time.sleep(every)
