"""Define the layouts in which ProgressiveGAN is published, with rules that translate their tensor names.

The names used here are `layers.{i}.weight` (O, I, k, k), of which the first is a 4x4 convolution,
`outputs.{level}.weight`, and the biases. Upsampling is separate from the convolution.

What names do not resolve is left to translation.py: TensorFlow counts the outputs from the top
(`outputs.lod{k}`); GenForce and MMGeneration store ordinary and transposed convolutions under the same names;
and some scale weights and biases by other constants than NVIDIA.
"""

from __future__ import annotations

import re

from torch import Tensor

from ..shared.layouts import Layout, Naming, Rule


def _dense(weight: Tensor) -> Tensor:
    """Return TensorFlow's first layer (Z, 16 C) as a 4x4 convolution (C, Z, 4, 4) of one pixel."""
    return (
        weight.view(weight.shape[0], -1, 4, 4).permute(1, 0, 2, 3).flip(2, 3)
        if weight.ndim == 2 and weight.shape[1] % 16 == 0
        else weight
    )


def _dense_transposed(weight: Tensor) -> Tensor:
    """Return a first layer stored as a matrix (16 C, Z) as a 4x4 convolution (C, Z, 4, 4)."""
    return _dense(weight.t()) if weight.ndim == 2 else weight


def _per_pixel(bias: Tensor) -> Tensor:
    """Return the bias (16 C,) of a first layer stored as a matrix, which differs from pixel to pixel."""
    return bias.view(-1, 4, 4) if bias.ndim == 1 and bias.numel() % 16 == 0 else bias


def _deconvolution(weight: Tensor) -> Tensor:
    """Return a transposed convolution (Z, C, 4, 4) of one pixel as a convolution (C, Z, 4, 4)."""
    return weight.transpose(0, 1).flip(2, 3) if weight.ndim == 4 else weight


def _from_tensorflow(weight: Tensor) -> Tensor:
    """Reorder a convolution from (k, k, I, O) to (O, I, k, k)."""
    return weight.permute(3, 2, 0, 1) if weight.ndim == 4 else weight


def _fused_tensorflow(weight: Tensor) -> Tensor:
    """Return a transposed convolution (k, k, O, I) as a convolution (O, I, k, k) after upsampling."""
    return weight.permute(2, 3, 0, 1).flip(2, 3) if weight.ndim == 4 else weight


def _fused_higan(weight: Tensor) -> Tensor:
    """Return a transposed convolution (k, k, I, O) as a convolution (O, I, k, k) after upsampling."""
    return weight.permute(3, 2, 0, 1).flip(2, 3) if weight.ndim == 4 else weight


def _level(size: str) -> int:
    """Return the level of a size in pixels: 0 for 4, 1 for 8."""
    return int(size).bit_length() - 3


def _layer_name(position: int, parameter: str) -> Naming:
    """Return a naming for the layer at `position`, 0 or 1, of the level whose size is group 1."""

    def name(match: re.Match[str]) -> str:
        return f"layers.{2 * _level(match[1]) + position}.{parameter}"

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
        Rule(r"(\d+)x\d+/Conv0/weight", _layer_name(0, "weight"), _from_tensorflow),
        Rule(r"(\d+)x\d+/Conv0_up/weight", _layer_name(0, "weight"), _fused_tensorflow),
        Rule(r"(\d+)x\d+/Conv0(?:_up)?/bias", _layer_name(0, "bias")),
        Rule(r"(\d+)x\d+/Conv1/weight", _layer_name(1, "weight"), _from_tensorflow),
        Rule(r"(\d+)x\d+/Conv1/bias", _layer_name(1, "bias")),
        Rule(r"ToRGB_lod(\d+)/weight", r"outputs.lod\1.weight", _from_tensorflow),
        Rule(r"ToRGB_lod(\d+)/bias", r"outputs.lod\1.bias"),
        Rule(r"lod", "lod"),
    ),
)


