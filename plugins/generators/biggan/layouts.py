"""Define the layouts in which BigGAN is published, with rules that translate their tensor names.

The names used here are those of `stored.Network`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from ..shared.layouts import Layout, Rule


def _transposed(tensor: Tensor) -> Tensor:
    return tensor.t() if tensor.ndim == 2 else tensor


def _row(tensor: Tensor) -> Tensor:
    return tensor[None]


def _flat(tensor: Tensor) -> Tensor:
    return tensor.flatten()


def _scalar(tensor: Tensor) -> Tensor:
    return tensor.reshape(()) if tensor.numel() == 1 else tensor


def _channels_first(tensor: Tensor) -> Tensor:
    """Reorder the first axis of (16 C, ...) from (pixel, channel) to (channel, pixel); 4x4 pixels."""
    if not tensor.ndim or not tensor.numel() or len(tensor) % 16:
        return tensor
    return tensor.reshape(16, len(tensor) // 16, *tensor.shape[1:]).transpose(0, 1).flatten(0, 1)


OWN = Layout(
    "ganstrata",
    signature=(r"linear\.weight", r"blocks\.0\.norm1\.mean", r"output_norm\.mean", r"output\.weight"),
    rules=(Rule(r"(embedding|(?:linear|blocks|attention|output_norm|output)\..*)", r"\1"),),
)

_UNUSED = (
    Rule(r".*\.sv\d+", None),  # a log of singular values
    Rule(r".*\.u[1-9]\d*", None),  # singular vectors beyond the first, which no spectral norm needs
    Rule(r".*\.bn\.accumulation_counter", None),  # applied by `averaged`
)
_PYTORCH = (
    *_UNUSED,
    Rule(r"shared\.weight", "embedding"),
    Rule(r"linear\.(weight|bias)", r"linear.\1"),
    Rule(r"linear\.u0", "linear.u", _flat),
    Rule(r"blocks\.(\d+)\.0\.bn(\d)\.(gain|bias)\.u0", r"blocks.\1.norm\2.\3.u", _flat),
    Rule(r"blocks\.(\d+)\.0\.bn(\d)\.(?:bn\.)?stored_(mean|var)", r"blocks.\1.norm\2.\3", _row),
    Rule(r"blocks\.(\d+)\.0\.conv(\d)\.(weight|bias)", r"blocks.\1.conv\2.\3"),
    Rule(r"blocks\.(\d+)\.0\.conv(\d)\.u0", r"blocks.\1.conv\2.u", _flat),
    Rule(r"blocks\.(\d+)\.0\.conv_sc\.(weight|bias)", r"blocks.\1.shortcut.\2"),
    Rule(r"blocks\.(\d+)\.0\.conv_sc\.u0", r"blocks.\1.shortcut.u", _flat),
    *(
        rule
        for stored_name, name in (("theta", "query"), ("phi", "key"), ("g", "value"), ("o", "out"))
        for rule in (
            Rule(rf"blocks\.(\d+)\.1\.{stored_name}\.weight", rf"attention.\1.{name}.weight"),
            Rule(rf"blocks\.(\d+)\.1\.{stored_name}\.u0", rf"attention.\1.{name}.u", _flat),
        )
    ),
    Rule(r"blocks\.(\d+)\.1\.gamma", r"attention.\1.gamma", _scalar),
    Rule(r"output_layer\.0\.(gain|bias)", r"output_norm.\1"),
    Rule(r"output_layer\.0\.(?:bn\.)?stored_(mean|var)", r"output_norm.\1", _row),
    Rule(r"output_layer\.2\.(weight|bias)", r"output.\1"),
    Rule(r"output_layer\.2\.u0", "output.u", _flat),
)
_CONDITION = r"blocks\.(\d+)\.0\.bn(\d)\.(gain|bias)\.weight"
_SIGNATURE = (
    r"linear\.weight",
    r"blocks\.0\.0\.conv2\.weight",
    r"blocks\.0\.0\.bn1\.gain\.weight",
    r"output_layer\.2\.weight",
)
_SHARED = r"shared\.weight|blocks\.0\.0\.bn1\.gain\.u0"
_DEEP = r"blocks\.0\.0\.conv4\.weight"

PYTORCH = Layout(
    "BigGAN-PyTorch",
    signature=(*_SIGNATURE, _SHARED),
    rules=(*_PYTORCH, Rule(_CONDITION, r"blocks.\1.norm\2.\3.weight")),
    absent=(_DEEP,),
)
PYTORCH_DEEP = replace(
    PYTORCH, name="BigGAN-PyTorch, deep", signature=(*_SIGNATURE, _SHARED, _DEEP), absent=()
)
PYTORCH_UNSHARED = Layout(
    "BigGAN-PyTorch, an embedding per normalisation",
    signature=_SIGNATURE,
    rules=(*_PYTORCH, Rule(_CONDITION, r"blocks.\1.norm\2.\3.weight", _transposed)),
    absent=(_SHARED, _DEEP),
)


_TENSORS = {"orig": "weight", "u": "u", "v": "v"}
_CONVOLUTIONS = {"theta": "query", "phi": "key", "g": "value", "o_conv": "out"}


def _hugging_face(attention: tuple[int, ...]) -> tuple[Rule, ...]:
    """Return the rules for a network whose layers of these numbers are attention.

    pytorch-pretrained-BigGAN numbers blocks and attention together; here only blocks are numbered.
    """

    def block(match: re.Match[str]) -> int:
        return int(match[1]) - sum(k < int(match[1]) for k in attention)

    def affine(match: re.Match[str]) -> str:
        parameter = "gain" if match[3] == "scale" else "bias"
        return f"blocks.{block(match)}.norm{int(match[2]) + 1}.{parameter}.{_TENSORS[match[4]]}"

    def statistic(match: re.Match[str]) -> str:
        return f"blocks.{block(match)}.norm{int(match[2]) + 1}.{match[3]}"

    def convolution(match: re.Match[str]) -> str:
        return f"blocks.{block(match)}.conv{int(match[2]) + 1}.{_TENSORS.get(match[3], 'bias')}"

    def attention_convolution(match: re.Match[str]) -> str:  # attention has the number of the block before
        return f"attention.{block(match) - 1}.{_CONVOLUTIONS[match[2]]}.{_TENSORS[match[3]]}"

    def gamma(match: re.Match[str]) -> str:
        return f"attention.{block(match) - 1}.gamma"

    layer = r"generator\.layers\.(\d+)"
    return (
        Rule(r"embeddings\.weight", "embedding", _transposed),
        Rule(r"generator\.gen_z\.weight_orig", "linear.weight", _channels_first),
        Rule(r"generator\.gen_z\.bias", "linear.bias", _channels_first),
        Rule(r"generator\.gen_z\.weight_u", "linear.u", _channels_first),
        Rule(r"generator\.gen_z\.weight_v", "linear.v"),
        Rule(rf"{layer}\.bn_(\d)\.(scale|offset)\.weight_(orig|u|v)", affine),
        Rule(rf"{layer}\.bn_(\d)\.running_(mean|var)s", statistic),
        Rule(rf"{layer}\.conv_(\d)\.(?:weight_(orig|u|v)|bias)", convolution),
        Rule(rf"{layer}\.snconv1x1_(theta|phi|g|o_conv)\.weight_(orig|u|v)", attention_convolution),
        Rule(rf"{layer}\.gamma", gamma, _scalar),
        Rule(r"generator\.bn\.running_(mean|var)s", r"output_norm.\1"),
        Rule(r"generator\.bn\.weight", "output_norm.gain"),
        Rule(r"generator\.bn\.bias", "output_norm.bias"),
        Rule(r"generator\.conv_to_rgb\.bias", "output.bias"),
        Rule(r"generator\.conv_to_rgb\.weight_orig", "output.weight"),
        Rule(r"generator\.conv_to_rgb\.weight_(u|v)", r"output.\1"),
    )


HUGGING_FACE = Layout(
    "pytorch-pretrained-BigGAN",
    signature=(
        r"embeddings\.weight",
        r"generator\.gen_z\.weight_orig",
        r"generator\.layers\.0\.bn_0\.running_means",
    ),
    rules=(),
)

_STUDIO_ATTENTION = {"theta": "query", "phi": "key", "g": "value", "attn": "out"}


def _studio(attention: tuple[int, ...]) -> tuple[Rule, ...]:
    """Return the rules for a network of StudioGAN whose blocks of these numbers are attention.

    StudioGAN numbers blocks and attention together; here only blocks are numbered. Without spectral
    normalisation a weight is called `weight`, with it `weight_orig`.
    """

    def block(match: re.Match[str]) -> int:
        return int(match[1]) - sum(k < int(match[1]) for k in attention)

    def convolution(match: re.Match[str]) -> str:
        name = "shortcut" if match[2] == "0" else f"conv{match[2]}"
        return f"blocks.{block(match)}.{name}.{_parameter(match[3])}"

    def affine(match: re.Match[str]) -> str:
        return f"blocks.{block(match)}.norm{match[2]}.{match[3]}.{_parameter(match[4])}"

    def statistic(match: re.Match[str]) -> str:
        return f"blocks.{block(match)}.norm{match[2]}.{match[3]}"

    def attended(match: re.Match[str]) -> str:  # attention has the number of the block before
        return f"attention.{block(match) - 1}.{_STUDIO_ATTENTION[match[2]]}.{_parameter(match[3])}"

    def gamma(match: re.Match[str]) -> str:
        return f"attention.{block(match) - 1}.gamma"

    weight, layer = r"(weight|weight_orig|weight_u|weight_v|bias)", r"blocks\.(\d+)\.0\."
    return (
        Rule(r".*\.num_batches_tracked", None),
        Rule(r"shared\.weight", "embedding"),
        Rule(r"linear0\." + weight, lambda m: f"linear.{_parameter(m[1])}"),
        Rule(layer + r"bn(\d)\.(gain|bias)\." + weight, affine),
        Rule(layer + r"bn(\d)\.bn\.running_(mean|var)", statistic, _row),
        Rule(layer + r"conv2d(\d)\." + weight, convolution),
        Rule(layer + r"conv1x1_(theta|phi|g|attn)\." + weight, attended),
        Rule(layer + r"sigma", gamma, _scalar),
        Rule(r"bn4\.running_(mean|var)", r"output_norm.\1", _row),
        Rule(r"bn4\.weight", "output_norm.gain"),
        Rule(r"bn4\.bias", "output_norm.bias"),
        Rule(r"conv2d5\." + weight, lambda m: f"output.{_parameter(m[1])}"),
    )


def _parameter(stored: str) -> str:
    """Return the name used here of a weight, its singular vectors or a bias."""
    return _TENSORS.get(stored.removeprefix("weight_"), stored)


STUDIO = Layout(
    "StudioGAN",
    signature=(
        r"linear0\.weight(_orig)?",
        r"blocks\.0\.0\.bn1\.gain\.weight(_orig)?",
        r"blocks\.0\.0\.conv2d1\.weight(_orig)?",
        r"conv2d5\.weight(_orig)?",
    ),
    rules=(),
)

LAYOUTS = (OWN, PYTORCH, PYTORCH_DEEP, PYTORCH_UNSHARED, HUGGING_FACE, STUDIO)


def numbered(layout: Layout, names: Mapping[str, object]) -> Layout:
    """Return the layout with the rules for these names.

    pytorch-pretrained-BigGAN and StudioGAN need this, because they number attention among the layers.
    """
    if layout is STUDIO:
        numbers = {
            int(m[1])
            for name in names
            if (m := re.fullmatch(r"blocks\.(\d{1,4})\.0\.(sigma|conv1x1_.*)", name))
        }
        return replace(layout, rules=_studio(tuple(sorted(numbers))))
    if layout is not HUGGING_FACE:
        return layout
    attention = {
        int(m[1])
        for name in names
        if (m := re.fullmatch(r"generator\.layers\.(\d+)\.(gamma|snconv1x1_.*)", name))
    }
    return replace(layout, rules=_hugging_face(tuple(sorted(attention))))


def averaged(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with standing statistics averaged.

    BigGAN-PyTorch may store them as sums over batches, together with the number of batches.
    """
    result = dict(tensors)
    for name, count in tensors.items():
        if not name.endswith(".bn.accumulation_counter") or count.numel() != 1 or float(count) <= 0.0:
            continue
        for kind in ("stored_mean", "stored_var"):
            stored = name.removesuffix("accumulation_counter") + kind
            if stored in result:
                result[stored] = result[stored] / count
    return result
