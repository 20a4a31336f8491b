"""Define `ganstrata segment`: read a segmentation off a generator's feature maps, and edit by painting."""

from __future__ import annotations

import click

from .options import Commands
from .segment_agreement import agreement_command
from .segment_annotate import annotate_command, learn_command, suggest_command
from .segment_edit import edit_command, sample_command
from .segment_eval import eval_command
from .segment_geometry import geometry_command
from .segment_layers import layers_command
from .segment_shots import shots_command
from .segment_train import train_command


@click.group(cls=Commands)
def segment() -> None:
    """Read a segmentation off a generator's feature maps, measure it, and edit pictures by painting.

    \b
    Examples:
      ganstrata segment train examples/segment.yaml --out segmentations/rooms
      ganstrata segment eval segmentations/rooms --images 2000
      ganstrata segment layers segmentations/rooms --run runs/rooms_objects
      ganstrata segment geometry segmentations/rooms --out geometry
      ganstrata segment edit segmentations/rooms --sample 3 --out paint
      ganstrata segment shots examples/segment.yaml --out shots
      ganstrata segment annotate examples/segment.yaml -n 8 --out paint
    """


for command in (
    train_command,
    eval_command,
    layers_command,
    geometry_command,
    edit_command,
    sample_command,
    agreement_command,
    shots_command,
    annotate_command,
    learn_command,
    suggest_command,
):
    segment.add_command(command)
