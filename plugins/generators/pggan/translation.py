"""Translate the stored tensors of a ProgressiveGAN, also where names alone do not decide."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from torch import Tensor

from ....core.errors import CheckpointError
from ..shared.layouts import Layout, Translated
from .layouts import GAN_ZOO, GENFORCE, GROWN, MMGENERATION, MMGENERATION_AVERAGE


def translate(
    layout: Layout, stored: dict[str, Tensor], fused: bool | None = None
) -> tuple[Translated, float, tuple[str, ...]]:
    """Translate the weights to convolutions (O, I, k, k) that are separate from upsampling.

    Args:
        layout: of the file.
        stored: tensors by the names of the file.
        fused: whether the config says that upsampling is fused with the convolution after it.

    Returns:
        The translated weights; the level of detail, 0 if none is stored; and what is assumed.

    Raises:
        CheckpointError: the file shows by itself whether upsampling is fused, and the config says it.
    """
    assumed: tuple[str, ...] = ()
    translated = layout.translate(stored)
    lod = translated.tensors.pop("lod", None)
    translated = _number_by_level(translated)
    if layout is GENFORCE:
        assumed = _convert_transposed(translated.tensors, fused, default=False, uses_fan_in=True)
    elif layout in (MMGENERATION, MMGENERATION_AVERAGE):
        assumed = _convert_transposed(translated.tensors, fused, default=True, uses_fan_in=False)
    elif fused is not None:
        raise _shown_by("names of the tensors")
    known = lod is not None and lod.numel() == 1 and not lod.is_complex()
    return translated, float(lod) if known and lod is not None else 0.0, assumed


def _shown_by(what: str) -> CheckpointError:
    """Return the error for a config that says what the file shows."""
    return CheckpointError(
        f"fused_scale is configured, but the {what} show whether upsampling is fused; leave it out"
    )


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


def _convert_transposed(
    tensors: dict[str, Tensor], fused: bool | None, *, default: bool, uses_fan_in: bool
) -> tuple[str, ...]:
    """Convert transposed convolutions (I, O, 3, 3) of stride 2 to convolutions (O, I, 3, 3) after upsampling.

    Args:
        tensors: changed in place.
        fused: whether the convolutions are transposed, if all widths are equal, so that shapes do not show
            it.
        default: what is assumed where `fused` is None.
        uses_fan_in: whether the layout scales a transposed weight by 1 / sqrt(9 I). MMGeneration takes
            1 / sqrt(9 O), so its weights are multiplied by sqrt(I / O).

    Returns:
        A sentence if it is assumed.

    Raises:
        CheckpointError: shapes show it, and `fused` is given.
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
    if fused is not None and (transposed is not None or not ups):
        raise _shown_by("shapes of the tensors")
    assumed = (
        (
            "all widths are equal, so the file does not show whether upsampling is fused: it is taken "
            f"{'to be' if default else 'not to be'} (config: fused_scale)",
        )
        if ups and transposed is None and fused is None
        else ()
    )
    if transposed is None:
        transposed = default if fused is None else fused
    if not transposed:
        return assumed
    for i in ups:
        weight = tensors[f"layers.{i}.weight"]
        if weight.ndim == 4 and weight.numel():
            converted = weight.transpose(0, 1).flip(2, 3)  # (O, I, 3, 3)
            outputs, inputs = converted.shape[:2]
            tensors[f"layers.{i}.weight"] = (
                converted if uses_fan_in else converted * math.sqrt(inputs / outputs)
            )
    return assumed


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
