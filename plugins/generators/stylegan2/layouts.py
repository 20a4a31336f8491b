"""Define the layouts in which StyleGAN2 is published, with rules that translate their tensor names.

The names used here are those of NVIDIA's PyTorch release. TensorFlow and its ports also store tensors in
another form: convolutions as (k, k, I, O), those that double the size rotated by 180 degrees, biases of style
affines minus 1, and low-pass filters times 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from ..shared.changes import first, mean, scalar, vector
from ..shared.layouts import OTHERS, TRUNCATION, Change, Layout, Naming, Rule

MAX_TAPS = 16  # of a low-pass filter
MAX_BLOCKS = 13  # of a StyleGAN2 with pictures of at most 2^14 pixels


def _conv(i: int) -> str:
    """Return the name of convolution i, counted from the lowest resolution."""
    return "synthesis.b4.conv1" if i == 0 else f"synthesis.b{8 << (i - 1) // 2}.conv{(i - 1) % 2}"


def _numbered(leaf: str, *, start: int = 0) -> Naming:
    """Return a naming for the tensor `leaf` of a convolution, whose number minus `start` is group 1."""
    return lambda match: f"{_conv(int(match[1]) + start)}.{leaf}"


def _of_block(leaf: str, *, start: int = 0) -> Naming:
    """Return a naming for the tensor `leaf` of a block, whose number minus `start` is group 1."""
    return lambda match: f"synthesis.b{4 << (int(match[1]) + start)}.{leaf}"


def _plane(t: Tensor) -> Tensor:
    """Return noise (1, 1, H, W) as (H, W)."""
    return t[0, 0] if t.shape[:2] == (1, 1) else t


def _transposed(t: Tensor) -> Tensor:
    return t.permute(1, 0)


def _plus_one(t: Tensor) -> Tensor:
    return t + 1.0


def _rotated(t: Tensor) -> Tensor:
    """Rotate the kernel of a convolution (O, I, k, k) by 180 degrees."""
    return t.flip(2, 3)


def _hwio(t: Tensor) -> Tensor:
    """Reorder a convolution from (k, k, I, O) to (O, I, k, k)."""
    return t.permute(3, 2, 0, 1)


def _hwio_rotated(t: Tensor) -> Tensor:
    """Reorder a convolution from (k, k, I, O) to (O, I, k, k), and rotate its kernel by 180 degrees."""
    return t.permute(3, 2, 0, 1).flip(2, 3)


def _kernel(t: Tensor) -> Tensor:
    """Return a low-pass filter (..., K, K), stored times 4, as (K, K)."""
    return t.reshape(t.shape[-2:]) / 4.0


def _square(t: Tensor) -> Tensor:
    """Return a low-pass filter (K,), as NVIDIA stores those of eight taps and more, as (K, K)."""
    return torch.outer(t, t) if t.ndim == 1 and len(t) <= MAX_TAPS else t


NVIDIA = Layout(
    "NVIDIA PyTorch",
    signature=(r"mapping\.fc0\.weight", r"synthesis\.b4\.conv1\.weight", r"synthesis\.b\d+\.torgb\.weight"),
    rules=(
        # conv1 filters nothing. NVIDIA leaves [1, 3, 3, 1] in it, whatever the filter of the network is.
        Rule(r"synthesis\.b\d+\.conv1\.resample_filter", None),
        Rule(r"(synthesis\..*resample_filter)", r"\1", _square),
        Rule(r"((?:mapping|synthesis)\..*)", r"\1"),
    ),
)


def _genforce(
    dense: str, style: str, up: Change, flat: Change | None, colours: Change | None
) -> tuple[Rule, ...]:
    """Return the rules of HiGAN and GenForce, which store weights differently under similar names."""
    layer, output = r"synthesis\.layer(\d{1,2})\.", r"synthesis\.output(\d{1,2})\."
    return (
        Rule(rf"mapping\.dense(\d{{1,2}})\.{dense}", r"mapping.fc\1.weight"),
        Rule(r"mapping\.dense(\d{1,2})\.bias", r"mapping.fc\1.bias"),
        Rule(r"mapping\.label_weight", "mapping.label_weight"),
        Rule(r"mapping\.LabelEmbed\.(weight|bias)", r"mapping.embed.\1"),
        Rule(r"truncation\.w_avg", "mapping.w_avg"),
        Rule(r"truncation\.truncation", None, note=TRUNCATION),
        Rule(r"synthesis\.early_layer\.const", "synthesis.b4.const", first),
        Rule(r"synthesis\.layer(\d?[13579])\.weight", _numbered("weight"), up),
        Rule(layer + "weight", _numbered("weight"), flat),
        Rule(layer + "bias", _numbered("bias")),
        Rule(layer + "noise_strength", _numbered("noise_strength")),
        Rule(layer + "noise", _numbered("noise_const"), _plane),
        Rule(layer + style, _numbered("affine.weight")),
        Rule(layer + r"style\.bias", _numbered("affine.bias"), _plus_one),
        Rule(layer + r"filter\.kernel", _numbered("resample_filter"), _kernel),
        Rule(output + "weight", _of_block("torgb.weight"), colours),
        Rule(output + "bias", _of_block("torgb.bias")),
        Rule(output + style, _of_block("torgb.affine.weight")),
        Rule(output + r"style\.bias", _of_block("torgb.affine.bias"), _plus_one),
        Rule(r"synthesis\.upsample\.kernel", "synthesis.b4.resample_filter", _kernel),
    )


HIGAN = Layout(
    "HiGAN",
    signature=(
        r"mapping\.dense0\.fc\.weight",
        r"synthesis\.early_layer\.const",
        r"synthesis\.layer0\.style\.fc\.weight",
    ),
    rules=_genforce(r"fc\.weight", r"style\.fc\.weight", _hwio_rotated, _hwio, _hwio),
)
GENFORCE = Layout(
    "GenForce",
    signature=(
        r"mapping\.dense0\.weight",
        r"synthesis\.early_layer\.const",
        r"synthesis\.layer0\.style\.weight",
    ),
    rules=_genforce("weight", r"style\.weight", _rotated, None, None),
)


def _rosinality(start: str, weight: str, style: str, noise: str, dense: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules of rosinality and its derivatives, where convolutions have a leading axis of 1."""

    def conv(pattern: str, leaf: str, change: Change | None = None) -> tuple[Rule, Rule]:
        return Rule(rf"{start}conv1\.{pattern}", f"{_conv(0)}.{leaf}", change), Rule(
            rf"{start}convs\.(\d{{1,2}})\.{pattern}", _numbered(leaf, start=1), change
        )

    def rgb(pattern: str, leaf: str, change: Change | None = None) -> tuple[Rule, Rule]:
        return Rule(rf"{start}to_rgb1\.{pattern}", f"synthesis.b4.torgb.{leaf}", change), Rule(
            rf"{start}to_rgbs\.(\d{{1,2}})\.{pattern}", _of_block(f"torgb.{leaf}", start=1), change
        )

    return (
        *dense,
        Rule(r"latent_avg|mean_latent|truncation_latent", "mapping.w_avg", mean),
        *conv(rf"conv\.{weight}", "weight", first),
        *conv(rf"conv\.{style}", "affine.weight"),
        *conv(rf"conv\.{style.split('.')[0]}\.bias", "affine.bias"),
        *conv(r"conv\.blur\.kernel", "resample_filter", _kernel),
        *conv(rf"{noise}\.weight", "noise_strength", scalar),
        *conv(r"activate\.bias", "bias"),
        *rgb(rf"conv\.{weight}", "weight", first),
        *rgb(rf"conv\.{style}", "affine.weight"),
        *rgb(rf"conv\.{style.split('.')[0]}\.bias", "affine.bias"),
        *rgb(r"bias", "bias", vector),
        Rule(
            rf"{start}to_rgbs\.(\d{{1,2}})\.upsample\.kernel", _of_block("resample_filter", start=1), _kernel
        ),
    )


