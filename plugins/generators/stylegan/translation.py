"""Choose the tensors of a StyleGAN that are used, and check those that must have one value."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import torch
from torch import Tensor

from ....core.errors import CheckpointError
from ....core.messages import quantity
from ..shared.layouts import Layout, Translated
from ..shared.mapping import GAIN
from ..shared.unstored import depth_assumption, last_trained, level_of
from .network import binomial
from .pytorch_layouts import ROSINALITY, times


def of_level(name: str) -> tuple[str, ...]:
    """Return the name of an output once select_level() has chosen its level, and other names as given.

    >>> of_level("outputs.lod0.bias")
    ('synthesis.output.bias',)
    """
    return (re.sub(r"^outputs\.(lod)?\d+\.", "synthesis.output.", name),)


def select_level(
    layout: Layout, translated: Translated, depth: int | None
) -> tuple[Translated, tuple[str, ...]]:
    """Check and drop the level of detail and usual low-pass filters, and keep the output of one level.

    This is the top level, the one that the config asks for, or with rosinality's names the last one whose
    output was trained. The layers above it are dropped.

    Args:
        layout: of the file.
        translated: the translated state dict.
        depth: that of the config: binary logarithm of the size of the pictures; None if it says nothing.

    Returns:
        The tensors that are used, and what is assumed about the level.

    Raises:
        CheckpointError: the network was saved while it was growing, has a filter of another size, or no
            output at `depth`.
    """
    tensors, origin = dict(translated.tensors), dict(translated.origin)
    top = sum(bool(re.fullmatch(r"synthesis\.layers\.\d+\.bias", name)) for name in tensors) // 2 - 1
    outputs: dict[int, dict[str, str]] = {}  # names of the parameters of each output, by level
    for name in list(tensors):
        kind, _, rest = name.partition(".")
        if kind == "lod":
            lod = tensors.pop(name)
            if depth is None:
                _check_lod(lod)
        elif kind == "blur":
            _keep_filter(tensors, name, origin)
        elif kind == "outputs":
            number, _, parameter = rest.partition(".")
            level = top - int(number[3:]) if number.startswith("lod") else int(number)
            if 0 <= level <= top:
                outputs.setdefault(level, {})[parameter] = name
    biases = {level: tensors[names["bias"]] for level, names in outputs.items() if "bias" in names}
    chosen: int = top
    assumptions: tuple[str, ...] = ()
    if depth is not None:
        if not outputs and "synthesis.output.bias" in tensors:  # converted: the output has lost its number
            biases = {top: tensors["synthesis.output.bias"]}
        chosen = level_of(depth, biases, "StyleGAN")
    elif layout is ROSINALITY:
        chosen = last_trained(biases, top)
        assumptions = (depth_assumption("StyleGAN", chosen, top),)
    for level, names in outputs.items():
        for parameter, name in names.items():
            tensor = tensors.pop(name)
            if level == chosen:
                tensors[f"synthesis.output.{parameter}"] = tensor
                origin[f"synthesis.output.{parameter}"] = origin[name]
    kept = {name: tensor for name, tensor in tensors.items() if _level_of(name) <= chosen}
    filters = sum(name.endswith(".blur") for name in kept)
    if filters:
        assumptions += (
            f"the stored low-pass filter of {quantity(filters, 'layer')} is used; it is not the "
            "usual [1, 2, 1]",
        )
    return replace(translated, tensors=kept, origin=origin), assumptions


def _level_of(name: str) -> int:
    """Return the level of a layer's tensor; 0 for other tensors."""
    match = re.match(r"synthesis\.layers\.(\d{1,4})\.", name)
    return int(match[1]) // 2 if match else 0


def undo_scales(tensors: dict[str, Tensor]) -> None:
    """Divide weights by the constants by which network.py multiplies them, for networks without these.

    Args:
        tensors: by the names used here; changed in place.
    """
    for name, weight in tensors.items():
        if name.endswith(".weight") and weight.ndim > 1 and weight.numel():
            gain = 1.0 if ".affine." in name or ".output." in name else GAIN
            tensors[name] = times(weight, math.sqrt(weight[0].numel()) / gain)


def _check_lod(lod: Tensor) -> None:
    """Check that the level of detail is 0, as in a fully grown network."""
    if lod.numel() != 1:
        raise CheckpointError(
            f"the level of detail stored in the file has the shape {tuple(lod.shape)}, "
            "expected a single number"
        )
    if float(lod) != 0.0:
        raise CheckpointError(
            "this StyleGAN was saved while it was still growing: "
            f"its level of detail (lod) is {float(lod):g}; only fully grown networks, with 0, are supported"
        )


def _keep_filter(tensors: dict[str, Tensor], name: str, origin: dict[str, str]) -> None:
    """Drop a stored low-pass filter (1 or C, 1, 3, 3) if it is the binomial one, else keep it with its layer.

    Raises:
        CheckpointError: it is of another size.
    """
    kernel = tensors.pop(name)
    if kernel.ndim != 4 or kernel.shape[1:] != (1, 3, 3) or kernel.is_complex():
        raise CheckpointError(
            f"{origin[name]} has the shape {tuple(kernel.shape)}; a low-pass filter of 3x3 is supported"
        )
    layer = f"synthesis.layers.{name.partition('.')[2]}"
    if torch.allclose(kernel.float(), binomial().expand(kernel.shape), atol=1e-4):
        return
    bias = tensors.get(f"{layer}.bias")
    alike = kernel.shape[0] == 1 and bias is not None and bias.ndim == 1
    tensors[f"{layer}.blur"] = kernel.expand(bias.shape[0], 1, 3, 3) if alike and bias is not None else kernel
    origin[f"{layer}.blur"] = origin[name]
