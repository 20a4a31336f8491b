"""Tell the super-resolution stages of StyleGAN-XL by names and settings.

A stage drops the last, critically sampled layers of a trained network, the stem, and trains a head of further
layers at a higher resolution. The stem may itself have such heads.

Source: Sauer et al. 2022, "StyleGAN-XL: Scaling StyleGAN to Large Diverse Datasets", section 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ....core.errors import CheckpointError

LAYER = r"synthesis\.L(\d{1,3})_(\d{1,6})_(\d{1,6})"
Shapes = Mapping[str, tuple[int, ...]]


def is_stage(settings: Mapping[str, Any]) -> bool:
    """Return whether settings are those of a super-resolution stage of StyleGAN-XL, not of a network."""
    return "head_layers" in settings or "path_stem" in settings


def assumptions(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sentence on what the settings of a super-resolution stage leave open."""
    if not is_stage(settings):
        return ()
    return (
        "the settings in the file are those of its last super-resolution stage alone: sampling rates and "
        "margins are inferred from tensors",
    )


def number_of(name: str) -> int:
    """Return the number of a layer in its name, 0 for `synthesis.L0_36_512`."""
    return int(name.removeprefix("synthesis.L").split("_")[0])


def layer_names(shapes: Shapes, *, grown: bool) -> list[str]:
    """Return the names of the layers, such as `synthesis.L0_36_512`, in order.

    Where the first super-resolution stage of StyleGAN-XL replaces the last layers of a network, its code
    leaves out one number. The layer after it has the size and the channels of the one before.
    """
    present = {m[0] for name in shapes if (m := re.match(LAYER + r"(?=\.)", name))}
    names = sorted(present, key=number_of)
    numbers = [number_of(name) for name in names]
    gap = next((i for i, layer in enumerate(numbers) if layer != i), len(numbers))
    if grown and 0 < gap < len(numbers) and names[gap].split("_")[1:] == names[gap - 1].split("_")[1:]:
        numbers = [layer - (i >= gap) for i, layer in enumerate(numbers)]
    if len(names) < 2 or numbers != list(range(len(names))):
        listed = ", ".join(name.removeprefix("synthesis.") for name in names[:20])
        raise CheckpointError(f"a StyleGAN3 has layers L0, L1, L2 ..., but this file has {listed or 'none'}")
    return names
