"""Define the layouts in which StyleGAN is published, with rules that translate their tensor names.

The names used here are those of network.Network. A convolution is (O, I, 3, 3) and separate from upsampling,
also where the file stores them fused.

Three more names are left to architecture.py: `lod`; the stored low-pass filters, `blur.{layer}`; and
`outputs.{level}` (or `outputs.lod{k}`, counted from the top), of which only the top level is used.
"""

from __future__ import annotations

import re

from torch import Tensor

from ..shared.layouts import TRUNCATION, Layout, Naming, Rule
from .pytorch_layouts import GAN_ZOO, ROSINALITY

FUSED_FROM = 128  # resolution from which upsampling is fused, unless the file stores another
SIZES = tuple(2**i for i in range(3, 13))


def _plane(noise: Tensor) -> Tensor:
    """Return noise (1, 1, H, W) as (H, W)."""
    return noise[0, 0] if noise.ndim == 4 and noise.shape[:2] == (1, 1) else noise


def _single(const: Tensor) -> Tensor:
    """Return a constant (1, C, 4, 4) as (C, 4, 4)."""
    return const[0] if const.ndim == 4 and const.shape[0] == 1 else const


def _mean(w: Tensor) -> Tensor:
    """Return a mean w of any shape as (D,)."""
    return w.flatten()


def _transposed(weight: Tensor) -> Tensor:
    """Return TensorFlow's dense weights (I, O) as (O, I)."""
    return weight.t() if weight.ndim == 2 else weight


def _from_tensorflow(weight: Tensor) -> Tensor:
    """Return TensorFlow's convolution (k, k, I, O) as (O, I, k, k)."""
    return weight.permute(3, 2, 0, 1)


def _unfused(weight: Tensor) -> Tensor:
    """Return a fused convolution (O, I, 3, 3) as the equivalent one after nearest-neighbour upsampling."""
    return weight.flip(2, 3)


def _unfused_tensorflow(weight: Tensor) -> Tensor:
    """Return a fused convolution (3, 3, I, O) as the equivalent one (O, I, 3, 3) after upsampling."""
    return _unfused(_from_tensorflow(weight))


def _layer(size: str, second: bool) -> int:
    """Return the number of the first or second layer of a size in pixels."""
    return 2 * (int(size).bit_length() - 3) + second


def _sized(second: bool, parameter: str) -> Naming:
    """Return a naming for a parameter of the first or second layer of the size that is group 1.

    `parameter` may refer to further groups.
    """

    def name(match: re.Match[str]) -> str:
        return f"synthesis.layers.{_layer(match[1], second)}.{match.expand(parameter)}"

    return name


OWN = Layout(
    "ganstrata",
    signature=(r"mapping\.layers\.0\.weight", r"synthesis\.const", r"synthesis\.layers\.0\.affine\.weight"),
    rules=(
        Rule(r"(mapping\.(?:layers\.\d+\.(?:weight|bias)|labels|w_avg))", r"\1"),
        Rule(
            r"(synthesis\.layers\.\d+\."
            r"(?:weight|bias|noise_strength|noise_const|blur|affine\.weight|affine\.bias))",
            r"\1",
        ),
        Rule(r"(synthesis\.(?:const|output\.(?:weight|bias)))", r"\1"),
    ),
)

