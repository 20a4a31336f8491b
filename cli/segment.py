"""Define `ganstrata segment`: read a segmentation off a generator's feature maps, and edit by painting."""

from __future__ import annotations

import click

from .options import Commands
from .segment_train import train_command


@click.group(cls=Commands)
def segment() -> None:
    """Read a segmentation off a generator's feature maps, measure it, and edit pictures by painting.

    \b
    Examples:
      ganstrata segment train examples/segment.yaml --out segmentations/rooms
    """


segment.add_command(train_command)
