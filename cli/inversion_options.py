"""Hold the options that several commands for pictures of the user share."""

from __future__ import annotations

import click

from .options import PATH

run_option = click.option(
    "--run", type=PATH, metavar="RUN", help="Use the generator of this run, and its seed."
)
generator_option = click.option(
    "--generator",
    metavar="FILE[:KEY=VALUE]",
    help="Use the generator of a checkpoint, such as bundled:rooms, with options of its plugin.",
)
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME.FIELD=VALUE",
    help="Set a field of a step, such as w+.steps=500, or a weight of the distance, such as "
    "distance.pixel=1; may be repeated.",
)