# InterFaceGAN calls `fc` `linear`, and `const` `first_layer`.
HIGAN = Layout(
    "HiGAN, InterFaceGAN and idinvert",
    signature=(
        r"mapping\.dense0\.(fc|linear)\.weight",
        r"synthesis\.layer0\.epilogue\.style_mod\.dense\.(fc|linear)\.weight",
    ),
    rules=(
        Rule(r"mapping\.dense(\d+)\.(?:fc|linear)\.weight", r"mapping.layers.\1.weight"),
        Rule(r"mapping\.dense(\d+)\.wscale\.bias", r"mapping.layers.\1.bias"),
        Rule(r"mapping\.label_weight", "mapping.labels"),
        Rule(r"truncation\.w_avg", "mapping.w_avg", _mean),
        Rule(r"truncation\.truncation", None, note=TRUNCATION),
        Rule(r"synthesis\.lod", "lod"),
        Rule(r"synthesis\.layer0\.(?:const|first_layer)", "synthesis.const", _single),
        Rule(r"synthesis\.layer(\d+)\.conv\.weight", r"synthesis.layers.\1.weight"),
        Rule(r"synthesis\.layer(\d+)\.weight", r"synthesis.layers.\1.weight", _unfused_tensorflow),
        Rule(r"synthesis\.layer(\d+)\.blur\.kernel", r"blur.\1"),
        Rule(r"synthesis\.layer(\d+)\.epilogue\.bias", r"synthesis.layers.\1.bias"),
        Rule(r"synthesis\.layer(\d+)\.epilogue\.apply_noise\.weight", r"synthesis.layers.\1.noise_strength"),
        Rule(
            r"synthesis\.layer(\d+)\.epilogue\.apply_noise\.noise", r"synthesis.layers.\1.noise_const", _plane
        ),
        Rule(
            r"synthesis\.layer(\d+)\.epilogue\.style_mod\.dense\.(?:fc|linear)\.weight",
            r"synthesis.layers.\1.affine.weight",
        ),
        Rule(
            r"synthesis\.layer(\d+)\.epilogue\.style_mod\.dense\.wscale\.bias",
            r"synthesis.layers.\1.affine.bias",
        ),
        Rule(r"synthesis\.output(\d{1,4})\.conv\.weight", r"outputs.\1.weight"),
        Rule(r"synthesis\.output(\d{1,4})\.bias", r"outputs.\1.bias"),
    ),
)


def _genforce(fused_from: int) -> Layout:
    fused = "|".join(str(_layer(str(size), second=False)) for size in SIZES if size >= fused_from) or "none"
    return Layout(
        "GenForce and SeFa",
        signature=(
            r"mapping\.dense0\.weight",
            r"synthesis\.layer0\.const",
            r"synthesis\.layer0\.style\.weight",
        ),
        rules=(
            Rule(r"mapping\.dense(\d+)\.(weight|bias)", r"mapping.layers.\1.\2"),
            Rule(r"mapping\.label_weight", "mapping.labels"),
            Rule(r"truncation\.w_avg", "mapping.w_avg", _mean),
            Rule(r"synthesis\.lod", "lod"),
            Rule(r"synthesis\.layer0\.const", "synthesis.const", _single),
            Rule(rf"synthesis\.layer({fused})\.weight", r"synthesis.layers.\1.weight", _unfused),
            Rule(r"synthesis\.layer(\d+)\.(weight|bias)", r"synthesis.layers.\1.\2"),
            Rule(r"synthesis\.layer(\d+)\.blur\.kernel", r"blur.\1"),
            Rule(r"synthesis\.layer(\d+)\.apply_noise\.weight", r"synthesis.layers.\1.noise_strength"),
            Rule(r"synthesis\.layer(\d+)\.apply_noise\.noise", r"synthesis.layers.\1.noise_const", _plane),
            Rule(r"synthesis\.layer(\d+)\.style\.(weight|bias)", r"synthesis.layers.\1.affine.\2"),
            Rule(r"synthesis\.output(\d{1,4})\.(weight|bias)", r"outputs.\1.\2"),
        ),
    )


