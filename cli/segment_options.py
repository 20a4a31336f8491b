"""Define the arguments and options that several commands of `ganstrata segment` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..core.semantics.painting.defaults import CANDIDATES
from ..core.strata.search_defaults import LEARNING_RATE, PENALTY, STEPS
from .options import DEVICES, PATH, Limited, number_from

folder_argument = click.argument("folder", metavar="FOLDER", type=PATH)
out_option = click.option("--out", required=True, type=PATH, metavar="FOLDER", help="Folder to write.")
device_option = click.option(
    "--device", metavar=DEVICES, help="Where to compute.  [default: as in the config of FOLDER]"
)
resize_option = click.option(
    "--resize", is_flag=True, help="Accept a PNG of another size; each pixel takes the nearest."
)
steps_option = click.option(
    "--steps",
    type=number_from(0, 10_000),
    default=STEPS,
    show_default=True,
    metavar="N",
    help="Steps of a search.",
)
learning_rate_option = click.option(
    "--learning-rate",
    type=Limited(float, 1e-6, 10.0),
    default=LEARNING_RATE,
    show_default=True,
    metavar="X",
    help="Learning rate of Adam. The paper has 0.01 for edits and 0.001 for masks, its code 0.01 for both.",
)
penalty_option = click.option(
    "--penalty",
    type=Limited(float, 0.0, 1000.0),
    default=PENALTY,
    show_default=True,
    metavar="X",
    help="Weight of the squared distances from start and mean; 0 in the paper, 0.001 in its code.",
)
candidates_option = click.option(
    "--candidates",
    type=number_from(1, 10_000),
    default=CANDIDATES,
    show_default=True,
    metavar="N",
    help="Samples from which each picture's start is chosen; 10 or 100 in the paper.",
)


def count_option(most: int, default: int, words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option -n for a number of pictures, 1 to `most`, which a command takes as `count`."""
    return click.option(
        "-n",
        "--pictures",
        "count",
        type=number_from(1, most),
        default=default,
        show_default=True,
        metavar="N",
        help=words,
    )


def with_device(overrides: tuple[str, ...], device: str | None) -> tuple[str, ...]:
    """Return the changes of a config with that of --device, if it was given.

    >>> with_device(("precision=bf16",), "cpu")
    ('precision=bf16', 'device=cpu')
    """
    return overrides if device is None else (*overrides, f"device={device}")
