"""Translate the stored tensors of a ProgressiveGAN, also where names alone do not decide."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from torch import Tensor

from ..shared.layouts import Layout, Translated
from .layouts import GAN_ZOO, GENFORCE, GROWN, MMGENERATION, MMGENERATION_AVERAGE


def translate(layout: Layout, stored: dict[str, Tensor]) -> tuple[Translated, float]:
    """Translate the weights to convolutions (O, I, k, k) that are separate from upsampling.

    Returns:
        The translated weights, and the level of detail, 0 if none is stored.
    """
    translated = layout.translate(stored)
    lod = translated.tensors.pop("lod", None)
    translated = _number_by_level(translated)
    if layout is GENFORCE:
        _convert_transposed(translated.tensors, default=False, uses_fan_in=True)
    elif layout in (MMGENERATION, MMGENERATION_AVERAGE):
        _convert_transposed(translated.tensors, default=True, uses_fan_in=False)
    return translated, float(lod) if lod is not None and lod.numel() == 1 and not lod.is_complex() else 0.0


def levels(names: dict[str, Tensor]) -> int:
    """Return the number of resolutions, half of the number of layers."""
    return len({match[1] for name in names if (match := re.match(r"layers\.(\d+)\.", name))}) // 2


def by_level(name: str, levels: int) -> str:
    """Return the name of an output that TensorFlow counts from the largest picture, and other names as given.

    >>> by_level("outputs.lod0.bias", 3)
    'outputs.2.bias'
    """
    match = re.fullmatch(r"outputs\.lod(\d+)\.(.*)", name)
    return name if match is None else f"outputs.{levels - 1 - int(match[1])}.{match[2]}"


def _number_by_level(translated: Translated) -> Translated:
    """Rename outputs numbered by level of detail, from the top, to numbers by level, from 4 pixels up."""
    count = levels(translated.tensors)
    return replace(
        translated,
        tensors={by_level(name, count): tensor for name, tensor in translated.tensors.items()},
        origin={by_level(name, count): stored for name, stored in translated.origin.items()},
    )


def _convert_transposed(tensors: dict[str, Tensor], *, default: bool, uses_fan_in: bool) -> None:
    """Convert transposed convolutions (I, O, 3, 3) of stride 2 to convolutions (O, I, 3, 3) after upsampling.

    Args:
        tensors: changed in place.
        default: whether the convolutions are transposed if all widths are equal, so that shapes do not show
            it.
        uses_fan_in: whether the layout scales a transposed weight by 1 / sqrt(9 I). MMGeneration takes
            1 / sqrt(9 O), so its weights are multiplied by sqrt(I / O).
    """
    ups = [
        i
        for i in range(2, 2 * levels(tensors), 2)
        if f"layers.{i}.weight" in tensors and f"layers.{i}.bias" in tensors
    ]
    transposed = None  # as the shapes show
    for i in ups:
        shape, outputs = tuple(tensors[f"layers.{i}.weight"].shape), tensors[f"layers.{i}.bias"].numel()
        if len(shape) == 4 and shape[0] != shape[1] and outputs in shape[:2]:
            transposed = shape[1] == outputs
    if not (default if transposed is None else transposed):
        return
    for i in ups:
        weight = tensors[f"layers.{i}.weight"]
        if weight.ndim == 4 and weight.numel():
            converted = weight.transpose(0, 1).flip(2, 3)  # (O, I, 3, 3)
            outputs, inputs = converted.shape[:2]
            tensors[f"layers.{i}.weight"] = (
                converted if uses_fan_in else converted * math.sqrt(inputs / outputs)
            )


def rescale(layout: Layout, tensors: dict[str, Tensor]) -> None:
    """Multiply weights and biases so that NVIDIA's scales give what those of another library give.

    NVIDIA scales the weights of the first layer by sqrt(2) / sqrt(h w Z), and those of outputs by
    1 / sqrt(I). Here both are scaled by sqrt(2) / sqrt(fan-in), with fan-in Z for the first layer. The zoo
    applies this to the sum of convolution and bias.

    Args:
        layout: one that differs from NVIDIA; with another one nothing is done.
        tensors: changed in place.
    """
    if layout is not GAN_ZOO and layout not in GROWN:
        return
    for name in [name for name in tensors if name.endswith(".weight")]:
        weight, bias = tensors[name], f"{name.removesuffix('weight')}bias"
        if weight.ndim != 4 or not weight.numel():
            continue
        if layout is GAN_ZOO and bias in tensors:
            fan_in = weight.shape[1] if name == "layers.0.weight" else weight[0].numel()
            tensors[bias] = _times(tensors[bias], math.sqrt(2.0 / fan_in))
        if name == "layers.0.weight":
            tensors[name] = _times(weight, math.sqrt(weight.shape[2] * weight.shape[3]))
        elif name.startswith("outputs."):
            tensors[name] = _times(weight, math.sqrt(2.0))


def _times(tensor: Tensor, factor: float) -> Tensor:
    """Return a tensor times a factor in float32; one of complex numbers, which no network has, unchanged."""
    return tensor if tensor.is_complex() else tensor.float() * factor
