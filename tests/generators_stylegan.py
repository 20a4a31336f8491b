"""Small random StyleGANs under every published naming, and their forward pass plainly from the paper."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LAYOUTS = ("ganstrata", "higan", "interfacegan", "genforce", "tensorflow", "trainables", "lernapparat")
COMPLETE = LAYOUTS[:5]  # those that store noise and the mean w
SETTINGS = {
    "resolution": 16,
    "num_channels": 3,
    "label_size": 0,
    "fmap_base": 64,
    "dlatent_size": 5,
}  # as NVIDIA's static_kwargs


def weights(
    widths: tuple[int, ...] = (6, 5, 4),
    *,
    z_dim: int = 7,
    w_dim: int = 5,
    depth: int = 3,
    hidden: int = 8,
    classes: int = 0,
    colours: int = 3,
    own_codes: bool = False,
    start: tuple[int, int] = (4, 4),
    seed: int = 0,
) -> dict[str, Tensor]:
    """Weights by the package's own names, with outputs of all levels as `outputs.{level}`.

    Convolutions (O, I, 3, 3) about N(0, 1); those that a layout stores fused with upsampling are as it stores
    them.
    """
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    made = w_dim * 2 * len(widths) if own_codes else w_dim
    sizes = [z_dim * (2 if classes else 1), *[hidden] * (depth - 1), made]
    tensors = {"mapping.w_avg": 0.5 * draw(w_dim), "synthesis.const": draw(widths[0], *start)}
    if classes:
        tensors["mapping.labels"] = draw(classes, z_dim)
    for i in range(depth):
        tensors[f"mapping.layers.{i}.weight"] = 100.0 * draw(sizes[i + 1], sizes[i])
        tensors[f"mapping.layers.{i}.bias"] = 30.0 * draw(sizes[i + 1])
    for i in range(2 * len(widths)):
        level = i // 2
        width, size = widths[level], (start[0] << level, start[1] << level)
        if i:
            tensors[f"synthesis.layers.{i}.weight"] = draw(width, widths[(i - 1) // 2], 3, 3)
        tensors[f"synthesis.layers.{i}.bias"] = 0.3 * draw(width)
        tensors[f"synthesis.layers.{i}.noise_strength"] = 0.3 * draw(width)
        tensors[f"synthesis.layers.{i}.noise_const"] = draw(*size)
        tensors[f"synthesis.layers.{i}.affine.weight"] = draw(2 * width, w_dim)
        tensors[f"synthesis.layers.{i}.affine.bias"] = 0.3 * draw(2 * width)
    for level, width in enumerate(widths):
        tensors[f"outputs.{level}.weight"] = draw(colours, width, 1, 1)
        tensors[f"outputs.{level}.bias"] = 0.3 * draw(colours)
    return tensors


def _is_fused(i: int, fused_from: int) -> bool:
    return i > 0 and i % 2 == 0 and 4 * 2 ** (i // 2) >= fused_from


def small_state(
    layout: str = "genforce",
    own: dict[str, Tensor] | None = None,
    *,
    lod: float | None = 0.0,
    fused_from: int = 128,
    **sizes: Any,
) -> dict[str, Tensor]:
    """The same network in one of LAYOUTS.

    `own` is what weights() gives; `fused_from` is how many pixels a layer has from which its weights are
    fused.
    """
    own = weights(**sizes) if own is None else own
    levels = sum(name.startswith("outputs.") for name in own) // 2
    state: dict[str, Tensor] = {}
    for name, tensor in own.items():
        stored = _stored(layout, name, tensor, levels, fused_from)
        if stored is not None:
            state[stored[0]] = stored[1].clone().contiguous()
    if layout in ("higan", "interfacegan", "genforce"):
        row = torch.tensor([1.0, 2.0, 1.0])
        for i in range(2, 2 * levels, 2):
            state[f"synthesis.layer{i}.blur.kernel"] = (
                (torch.outer(row, row) / 16.0)
                .expand(own[f"synthesis.layers.{i}.bias"].shape[0], 1, 3, 3)
                .clone()
            )
        if layout != "genforce":
            state["truncation.truncation"] = torch.ones(1, 2 * levels, 1)
    if layout == "lernapparat":
        for level in range(1, levels):
            state[f"g_synthesis.blocks.{4 * 2**level}x{4 * 2**level}.conv0_up.intermediate.kernel"] = (
                torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None].div(16.0)
            )
    if lod is not None and layout in ("higan", "interfacegan", "genforce", "tensorflow"):
        state["lod" if layout == "tensorflow" else "synthesis.lod"] = torch.tensor(lod)
    return state


def _stored(
    layout: str, name: str, tensor: Tensor, levels: int, fused_from: int
) -> tuple[str, Tensor] | None:
    """What a layout calls a tensor of ours, and how it stores it."""
    part, _, rest = name.partition(".")
    number, _, what = (
        rest.partition(".") if part == "outputs" else rest.removeprefix("layers.").partition(".")
    )
    i = int(number) if number.isdigit() else 0
    if layout == "ganstrata":
        if part == "outputs":
            return (f"synthesis.output.{what}", tensor) if i == levels - 1 else None
        return name, tensor.flip(2, 3) if what == "weight" and tensor.ndim == 4 and _is_fused(
            i, fused_from
        ) else tensor
    if layout in ("higan", "interfacegan"):
        return _higan(layout, part, rest, i, what, tensor, fused_from)
    if layout == "genforce":
        return _genforce(part, rest, i, what, tensor)
    if layout == "lernapparat":
        return _lernapparat(part, rest, i, what, tensor, levels)
    return _tensorflow(part, rest, i, what, tensor, levels, trainables=layout == "trainables")


def _higan(
    layout: str, part: str, rest: str, i: int, what: str, tensor: Tensor, fused_from: int
) -> tuple[str, Tensor]:
    fc = "fc" if layout == "higan" else "linear"
    if rest == "labels":
        return "mapping.label_weight", tensor
    if rest == "w_avg":
        return "truncation.w_avg", tensor
    if rest == "const":
        return f"synthesis.layer0.{'const' if layout == 'higan' else 'first_layer'}", tensor[None]
    if part == "mapping":
        return f"mapping.dense{i}.{'wscale.bias' if what == 'bias' else fc + '.weight'}", tensor
    if part == "outputs":
        return f"synthesis.output{i}.{'bias' if what == 'bias' else 'conv.weight'}", tensor
    if what == "weight" and _is_fused(i, fused_from):
        return f"synthesis.layer{i}.weight", tensor.permute(2, 3, 1, 0)
    names = {
        "weight": "conv.weight",
        "bias": "epilogue.bias",
        "noise_strength": "epilogue.apply_noise.weight",
        "noise_const": "epilogue.apply_noise.noise",
        "affine.weight": f"epilogue.style_mod.dense.{fc}.weight",
        "affine.bias": "epilogue.style_mod.dense.wscale.bias",
    }
    return f"synthesis.layer{i}.{names[what]}", tensor[None, None] if what == "noise_const" else tensor


def _genforce(part: str, rest: str, i: int, what: str, tensor: Tensor) -> tuple[str, Tensor]:
    if rest == "labels":
        return "mapping.label_weight", tensor
    if rest == "w_avg":
        return "truncation.w_avg", tensor
    if rest == "const":
        return "synthesis.layer0.const", tensor[None]
    if part == "mapping":
        return f"mapping.dense{i}.{what}", tensor
    if part == "outputs":
        return f"synthesis.output{i}.{what}", tensor
    what = {"noise_strength": "apply_noise.weight", "noise_const": "apply_noise.noise"}.get(
        what, what.replace("affine", "style")
    )
    return f"synthesis.layer{i}.{what}", tensor[None, None] if what == "apply_noise.noise" else tensor


def _tensorflow(
    part: str, rest: str, i: int, what: str, tensor: Tensor, levels: int, *, trainables: bool
) -> tuple[str, Tensor] | None:
    mapping, synthesis = ("G_mapping/", "G_synthesis/") if trainables else ("", "")
    if rest == "labels":
        return mapping + "LabelConcat/weight", tensor
    if rest == "w_avg":
        return None if trainables else ("dlatent_avg", tensor)
    if rest == "const":
        return synthesis + "4x4/Const/const", tensor[None]
    if part == "mapping":
        return f"{mapping}Dense{i}/{what}", tensor.t() if tensor.ndim == 2 else tensor
    if part == "outputs":
        return f"{synthesis}ToRGB_lod{levels - 1 - i}/{what}", tensor.permute(
            2, 3, 1, 0
        ) if tensor.ndim == 4 else tensor
    if what == "noise_const":
        return None if trainables else (f"noise{i}", tensor[None, None])
    size = 4 * 2 ** (i // 2)
    block = f"{synthesis}{size}x{size}/{('Const', 'Conv')[i] if i < 2 else ('Conv0_up', 'Conv1')[i % 2]}/"
    what = {
        "noise_strength": "Noise/weight",
        "affine.weight": "StyleMod/weight",
        "affine.bias": "StyleMod/bias",
    }.get(what, what)
    return block + what, tensor.permute(
        2, 3, 1, 0
    ) if tensor.ndim == 4 else tensor.t() if tensor.ndim == 2 else tensor


def _lernapparat(
    part: str, rest: str, i: int, what: str, tensor: Tensor, levels: int
) -> tuple[str, Tensor] | None:
    if rest in ("labels", "w_avg") or what == "noise_const":
        return None
    if rest == "const":
        return "g_synthesis.blocks.4x4.const", tensor[None]
    if part == "mapping":
        return f"g_mapping.dense{i}.{what}", tensor
    if part == "outputs":
        return (f"g_synthesis.torgb.{what}", tensor) if i == levels - 1 else None
    size = 4 * 2 ** (i // 2)
    start = f"g_synthesis.blocks.{size}x{size}."
    if what == "noise_strength":
        return f"{start}epi{i % 2 + 1}.top_epi.noise.weight", tensor
    if what.startswith("affine."):
        return f"{start}epi{i % 2 + 1}.style_mod.lin.{what.removeprefix('affine.')}", tensor
    if i == 0:
        return start + what, tensor
    return f"{start}{'conv' if i == 1 else ('conv0_up', 'conv1')[i % 2]}.{what}", tensor


def plain_w(
    own: dict[str, Tensor], z: Tensor, classes: Tensor | None = None, *, lr_multiplier: float = 0.01
) -> Tensor:
    """The mapping network: z (N, Z), and class weights (N, Y), to w."""
    x = z if classes is None else torch.cat([z, classes @ own["mapping.labels"]], dim=1)
    x = x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for i in range(sum(name.startswith("mapping.layers.") for name in own) // 2):
        weight, bias = own[f"mapping.layers.{i}.weight"], own[f"mapping.layers.{i}.bias"]
        x = F.leaky_relu(
            x @ weight.t() * (math.sqrt(2.0 / weight.shape[1]) * lr_multiplier) + bias * lr_multiplier, 0.2
        )
    return x


def plain(own: dict[str, Tensor], codes: Tensor, *, noise: bool = True, fused_from: int = 128) -> Tensor:
    """The synthesis network: a code for every layer (N, L, D) to images (N, 3, H, W) in [-1, 1]."""
    x = own["synthesis.const"][None].expand(len(codes), -1, -1, -1)
    row = torch.tensor([1.0, 2.0, 1.0])
    for i in range(codes.shape[1]):
        layer = {
            name.removeprefix(f"synthesis.layers.{i}."): t
            for name, t in own.items()
            if name.startswith(f"synthesis.layers.{i}.")
        }
        channels = layer["bias"].shape[0]
        if i:
            weight = layer["weight"] * math.sqrt(2.0 / layer["weight"][0].numel())
            if _is_fused(i, fused_from):
                kernel = F.pad(weight, (1, 1, 1, 1))
                kernel = (
                    kernel[..., 1:, 1:] + kernel[..., 1:, :-1] + kernel[..., :-1, 1:] + kernel[..., :-1, :-1]
                )
                x = F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2, padding=1)
            else:
                x = F.conv2d(
                    F.interpolate(x, scale_factor=2.0, mode="nearest") if i % 2 == 0 else x, weight, padding=1
                )
            if i % 2 == 0:
                x = F.conv2d(
                    x, (torch.outer(row, row) / 16.0).expand(channels, 1, 3, 3), padding=1, groups=channels
                )
        if noise:
            x = x + layer["noise_const"] * layer["noise_strength"][:, None, None]
        x = F.leaky_relu(x + layer["bias"][:, None, None], 0.2)
        x = x - x.mean(dim=(2, 3), keepdim=True)
        x = x / (x.square().mean(dim=(2, 3), keepdim=True) + 1e-8).sqrt()
        style = codes[:, i] @ layer["affine.weight"].t() / math.sqrt(codes.shape[2]) + layer["affine.bias"]
        x = x * (style[:, :channels, None, None] + 1.0) + style[:, channels:, None, None]
    level = codes.shape[1] // 2 - 1
    weight = own[f"outputs.{level}.weight"]
    return F.conv2d(x, weight / math.sqrt(weight.shape[1]), own[f"outputs.{level}.bias"])
