"""Define the layouts of MobileStyleGAN, with rules that translate their tensor names.

A file of its training holds two generators that share a mapping network: the student `student.`, which is
MobileStyleGAN, and the teacher `synthesis_net.`, a StyleGAN2.
"""

from __future__ import annotations

import re

import torch

from ..shared.changes import first, mean, scalar, vector
from ..shared.layouts import OTHERS, Change, Layout, Rule

TEACHER = "of teacher and student, the student is used; not used: {n} tensors of the teacher, such as {name}"
_LEAVES: dict[str, tuple[str, Change | None]] = {
    "conv.weight": ("weight", None),
    "conv.weight_dw": ("depthwise", None),
    "conv.weight_permute": ("pointwise", None),
    "conv.style_inv": ("fixed_style", torch.flatten),
    "conv.modulation.weight": ("affine.weight", None),
    "conv.modulation.bias": ("affine.bias", None),
    "noise.weight": ("noise_strength", scalar),
    "bias": ("bias", vector),
}


def _mapping(match: re.Match[str]) -> str:
    """Return the name of a mapping layer, which are counted from 1, after the normalisation."""
    return f"mapping.fc{int(match[1]) - 1}.{match[2]}"


def _module(stored: str, name: str) -> tuple[Rule, ...]:
    """Return the rules for the tensors of a convolution or an output."""
    return tuple(
        Rule(rf"student\.{stored}\.{re.escape(leaf)}", f"{name}.{own}", change)
        for leaf, (own, change) in _LEAVES.items()
    )


OWN = Layout(
    "ganstrata",
    signature=(r"mapping\.fc0\.weight", r"blocks\.0\.conv1\.depthwise", r"outputs\.\d+\.weight"),
    rules=(Rule(r"((mapping|first|blocks|outputs)\..*|const)", r"\1"),),
)
TRAINING = Layout(
    "MobileStyleGAN.pytorch",
    signature=(
        r"mapping_net\.layers\.1\.weight",
        r"student\.input\.input",
        r"student\.layers\.0\.conv1\.conv\.weight_dw",
        r"student\.layers\.0\.up\.modulation\.weight",
    ),
    rules=(
        Rule(r"mapping_net\.layers\.([1-9]\d?)\.(weight|bias)", _mapping),
        Rule(r"style_mean", "mapping.w_avg", mean),
        Rule(r"student\.input\.input", "const", first),
        *_module("conv1", "first"),
        *_module("to_img1", "outputs.first"),
        Rule(r"student\.layers\.(\d{1,2})\.up\.modulation\.(weight|bias)", r"blocks.\1.up.affine.\2"),
        *_module(r"layers\.(\d{1,2})\.(conv[12])", r"blocks.\1.\2"),
        *_module(r"layers\.(\d{1,2})\.to_img", r"outputs.\1"),
        Rule(r"student\.(?:.*\.)?idwt\.(g[01])_(?:col|row)", lambda m: f"filters.{m[1]}.{m[0]}"),
        Rule(r"(?:student\.)?device_info", None),
        Rule(r"synthesis_net\..*", None, note=TEACHER),
        Rule(r"(?!student\.|mapping_net\.)\w+\..*", None, note=OTHERS),
    ),
)

LAYOUTS = (OWN, TRAINING)