def _shifted(leaf: str) -> Naming:
    """Return a naming for mapping layers, which these layouts count from 1, after the normalisation."""
    return lambda match: f"mapping.fc{int(match[1]) - 1}.{leaf}"


ROSINALITY = Layout(
    "rosinality",
    signature=(
        r"style\.1\.weight",
        r"input\.input",
        r"conv1\.conv\.modulation\.weight",
        r"to_rgb1\.conv\.weight",
    ),
    absent=(r"to_rgbs?[\d.]*\.[di]wt\..*",),  # SWAGAN, whose pictures are wavelets
    rules=(
        *_rosinality(
            "",
            "weight",
            r"modulation.weight",
            "noise",
            (
                Rule(r"style\.([1-9]\d?)\.weight", _shifted("weight")),
                Rule(r"style\.([1-9]\d?)\.bias", _shifted("bias")),
            ),
        ),
        Rule(r"input\.input", "synthesis.b4.const", first),
        Rule(r"noises\.noise_(\d{1,2})", _numbered("noise_const"), _plane),
    ),
)
# Files of mmagic keep the prefix `module.` of the wrapper that averages weights.
MMGENERATION = Layout(
    "mmgeneration",
    signature=(
        r"(?:module\.)?style_mapping\.1\.linear\.weight_orig",
        r"(?:module\.)?constant_input\.input",
        r"(?:module\.)?conv1\.conv\.style_modulation\.linear\.weight_orig",
    ),
    rules=(
        *_rosinality(
            r"(?:module\.)?",
            "weight_orig",
            r"style_modulation.linear.weight_orig",
            "noise_injector",
            (
                Rule(r"(?:module\.)?style_mapping\.([1-9]\d?)\.linear\.weight_orig", _shifted("weight")),
                Rule(r"(?:module\.)?style_mapping\.([1-9]\d?)\.bias", _shifted("bias")),
            ),
        ),
        Rule(r"(?:module\.)?constant_input\.input", "synthesis.b4.const", first),
        Rule(r"(?:module\.)?injected_noise_(\d{1,2})", _numbered("noise_const"), _plane),
        Rule(r"(?:module\.)?steps|n_averaged", None),  # of the averaging wrapper, also torch's
    ),
)


