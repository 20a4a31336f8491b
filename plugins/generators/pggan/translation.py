"""Translate stored tensors to those of the network, where names alone do not decide."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from torch import Tensor

from ..shared.layouts import Layout, Translated
from .layouts import GENFORCE, MMGENERATION, MMGENERATION_AVERAGE


def translate(layout: Layout, stored: dict[str, Tensor]) -> tuple[Translated, float]:
    """Translate weights, with every convolution (O, I, k, k) and separate from upsampling.

    Returns:
        The weights by the names used here, and the level of detail, 0 if none is stored.
    """
    translated = layout.translate(stored)
    lod = translated.tensors.pop("lod", None)
    translated = _count_from_below(translated)
    if layout is GENFORCE:
        _convert_transposed(translated.tensors, usual=False, own_fan_in=True)
    elif layout in (MMGENERATION, MMGENERATION_AVERAGE):
        _convert_transposed(translated.tensors, usual=True, own_fan_in=False)
    return translated, float(lod) if lod is not None and lod.numel() == 1 and not lod.is_complex() else 0.0


def levels(names: dict[str, Tensor]) -> int:
    """Return the number of resolutions, half of the number of layers."""
    return sum(bool(re.fullmatch(r"layers\.\d+\.bias", name)) for name in names) // 2


def _count_from_below(translated: Translated) -> Translated:
    """Rename outputs from level of detail, counted from the top, to level, counted from 4 pixels."""
    top = levels(translated.tensors) - 1

    def name(ours: str) -> str:
        match = re.fullmatch(r"outputs\.lod(\d+)\.(.*)", ours)
        return ours if match is None else f"outputs.{top - int(match[1])}.{match[2]}"

    return replace(
        translated,
        tensors={name(ours): tensor for ours, tensor in translated.tensors.items()},
        origin={name(ours): stored for ours, stored in translated.origin.items()},
    )


def _convert_transposed(tensors: dict[str, Tensor], *, usual: bool, own_fan_in: bool) -> None:
    """Convert transposed convolutions (I, O, 3, 3) of stride 2 to convolutions after upsampling.

    Args:
        tensors: changed in place.
        usual: whether they are transposed if all widths are equal, so that shapes do not decide.
        own_fan_in: False if the factor of a transposed weight was computed from its number of outputs, as in
            MMGeneration.
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
