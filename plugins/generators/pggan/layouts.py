"""The names under which ProgressiveGAN is published, each with the rules that lead to ours.

Ours are `layers.{i}.weight` (O, I, k, k), the first a 4x4 convolution, `outputs.{level}.weight` and the
biases; upsampling is always apart from the convolution. Two things a rule cannot know are left to
translation.py: TensorFlow counts the outputs from the top (`outputs.lod{k}`), and GenForce and
MMGeneration store convolutions with and without upsampling under the same name.
"""

from __future__ import annotations

import re

from torch import Tensor

from ..shared.layouts import Layout, Naming, Rule


def _dense(weight: Tensor) -> Tensor:
    """TensorFlow's first layer (Z, 16 C) as a 4x4 convolution (C, Z, 4, 4) that meets one pixel."""
    return (
        weight.view(weight.shape[0], -1, 4, 4).permute(1, 0, 2, 3).flip(2, 3)
        if weight.ndim == 2 and weight.shape[1] % 16 == 0
        else weight
    )


def _matrix(weight: Tensor) -> Tensor:
    return _dense(weight.t()) if weight.ndim == 2 else weight


def _from_tensorflow(weight: Tensor) -> Tensor:
    return weight.permute(3, 2, 0, 1) if weight.ndim == 4 else weight


def _fused_tensorflow(weight: Tensor) -> Tensor:
    """A transposed convolution (k, k, O, I) as the convolution that follows nearest-neighbour upsampling."""
    return weight.permute(2, 3, 0, 1).flip(2, 3) if weight.ndim == 4 else weight


def _fused_higan(weight: Tensor) -> Tensor:
    """The same stored as (k, k, I, O)."""
    return weight.permute(3, 2, 0, 1).flip(2, 3) if weight.ndim == 4 else weight


def _level(size: str) -> int:
    return int(size).bit_length() - 3


def _numbered(second: int, what: str) -> Naming:
    """The name for group 1, a size in pixels: layer 2 level + second."""

    def name(match: re.Match[str]) -> str:
        return f"layers.{2 * _level(match[1]) + second}.{what}"

    return name


OWN = Layout(
    "ganstrata",
    signature=(r"layers\.0\.weight", r"layers\.1\.bias", r"outputs\.\d+\.weight"),
    rules=(Rule(r"((layers|outputs)\.\d+\.(weight|bias))", r"\1"),),
)

HIGAN = Layout(
    "HiGAN and InterFaceGAN",
    signature=(r"layer0\.conv\.weight", r"layer0\.wscale\.bias", r"output\d+\.conv\.weight"),
    rules=(
        Rule(r"layer(\d+)\.conv\.weight", r"layers.\1.weight"),
        Rule(r"layer(\d+)\.weight", r"layers.\1.weight", _fused_higan),
        Rule(r"layer(\d+)\.wscale\.bias", r"layers.\1.bias"),
        Rule(r"output(\d+)\.conv\.weight", r"outputs.\1.weight"),
        Rule(r"output(\d+)\.wscale\.bias", r"outputs.\1.bias"),
        Rule(r"lod", "lod"),
    ),
)

GENFORCE = Layout(
    "GenForce",
    signature=(r"layer0\.weight", r"layer1\.bias", r"output\d+\.weight"),
    absent=(r"input\d+\..*", r".*\.wscale\..*"),
    rules=(
        Rule(r"layer(\d+)\.(weight|bias)", r"layers.\1.\2"),
        Rule(r"output(\d+)\.(weight|bias)", r"outputs.\1.\2"),
        Rule(r"lod", "lod"),
    ),
)

TENSORFLOW = Layout(
    "NVIDIA TensorFlow",
    signature=(r"4x4/Dense/weight", r"4x4/Conv/weight", r"ToRGB_lod\d+/weight"),
    absent=(r".*/StyleMod/.*", r"FromRGB_lod\d+/.*"),
    rules=(
        Rule(r"4x4/Dense/weight", "layers.0.weight", _dense),
        Rule(r"4x4/Dense/bias", "layers.0.bias"),
        Rule(r"4x4/Conv/weight", "layers.1.weight", _from_tensorflow),
        Rule(r"4x4/Conv/bias", "layers.1.bias"),
        Rule(r"(\d+)x\d+/Conv0/weight", _numbered(0, "weight"), _from_tensorflow),
        Rule(r"(\d+)x\d+/Conv0_up/weight", _numbered(0, "weight"), _fused_tensorflow),
        Rule(r"(\d+)x\d+/Conv0(?:_up)?/bias", _numbered(0, "bias")),
        Rule(r"(\d+)x\d+/Conv1/weight", _numbered(1, "weight"), _from_tensorflow),
        Rule(r"(\d+)x\d+/Conv1/bias", _numbered(1, "bias")),
        Rule(r"ToRGB_lod(\d+)/weight", r"outputs.lod\1.weight", _from_tensorflow),
        Rule(r"ToRGB_lod(\d+)/bias", r"outputs.lod\1.bias"),
        Rule(r"lod", "lod"),
    ),
)


def _mmgeneration(name: str, prefix: str, others: str, absent: tuple[str, ...]) -> Layout:
    return Layout(
        name,
        signature=(
            prefix + r"noise2feat\.linear\.weight_orig",
            prefix + r"torgb_layers\.0\.conv\.weight_orig",
        ),
        absent=absent,
        rules=(
            Rule(prefix + r"noise2feat\.linear\.weight_orig", "layers.0.weight", _matrix),
            Rule(prefix + r"noise2feat\.bias", "layers.0.bias", lambda bias: bias.flatten()),
            Rule(
                prefix + r"conv_blocks\.(\d+)\.conv\.weight_orig", lambda m: f"layers.{int(m[1]) + 1}.weight"
            ),
            Rule(prefix + r"conv_blocks\.(\d+)\.conv\.bias", lambda m: f"layers.{int(m[1]) + 1}.bias"),
            Rule(prefix + r"torgb_layers\.(\d+)\.conv\.weight_orig", r"outputs.\1.weight"),
            Rule(prefix + r"torgb_layers\.(\d+)\.conv\.bias", r"outputs.\1.bias"),
            Rule(rf"({others})\..*", None),
            Rule(
                r"shown_nkimg|_curr_transition_weight|_next_scale_int|_curr_scale_int", None
            ),  # where training stands
        ),
    )


MMGENERATION = _mmgeneration("MMGeneration", r"(?:generator\.)?", "discriminator", (r"generator_ema\..*",))
MMGENERATION_AVERAGE = _mmgeneration(
    "MMGeneration, moving average", r"generator_ema\.", "generator|discriminator", ()
)

LAYOUTS = (OWN, HIGAN, GENFORCE, TENSORFLOW, MMGENERATION_AVERAGE, MMGENERATION)
MATRICES = (TENSORFLOW, MMGENERATION_AVERAGE, MMGENERATION)  # store the first layer as a matrix
