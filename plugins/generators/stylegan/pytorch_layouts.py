"""Define the layouts of two reimplementations of StyleGAN in PyTorch, with scales and biases of their own.

`rescale` turns their weights into those that give the same with the scales of network.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..shared.layouts import Layout, Rule


def _single(const: Tensor) -> Tensor:
    """Return a constant (1, C, 4, 4) as (C, 4, 4)."""
    return const[0] if const.ndim == 4 and const.shape[0] == 1 else const


def _flat(tensor: Tensor) -> Tensor:
    return tensor.flatten()


def _fused(weight: Tensor) -> Tensor:
    """Return rosinality's transposed convolution (I, O, 3, 3) as a convolution (O, I, 3, 3) after upsampling.

    It takes the mean of the four shifted copies of a weight; fuse_upsampling() takes the sum.
    """
    return times(weight.transpose(0, 1).flip(2, 3), 0.25)


_BLOCK = r"generator\.progression\.(\d{1,2})\."


ROSINALITY = Layout(
    "rosinality, style-based-gan-pytorch",
    signature=(
        r"style\.1\.linear\.weight_orig",
        r"generator\.progression\.0\.conv1\.input",
        r"generator\.progression\.0\.adain1\.style\.linear\.weight_orig",
    ),
    # Files of the first versions have this name: an upsampling and an order of operations that no name shows.
    absent=(r"generator\.progression\.\d+\.conv1\.conv\.weight_orig",),
    rules=(
        Rule(
            r"style\.(\d?[13579])\.linear\.(weight|bias)(?:_orig)?",
            lambda m: f"mapping.layers.{int(m[1]) // 2}.{m[2]}",
        ),
        Rule(r"generator\.progression\.0\.conv1\.input", "synthesis.const", _single),
        Rule(_BLOCK + r"conv1\.0\.weight", lambda m: f"synthesis.layers.{2 * int(m[1])}.weight", _fused),
        Rule(
            _BLOCK + r"conv1\.(?:0|1\.conv)\.(weight|bias)(?:_orig)?",
            lambda m: f"synthesis.layers.{2 * int(m[1])}.{m[2]}",
        ),
        Rule(
            _BLOCK + r"conv2\.conv\.(weight|bias)(?:_orig)?",
            lambda m: f"synthesis.layers.{2 * int(m[1]) + 1}.{m[2]}",
        ),
        Rule(_BLOCK + r"conv1\.[12]\.weight", lambda m: f"blur.{2 * int(m[1])}"),
        Rule(_BLOCK + r"conv1\.[12]\.weight_flip", None),  # for gradients
        Rule(
            _BLOCK + r"noise([12])\.weight_orig",
            lambda m: f"synthesis.layers.{2 * int(m[1]) + int(m[2]) - 1}.noise_strength",
            _flat,
        ),
        Rule(
            _BLOCK + r"adain([12])\.style\.linear\.(weight|bias)(?:_orig)?",
            lambda m: f"synthesis.layers.{2 * int(m[1]) + int(m[2]) - 1}.affine.{m[3]}",
        ),
        Rule(r"generator\.to_rgb\.(\d{1,2})\.conv\.(weight|bias)(?:_orig)?", r"outputs.\1.\2"),
    ),
)

_MODULE = r"(?:module\.)?"  # older versions of the zoo leave it out

GAN_ZOO = Layout(
    "PyTorch GAN Zoo",
    signature=(
        rf"mapping\.FC\.0\.{_MODULE}weight",
        r"baseScale0",
        rf"adain00\.styleModulator\.{_MODULE}weight",
    ),
    rules=(
        Rule(rf"mapping\.FC\.(\d{{1,3}})\.{_MODULE}(weight|bias)", r"mapping.layers.\1.\2"),
        Rule(r"mean_w", "mapping.w_avg", _flat),
        Rule(r"baseScale0", "synthesis.const", _single),
        Rule(rf"conv0\.{_MODULE}(weight|bias)", r"synthesis.layers.1.\1"),
        Rule(r"noiseMod0([01])\.module\.weight", r"synthesis.layers.\1.noise_strength", _flat),
        Rule(rf"adain0([01])\.styleModulator\.{_MODULE}(weight|bias)", r"synthesis.layers.\1.affine.\2"),
        Rule(
            rf"scaleLayers\.(\d{{1,2}})\.([02])\.{_MODULE}(weight|bias)",
            lambda m: f"synthesis.layers.{2 * int(m[1]) + 2 + int(m[2]) // 2}.{m[3]}",
        ),
        Rule(
            rf"scaleLayers\.(\d{{1,2}})\.([13])\.styleModulator\.{_MODULE}(weight|bias)",
            lambda m: f"synthesis.layers.{2 * int(m[1]) + 2 + int(m[2]) // 2}.affine.{m[3]}",
        ),
        Rule(
            r"noiseModulators\.(\d{1,2})\.([01])\.module\.weight",
            lambda m: f"synthesis.layers.{2 * int(m[1]) + 2 + int(m[2])}.noise_strength",
            _flat,
        ),
        Rule(
            rf"toRGBLayers\.(\d{{1,2}})\.{_MODULE}(weight|bias)", lambda m: f"outputs.{int(m[1]) + 1}.{m[2]}"
        ),
    ),
)


def rescale(layout: Layout, tensors: dict[str, Tensor]) -> None:
    """Change tensors so that the network of this package computes what the layout's own code computes.

    Both libraries scale all weights by sqrt(2 / fan-in), also those of affine maps and outputs, which are
    scaled by sqrt(1 / fan-in) here. The zoo scales biases by the same constant. rosinality scales the
    strength of noise by sqrt(2 / C). Both add noise to the learned constant without a bias, and their
    affine maps give the scale itself instead of the scale minus 1.

    Args:
        layout: ROSINALITY or GAN_ZOO; with another one nothing is done.
        tensors: by the names used here; changed in place.
    """
    if layout not in (ROSINALITY, GAN_ZOO):
        return
    const = tensors.get("synthesis.const")
    if const is not None and const.ndim and const.numel():
        tensors.setdefault("synthesis.layers.0.bias", torch.zeros(const.shape[0]))
    for name in list(tensors):
        tensor, stem = tensors[name], name.rpartition(".")[0]
        if name.endswith(".weight") and tensor.ndim > 1 and tensor.numel():
            bias = tensors.get(f"{stem}.bias")
            if layout is GAN_ZOO and bias is not None:
                tensors[f"{stem}.bias"] = times(bias, math.sqrt(2.0 / tensor[0].numel()))
            if stem.endswith(".affine") or stem.startswith("outputs."):
                tensors[name] = times(tensor, math.sqrt(2.0))
        elif name.endswith(".noise_strength"):
            tensors[name] = _strength(layout, tensor, tensors.get(f"{stem}.bias"))
    for name in [name for name in tensors if name.endswith(".affine.bias")]:
        tensors[name] = _minus_one(tensors[name])


def _strength(layout: Layout, strength: Tensor, bias: Tensor | None) -> Tensor:
    """Return the strength of noise of each channel (C,), also where the zoo stores one number for all."""
    if layout is GAN_ZOO:
        alike = strength.numel() == 1 and bias is not None and bias.ndim == 1
        return strength.expand(bias.shape[0]) if alike and bias is not None else strength
    return times(strength, math.sqrt(2.0 / max(1, strength.numel())))


def _minus_one(bias: Tensor) -> Tensor:
    """Return biases (2 C,) of scales and shifts, with 1 taken off those of the scales."""
    if bias.ndim != 1 or bias.is_complex():
        return bias
    return bias.float() - (torch.arange(bias.shape[0]) < bias.shape[0] // 2).float()


def times(tensor: Tensor, factor: float) -> Tensor:
    """Return a tensor times a factor in float32; one of complex numbers, which no network has, unchanged."""
    return tensor if tensor.is_complex() else tensor.float() * factor