def _mmgeneration(name: str, prefix: str, ignored: str, absent: tuple[str, ...]) -> Layout:
    """Return the layout of the network whose names have `prefix`; names in `ignored` networks are skipped."""
    return Layout(
        name,
        signature=(
            prefix + r"noise2feat\.linear\.weight_orig",
            prefix + r"torgb_layers\.0\.conv\.weight_orig",
        ),
        absent=absent,
        rules=(
            Rule(prefix + r"noise2feat\.linear\.weight_orig", "layers.0.weight", _dense_transposed),
            Rule(prefix + r"noise2feat\.bias", "layers.0.bias", lambda bias: bias.flatten()),
            Rule(
                prefix + r"conv_blocks\.(\d+)\.conv\.weight_orig", lambda m: f"layers.{int(m[1]) + 1}.weight"
            ),
            Rule(prefix + r"conv_blocks\.(\d+)\.conv\.bias", lambda m: f"layers.{int(m[1]) + 1}.bias"),
            Rule(prefix + r"torgb_layers\.(\d+)\.conv\.weight_orig", r"outputs.\1.weight"),
            Rule(prefix + r"torgb_layers\.(\d+)\.conv\.bias", r"outputs.\1.bias"),
            Rule(rf"({ignored})\..*", None),
            # Counters of training progress.
            Rule(r"shown_nkimg|_curr_transition_weight|_next_scale_int|_curr_scale_int", None),
        ),
    )


MMGENERATION = _mmgeneration("MMGeneration", r"(?:generator\.)?", "discriminator", (r"(\w+_)?ema\..*",))
MMGENERATION_AVERAGE = _mmgeneration(
    "MMGeneration, moving average", r"generator_ema\.", "generator|discriminator", ()
)

# Older versions of the zoo leave out `.module`.
GAN_ZOO = Layout(
    "PyTorch GAN Zoo",
    signature=(
        r"formatLayer\.(module\.)?weight",
        r"groupScale0\.0\.(module\.)?weight",
        r"toRGBLayers\.0\.(module\.)?weight",
    ),
    rules=(
        Rule(r"formatLayer\.(?:module\.)?weight", "layers.0.weight", _dense_transposed),
        Rule(r"formatLayer\.(?:module\.)?bias", "layers.0.bias", _per_pixel),
        Rule(r"groupScale0\.0\.(?:module\.)?(weight|bias)", r"layers.1.\1"),
        Rule(
            r"scaleLayers\.(\d{1,2})\.([01])\.(?:module\.)?(weight|bias)",
            lambda m: f"layers.{2 * int(m[1]) + 2 + int(m[2])}.{m[3]}",
        ),
        Rule(r"toRGBLayers\.(\d{1,2})\.(?:module\.)?(weight|bias)", r"outputs.\1.\2"),
    ),
)


def _pro_gan(name: str, first: str, below: int, absent: tuple[str, ...] = ()) -> Layout:
    """Return a layout of pro_gan_pytorch.

    Args:
        name: of the layout.
        first: pattern of the first block.
        below: level of the block `layers.0`.
        absent: patterns that no name may match.
    """
    return Layout(
        name,
        signature=(first + r"\.conv_1\.weight", first + r"\.conv_2\.bias", r"rgb_converters\.0\.weight"),
        absent=absent,
        rules=(
            Rule(first + r"\.conv_1\.weight", "layers.0.weight", _deconvolution),
            Rule(first + r"\.conv_([12])\.(weight|bias)", lambda m: f"layers.{int(m[1]) - 1}.{m[2]}"),
            Rule(
                r"layers\.(\d{1,2})\.conv_([12])\.(weight|bias)",
                lambda m: f"layers.{2 * (int(m[1]) + below) + int(m[2]) - 1}.{m[3]}",
            ),
            Rule(r"rgb_converters\.(\d{1,2})\.(weight|bias)", r"outputs.\1.\2"),
        ),
    )


PRO_GAN = _pro_gan("pro_gan_pytorch", r"layers\.0", 0, (r"initial_block\..*",))
PRO_GAN_OLD = _pro_gan("pro_gan_pytorch, before version 3", r"initial_block", 1)

LAYOUTS = (
    OWN,
    HIGAN,
    GENFORCE,
    TENSORFLOW,
    MMGENERATION_AVERAGE,
    MMGENERATION,
    GAN_ZOO,
    PRO_GAN,
    PRO_GAN_OLD,
)
MATRICES = (TENSORFLOW, MMGENERATION_AVERAGE, MMGENERATION, GAN_ZOO)  # store the first layer as a matrix
GROWN = (PRO_GAN, PRO_GAN_OLD)  # store levels that may not be trained yet