def _of_teacher(names: Iterable[str]) -> dict[str, str]:
    """Name the tensors of MobileStyleGAN's teacher as rosinality does, whose layers it has.

    Those of the other networks in the file get the prefix `others.`.
    """
    renamed = {}
    for name in names:
        if match := re.fullmatch(r"synthesis_net\.layers\.(\d{1,2})\.conv([12])\.(.*)", name):
            renamed[name] = f"convs.{2 * int(match[1]) + int(match[2]) - 1}.{match[3]}"
        elif match := re.fullmatch(r"synthesis_net\.layers\.(\d{1,2})\.to_rgb\.(.*)", name):
            renamed[name] = f"to_rgbs.{match[1]}.{match[2]}"
        elif match := re.fullmatch(r"mapping_net\.layers\.(.*)", name):
            renamed[name] = f"style.{match[1]}"
        elif match := re.fullmatch(r"synthesis_net\.(.*)", name):
            renamed[name] = match[1]
        elif "." in name:
            renamed[name] = f"others.{name}"
    return renamed


# Lower in confidence than MobileStyleGAN itself, which the file was trained for: this one if it is asked for.
TEACHER = Layout(
    "MobileStyleGAN.pytorch, teacher",
    signature=(
        r"mapping_net\.layers\.1\.weight",
        r"synthesis_net\.input\.input",
        r"synthesis_net\.conv1\.conv\.modulation\.weight",
        r"synthesis_net\.to_rgb1\.conv\.weight",
    ),
    renamed=_of_teacher,
    rules=(
        *ROSINALITY.rules,
        Rule(r"style_mean", "mapping.w_avg", mean),
        Rule(r"upsample\.kernel", "synthesis.b4.resample_filter", _kernel),
        Rule(r"device_info", None),
        Rule(r"others\..*", None, note=OTHERS),
    ),
    confidence=0.5,
)


def _tensorflow(match: re.Match[str]) -> str:
    """Return the name of the convolution or ToRGB that TensorFlow calls, for example, `8x8/Conv0_up/`."""
    return f"synthesis.b{match[1]}.{_TENSORFLOW[match[2]]}"