def _tensorflow(name: str, fused_from: int, mapping: str = "", synthesis: str = "") -> Layout:
    """Return the layout of NVIDIA's variables, with prefixes for those of the mapping and the synthesis."""
    fused = "|".join(str(size) for size in SIZES if size >= fused_from) or "none"
    layers = (
        ("4", "Const", False),
        ("4", "Conv", True),
        (r"\d{1,5}", "Conv0_up", False),
        (r"\d{1,5}", "Conv1", True),
    )
    rules = [
        Rule(mapping + r"Dense(\d+)/weight", r"mapping.layers.\1.weight", _transposed),
        Rule(mapping + r"Dense(\d+)/bias", r"mapping.layers.\1.bias"),
        Rule(mapping + r"LabelConcat/weight", "mapping.labels"),
        Rule(r"dlatent_avg", "mapping.w_avg", _mean),
        Rule(synthesis + r"lod", "lod"),
        Rule(synthesis + r"noise(\d+)", r"synthesis.layers.\1.noise_const", _plane),
        Rule(synthesis + r"4x\d+/Const/const", "synthesis.const", _single),
        Rule(synthesis + rf"({fused})x\d+/Conv0_up/weight", _sized(False, "weight"), _unfused_tensorflow),
        Rule(synthesis + r"ToRGB_lod(\d{1,4})/weight", r"outputs.lod\1.weight", _from_tensorflow),
        Rule(synthesis + r"ToRGB_lod(\d{1,4})/bias", r"outputs.lod\1.bias"),
    ]
    for size, operation, second in layers:
        start = rf"{synthesis}({size})x\d+/{operation}/"
        rules += [
            Rule(start + "weight", _sized(second, "weight"), _from_tensorflow),
            Rule(start + "bias", _sized(second, "bias")),
            Rule(start + "Noise/weight", _sized(second, "noise_strength")),
            Rule(start + "StyleMod/weight", _sized(second, "affine.weight"), _transposed),
            Rule(start + "StyleMod/bias", _sized(second, "affine.bias")),
        ]
    return Layout(
        name,
        signature=(mapping + r"Dense0/weight", synthesis + r"4x\d+/Const/StyleMod/weight"),
        rules=tuple(rules),
    )


def _lernapparat(fused_from: int) -> Layout:
    fused = "|".join(str(size) for size in SIZES if size >= fused_from) or "none"
    start = r"g_synthesis\.blocks\."
    rules = [
        Rule(r"g_mapping\.dense(\d+)\.(weight|bias)", r"mapping.layers.\1.\2"),
        Rule(r"truncation\.avg_latent", "mapping.w_avg", _mean),
        Rule(start + r"4x4\.const", "synthesis.const", _single),
        Rule(start + r"4x4\.bias", "synthesis.layers.0.bias"),
        Rule(start + rf"({fused})x\d+\.conv0_up\.weight", _sized(False, "weight"), _unfused),
        Rule(start + r"(\d{1,5})x\d+\.conv0_up\.(weight|bias)", _sized(False, r"\2")),
        Rule(start + r"(\d{1,5})x\d+\.conv1?\.(weight|bias)", _sized(True, r"\2")),
        Rule(
            start + r"(\d{1,5})x\d+\.conv0_up\.intermediate\.kernel",
            lambda m: f"blur.{_layer(m[1], second=False)}",
        ),
        Rule(r"g_synthesis\.torgb\.(weight|bias)", r"outputs.lod0.\1"),
    ]
    for number, second in ((1, False), (2, True)):
        rules += [
            Rule(
                rf"{start}(\d{{1,5}})x\d+\.epi{number}\.top_epi\.noise\.weight",
                _sized(second, "noise_strength"),
            ),
            Rule(
                rf"{start}(\d{{1,5}})x\d+\.epi{number}\.style_mod\.lin\.(weight|bias)",
                _sized(second, r"affine.\2"),
            ),
        ]
    return Layout(
        "lernapparat",
        signature=(r"g_mapping\.dense0\.weight", start + r"4x4\.epi1\.style_mod\.lin\.weight"),
        rules=tuple(rules),
    )


LERNAPPARAT_TRAINABLES = "TensorFlow names, trained variables only"


def layouts(fused_from: int = FUSED_FROM) -> tuple[Layout, ...]:
    """Return all layouts, for networks that fuse upsampling from a resolution up."""
    return (
        OWN,
        HIGAN,
        _genforce(fused_from),
        _tensorflow("NVIDIA TensorFlow", fused_from),
        _tensorflow(LERNAPPARAT_TRAINABLES, fused_from, "G_mapping/", "G_synthesis/"),
        _lernapparat(fused_from),
        ROSINALITY,
        GAN_ZOO,
    )


LAYOUTS = layouts()
# Store no fixed noise, and rarely the mean w.
INCOMPLETE = (LERNAPPARAT_TRAINABLES, "lernapparat", ROSINALITY.name, GAN_ZOO.name)
