"""A command: how many samples each of several runs has."""

import click
import ganstrata
from ganstrata import hookimpl


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--fail", is_flag=True, help="Raise an exception.")
def tally(runs, fail):
    """Count the samples of RUNS."""
    if fail:
        raise RuntimeError("the tally is lost")
    for path in runs:
        click.echo(f"{path}: {ganstrata.open_run(path).config.synthesis.samples}")


@hookimpl
def ganstrata_register_commands(register):
    register("tally", "guest_tally:tally", "count the samples of runs")
