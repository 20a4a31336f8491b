"""From stored tensors to those of our network, as far as names alone do not decide."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from torch import Tensor

from ..shared.layouts import Layout, Translated
from .layouts import GENFORCE, MMGENERATION, MMGENERATION_AVERAGE


def translate(layout: Layout, stored: dict[str, Tensor]) -> tuple[Translated, float]:
    """Weights by our names, every convolution (O, I, k, k) and apart from upsampling; and the level of detail, 0 if none is stored."""
    found = layout.translate(stored)
    lod = found.tensors.pop("lod", None)
    found = _count_from_below(found)
    if layout is GENFORCE:
        _turn(found.tensors, usual=False, own_fan_in=True)
    elif layout in (MMGENERATION, MMGENERATION_AVERAGE):
        _turn(found.tensors, usual=True, own_fan_in=False)
    return found, float(lod) if lod is not None and lod.numel() == 1 and not lod.is_complex() else 0.0


def levels(names: dict[str, Tensor]) -> int:
    """How many sizes the network has: half of its layers."""
    return sum(bool(re.fullmatch(r"layers\.\d+\.bias", name)) for name in names) // 2


def _count_from_below(found: Translated) -> Translated:
    """Outputs by level, where they are stored by level of detail."""
    top = levels(found.tensors) - 1

    def name(ours: str) -> str:
        match = re.fullmatch(r"outputs\.lod(\d+)\.(.*)", ours)
        return ours if match is None else f"outputs.{top - int(match[1])}.{match[2]}"

    return replace(
        found,
        tensors={name(ours): tensor for ours, tensor in found.tensors.items()},
        origin={name(ours): stored for ours, stored in found.origin.items()},
    )


def _turn(tensors: dict[str, Tensor], *, usual: bool, own_fan_in: bool) -> None:
    """Make transposed convolutions (I, O, 3, 3) of stride 2 into the convolutions that follow nearest-neighbour upsampling.

    Args:
        tensors: changed in place.
        usual: whether they are transposed where every width is the same, so that shapes do not tell.
        own_fan_in: False if a transposed weight's factor was computed from its number of outputs, as MMGeneration does.
    """
    ups = [
        i
        for i in range(2, 2 * levels(tensors), 2)
        if f"layers.{i}.weight" in tensors and f"layers.{i}.bias" in tensors
    ]
    transposed = None
    for i in ups:
        shape, outputs = tuple(tensors[f"layers.{i}.weight"].shape), tensors[f"layers.{i}.bias"].numel()
        if len(shape) == 4 and shape[0] != shape[1] and outputs in shape[:2]:
            transposed = shape[1] == outputs
    if not (usual if transposed is None else transposed):
        return
    for i in ups:
        weight = tensors[f"layers.{i}.weight"]
        if weight.ndim == 4 and weight.numel():
            turned = weight.transpose(0, 1).flip(2, 3)  # (O, I, 3, 3)
            tensors[f"layers.{i}.weight"] = (
                turned if own_fan_in else turned * math.sqrt(turned.shape[1] / turned.shape[0])
            )