def _by_rank(names: Iterable[str]) -> dict[str, str]:
    """Name the blocks of a fork whose constant is not 4 x 4 like those of one that is: 4x4/, 8x8/ and so on.

    Forks call a block by its own height and width, such as 5x3/ and 10x6/. The block with the constant comes
    first, the others follow by size. Names of squares from 4x4/ on stay as they are.
    """
    scopes = {name: match for name in names if (match := re.fullmatch(_SCOPE, name))}
    sizes = {(int(match[2]), int(match[3])) for match in scopes.values()}
    first = [(int(match[2]), int(match[3])) for match in scopes.values() if match[4].startswith("Const/")]
    usual = (4, 4) in first and all(height == width for height, width in sizes)
    if usual or len(set(first)) != 1 or len(sizes) > MAX_BLOCKS:
        return {}
    blocks = [first[0], *sorted(sizes - {first[0]})]
    square_sizes = {size: 4 << i for i, size in enumerate(blocks)}
    return {
        name: "{0}{1}x{1}/{2}".format(match[1] or "", square_sizes[int(match[2]), int(match[3])], match[4])
        for name, match in scopes.items()
    }


_TENSORFLOW = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}
_SCOPE = r"(synthesis/)?(\d{1,5})x(\d{1,5})/(.*)"
_LAYER = r"(?:synthesis/)?(\d{1,4})x\1/(Conv|Conv0_up|Conv1|ToRGB)/"
_DENSE = r"(?:mapping/)?Dense(\d{1,2})/"
TENSORFLOW = Layout(
    "NVIDIA TensorFlow",
    signature=(
        r"(?:mapping/)?Dense0/weight",
        r"(?:synthesis/)?\d+x\d+/Conv/mod_weight",
        r"(?:synthesis/)?\d+x\d+/ToRGB/mod_weight",
    ),
    renamed=_by_rank,
    rules=(
        Rule(_DENSE + "weight", r"mapping.fc\1.weight", _transposed),
        Rule(_DENSE + "bias", r"mapping.fc\1.bias"),
        Rule(r"(?:mapping/)?LabelConcat/weight", "mapping.label_weight"),
        Rule(r"(?:mapping/)?LabelEmbed/weight", "mapping.embed.weight", _transposed),
        Rule(r"(?:mapping/)?LabelEmbed/bias", "mapping.embed.bias"),
        Rule(r"dlatent_avg", "mapping.w_avg"),
        Rule(r"(?:synthesis/)?lod", None),
        Rule(r"(?:synthesis/)?noise(\d{1,2})", _numbered("noise_const"), _plane),
        Rule(r"(?:synthesis/)?4x4/Const/const", "synthesis.b4.const", first),
        Rule(
            r"(?:synthesis/)?(\d{1,4})x\1/(Conv0_up)/weight",
            lambda m: f"{_tensorflow(m)}.weight",
            _hwio_rotated,
        ),
        Rule(
            r"(?:synthesis/)?(\d{1,4})x\1/(Skip)/weight", lambda m: f"{_tensorflow(m)}.weight", _hwio_rotated
        ),
        Rule(_LAYER + "weight", lambda m: f"{_tensorflow(m)}.weight", _hwio),
        Rule(_LAYER + "bias", lambda m: f"{_tensorflow(m)}.bias"),
        Rule(_LAYER + "noise_strength", lambda m: f"{_tensorflow(m)}.noise_strength"),
        Rule(_LAYER + "mod_weight", lambda m: f"{_tensorflow(m)}.affine.weight", _transposed),
        Rule(_LAYER + "mod_bias", lambda m: f"{_tensorflow(m)}.affine.bias", _plus_one),
    ),
)

LAYOUTS = (NVIDIA, HIGAN, GENFORCE, ROSINALITY, TEACHER, MMGENERATION, TENSORFLOW)
WITHOUT_MEAN = (ROSINALITY.name, TEACHER.name, MMGENERATION.name)  # layouts that may lack the mean w
