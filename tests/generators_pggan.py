"""Small random ProgressiveGANs under every published naming, and their forward pass as in the paper."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LAYOUTS = (
    "ganstrata",
    "higan",
    "higan_fused",
    "genforce",
    "genforce_fused",
    "tensorflow",
    "tensorflow_fused",
    "mmgen",
    "mmgen_fused",
    "mmgen_ema",
)
SETTINGS = {
    "resolution": 16,
    "num_channels": 3,
    "label_size": 0,
    "fmap_base": 64,
    "fused_scale": True,
}  # as NVIDIA's static_kwargs


def weights(
    widths: tuple[int, ...] = (6, 5, 4), inputs: int = 7, colours: int = 3, seed: int = 0
) -> dict[str, Tensor]:
    """Weights by the package's own names, all outputs included.

    Convolutions (O, I, k, k) have stored values about N(0, 1).
    """
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    tensors = {}
    for level, width in enumerate(widths):
        below, size = (widths[level - 1], 3) if level else (inputs, 4)
        tensors[f"layers.{2 * level}.weight"] = draw(width, below, size, size)
        tensors[f"layers.{2 * level + 1}.weight"] = draw(width, width, 3, 3)
        for i in (2 * level, 2 * level + 1):
            tensors[f"layers.{i}.bias"] = 0.3 * draw(width)
        tensors[f"outputs.{level}.weight"] = draw(colours, width, 1, 1)
        tensors[f"outputs.{level}.bias"] = 0.3 * draw(colours)
    return tensors


def small_state(
    layout: str = "genforce", lod: float | None = 0.0, own: dict[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """The same network in one of LAYOUTS.

    `own` is what weights() gives. A fused layout stores the transposed convolution that does the same.
    """
    own = weights() if own is None else own
    count = sum(name.startswith("layers.") for name in own) // 2
    state: dict[str, Tensor] = {}
    for name, tensor in own.items():
        kind, i, what = name.split(".")
        state.update(_stored(layout, kind, int(i), what, tensor, count))
    if lod is not None and layout.split("_")[0] in ("higan", "genforce", "tensorflow"):
        state["lod"] = torch.tensor(lod)
    if layout == "mmgen_ema":
        state |= {
            "generator." + name.removeprefix("generator_ema."): torch.randn_like(tensor)
            for name, tensor in state.items()
        }
        state |= {
            name: torch.tensor(16.0)
            for name in ("shown_nkimg", "_curr_transition_weight", "_next_scale_int", "_curr_scale_int")
        }
        state["discriminator.decision.linear1.weight_orig"] = torch.zeros(2, 3)
    return {name: tensor.clone().contiguous() for name, tensor in state.items()}


def _stored(layout: str, kind: str, i: int, what: str, tensor: Tensor, count: int) -> dict[str, Tensor]:
    family, fused = layout.split("_")[0], layout.endswith("_fused")
    up = kind == "layers" and i and i % 2 == 0
    if family == "ganstrata":
        return {f"{kind}.{i}.{what}": tensor}
    if family == "higan":
        short = f"{kind[:-1]}{i}"
        if what == "bias":
            return {f"{short}.wscale.bias": tensor}
        return (
            {f"{short}.weight": tensor.flip(2, 3).permute(2, 3, 1, 0)}
            if up and fused
            else {f"{short}.conv.weight": tensor}
        )
    if family == "genforce":
        return {
            f"{kind[:-1]}{i}.{what}": tensor.flip(2, 3).transpose(0, 1)
            if up and fused and what == "weight"
            else tensor
        }
    if family == "tensorflow":
        return {
            _tensorflow(kind, i, count, fused=fused) + what: _as_tensorflow(
                kind, i, tensor, up_fused=bool(up and fused)
            )
        }
    prefix, stored = (
        "generator_ema." if layout == "mmgen_ema" else "",
        "weight_orig" if what == "weight" else "bias",
    )
    if kind == "outputs":
        return {f"{prefix}torgb_layers.{i}.conv.{stored}": tensor}
    if i == 0:
        return (
            {f"{prefix}noise2feat.bias": tensor.view(1, -1, 1, 1)}
            if what == "bias"
            else {f"{prefix}noise2feat.linear.{stored}": _matrix(tensor)}
        )
    if up and layout != "mmgen" and what == "weight":
        # Its factor is computed from the second dimension, which is the number of outputs here.
        tensor = (tensor * math.sqrt(tensor.shape[0] / tensor.shape[1])).flip(2, 3).transpose(0, 1)
    return {f"{prefix}conv_blocks.{i - 1}.conv.{stored}": tensor}


def _tensorflow(kind: str, i: int, count: int, *, fused: bool) -> str:
    if kind == "outputs":
        return f"ToRGB_lod{count // 2 - 1 - i}/"
    size = 4 * 2 ** (i // 2)
    name = ("Dense", "Conv")[i] if i < 2 else "Conv1" if i % 2 else "Conv0_up" if fused else "Conv0"
    return f"{size}x{size}/{name}/"


def _as_tensorflow(kind: str, i: int, tensor: Tensor, *, up_fused: bool) -> Tensor:
    if tensor.ndim == 1:
        return tensor
    if kind == "layers" and i == 0:
        return _matrix(tensor).t()
    return tensor.flip(2, 3).permute(2, 3, 0, 1) if up_fused else tensor.permute(2, 3, 1, 0)


def _matrix(weight: Tensor) -> Tensor:
    """A 4x4 convolution (C, Z, 4, 4) of one pixel amid zeros as a matrix (16 C, Z)."""
    return torch.stack([weight[:, :, 3 - y, 3 - x] for y in range(4) for x in range(4)], dim=1).flatten(0, 1)


def _norm(x: Tensor, epsilon: float, *, outside: bool) -> Tensor:
    square = (x**2).mean(dim=1, keepdim=True)
    return x / (square.sqrt() + epsilon) if outside else x / (square + epsilon).sqrt()


def plain(
    own: dict[str, Tensor],
    z: Tensor,
    *,
    epsilon: float = 1e-8,
    outside: bool = False,
    normalise: bool = True,
    leak: float = 0.2,
) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] at level of detail 0, in double precision, layer by layer."""
    count = sum(name.startswith("layers.") for name in own) // 2
    x = _norm(z.double(), epsilon, outside=outside)[:, :, None, None]
    for i in range(count):
        weight, bias = own[f"layers.{i}.weight"].double(), own[f"layers.{i}.bias"].double()
        if i and i % 2 == 0:
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        weight = weight * math.sqrt(2.0 / (weight[0].numel()))
        x = F.conv2d(x, weight, bias, padding=1 if i else (weight.shape[2] - 1, weight.shape[3] - 1))
        x = torch.where(x > 0.0, x, leak * x)
        x = _norm(x, epsilon, outside=outside) if normalise else x
    weight = own[f"outputs.{count // 2 - 1}.weight"].double()
    return F.conv2d(x, weight / math.sqrt(weight.shape[1]), own[f"outputs.{count // 2 - 1}.bias"].double())
