"""Small random StyleGAN2 generators in every layout under which they are published."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from ganstrata.plugins.generators.stylegan2.network import Network
from torch import Tensor

LAYOUTS = ("nvidia", "higan", "genforce", "rosinality", "mmgeneration", "tensorflow")
FILTERS = re.compile(r".*resample_filter")


def random_state(**sizes: Any) -> dict[str, Tensor]:
    """State dict of a small random network by NVIDIA's names, no tensor zero; sizes as Network takes them."""
    with torch.random.fork_rng():
        torch.manual_seed(sizes.pop("seed", 0))
        settings = {
            "channels": {4: 6, 8: 5, 16: 4},
            "z_dim": 7,
            "w_dim": 5,
            "mapping_layers": 3,
            "mapping_width": 8,
            **sizes,
        }
        state = {name: value.clone().contiguous() for name, value in Network(**settings).state_dict().items()}
        for name, value in state.items():
            if name.endswith(("noise_strength", "bias", "w_avg")):
                state[name] = value + 0.3 * torch.randn(value.shape)
        return state


def small_state(layout: str = "nvidia", **sizes: Any) -> dict[str, Tensor]:
    """A small random generator as one of LAYOUTS stores it.

    The same sizes and seed are the same network in all layouts.
    """
    return stored(random_state(**sizes), layout)


def stored(state: dict[str, Tensor], layout: str) -> dict[str, Tensor]:
    """A state dict by NVIDIA's names as one of LAYOUTS stores it."""
    if layout == "nvidia":
        return state
    names: Callable[[str, Tensor], tuple[str, Tensor] | None] = {
        "higan": lambda name, t: _genforce(name, t, older=True),
        "genforce": lambda name, t: _genforce(name, t, older=False),
        "rosinality": _rosinality,
        "mmgeneration": _mmgeneration,
        "tensorflow": _tensorflow,
    }[layout]
    pairs = [names(name, t) for name, t in state.items()]
    return {name: t.clone().contiguous() for name, t in (pair for pair in pairs if pair is not None)}


def _place(name: str) -> tuple[int, str, str]:
    """Resolution, module and what it holds, of a tensor of the synthesis network."""
    size, module, leaf = re.fullmatch(r"synthesis\.b(\d+)\.(\w+)\.?(.*)", name).groups()  # type: ignore[union-attr]
    return int(size), module, leaf


def _number(size: int, module: str) -> int:
    """Of a convolution, counted from the lowest; of a ToRGB, its block's."""
    block = size.bit_length() - 3
    return block if module == "torgb" else 2 * block - (module == "conv0")


def _genforce(name: str, t: Tensor, *, older: bool) -> tuple[str, Tensor] | None:
    if name == "mapping.w_avg":
        return "truncation.w_avg", t
    if name.startswith("mapping.embed"):
        return name.replace("embed", "LabelEmbed"), t
    if name.startswith("mapping.fc"):
        return name.replace(".fc", ".dense").replace(".weight", ".fc.weight" if older else ".weight"), t
    if name.startswith("mapping."):
        return name, t
    size, module, leaf = _place(name)
    if module == "const":
        return "synthesis.early_layer.const", t[None]
    if FILTERS.fullmatch(name):
        if module == "conv0":
            return f"synthesis.layer{_number(size, module)}.filter.kernel", 4.0 * t[None, None]
        return (
            ("synthesis.upsample.kernel", 4.0 * t[None, None])
            if name == "synthesis.b4.resample_filter"
            else None
        )
    place = f"synthesis.{'output' if module == 'torgb' else 'layer'}{_number(size, module)}."
    if leaf == "weight":
        t = t.flip(2, 3) if module == "conv0" else t
        return place + "weight", t.permute(2, 3, 1, 0) if older else t
    new = {
        "noise_const": "noise",
        "affine.weight": "style.fc.weight" if older else "style.weight",
        "affine.bias": "style.bias",
    }.get(leaf, leaf)
    return place + new, t[None, None] if leaf == "noise_const" else t - 1.0 if leaf == "affine.bias" else t


def _rosinality(name: str, t: Tensor) -> tuple[str, Tensor] | None:
    if name == "mapping.w_avg":
        return "latent_avg", t  # the reader puts it here from beside the state dict
    if name.startswith("mapping."):
        return re.sub(r"mapping\.fc(\d+)", lambda m: f"style.{int(m[1]) + 1}", name), t
    size, module, leaf = _place(name)
    if module == "const":
        return "input.input", t[None]
    number = _number(size, "conv1" if module == "resample_filter" else module)
    first = size == 4
    if module == "resample_filter":
        return None if first else (f"to_rgbs.{number // 2 - 1}.upsample.kernel", 4.0 * t)
    if leaf == "resample_filter":
        return (f"convs.{number - 1}.conv.blur.kernel", 4.0 * t) if module == "conv0" else None
    if leaf == "noise_const":
        return f"noises.noise_{number}", t[None, None]
    rgb = module == "torgb"
    place = (
        ("to_rgb1." if first else f"to_rgbs.{number - 1}.")
        if rgb
        else ("conv1." if first else f"convs.{number - 1}.")
    )
    if leaf == "weight":
        return place + "conv.weight", t[None]
    if leaf == "noise_strength":
        return place + "noise.weight", t[None]
    if leaf == "bias":
        return (place + "bias", t[None, :, None, None]) if rgb else (place + "activate.bias", t)
    return place + leaf.replace("affine", "conv.modulation"), t


def _mmgeneration(name: str, t: Tensor) -> tuple[str, Tensor] | None:
    pair = _rosinality(name, t)
    if pair is None:
        return None
    old, t = pair
    if old.startswith("style."):
        return re.sub(
            r"style\.(\d+)\.(weight|bias)",
            lambda m: f"style_mapping.{m[1]}.{'linear.weight_orig' if m[2] == 'weight' else 'bias'}",
            old,
        ), t
    old = (
        old.replace("input.input", "constant_input.input")
        .replace("noises.noise_", "injected_noise_")
        .replace(".noise.", ".noise_injector.")
    )
    old = old.replace("conv.modulation.weight", "conv.style_modulation.linear.weight_orig").replace(
        "conv.modulation.", "conv.style_modulation."
    )
    return re.sub(r"\.conv\.weight$", ".conv.weight_orig", old), t


def _tensorflow(name: str, t: Tensor) -> tuple[str, Tensor] | None:
    if FILTERS.fullmatch(name):
        return None
    if name.startswith("mapping."):
        leaf = name.removeprefix("mapping.")
        if leaf in ("w_avg", "label_weight"):
            return {"w_avg": "dlatent_avg", "label_weight": "LabelConcat/weight"}[leaf], t
        new = leaf.replace("embed", "LabelEmbed").replace("fc", "Dense").replace(".", "/")
        return new, t.t() if leaf.endswith("weight") else t
    size, module, leaf = _place(name)
    if module == "const":
        return "4x4/Const/const", t[None]
    if leaf == "noise_const":
        return f"noise{_number(size, module)}", t[None, None]
    place = (
        f"{size}x{size}/"
        + {"conv0": "Conv0_up", "conv1": "Conv" if size == 4 else "Conv1", "torgb": "ToRGB", "skip": "Skip"}[
            module
        ]
    )
    if leaf == "weight":
        return f"{place}/weight", (t.flip(2, 3) if module == "conv0" else t).permute(2, 3, 1, 0)
    if leaf.startswith("affine"):
        return f"{place}/mod_{leaf.removeprefix('affine.')}", t.t() if leaf.endswith("weight") else t - 1.0
    return f"{place}/{leaf}", t


def plain_upsampled(x: Tensor, kernel: Tensor) -> Tensor:
    """By its definition: zeros after every pixel, then the filter of gain 4 with NVIDIA's padding."""
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, 2 * h, 2 * w)
    spread[:, :, ::2, ::2] = x
    k = kernel.shape[0]
    padded = F.pad(spread, ((k + 1) // 2, (k - 2) // 2) * 2)
    return F.conv2d(padded, (4.0 * kernel.flip(0, 1)).expand(c, 1, k, k), groups=c)


def plain_images(
    state: dict[str, Tensor], codes: Tensor, kind: str = "skip", clamp: float | None = None
) -> Tensor:
    """The whole synthesis sample by sample, weights modulated and demodulated as the paper writes it."""
    sizes = sorted({int(name.split(".")[1][1:]) for name in state if name.startswith("synthesis.")})
    return torch.cat([_plain_image(state, code, sizes, kind, clamp) for code in codes])


def _plain_image(
    state: dict[str, Tensor], code: Tensor, sizes: list[int], kind: str, clamp: float | None
) -> Tensor:
    def of(name: str) -> Tensor:
        return state[f"synthesis.{name}"].double()

    def style(name: str, layer: int) -> Tensor:
        weight = of(f"{name}.affine.weight")
        return weight @ code[layer].double() / weight.shape[1] ** 0.5 + of(f"{name}.affine.bias")

    def clamped(y: Tensor, gain: float = 1.0) -> Tensor:
        return y if clamp is None else y.clamp(-clamp * gain, clamp * gain)

    def conv(name: str, y: Tensor, layer: int, *, up: bool, gain: float = 1.0) -> Tensor:
        weight = of(f"{name}.weight") * style(name, layer)[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            # A convolution by the turned weights of what lies between zeros, then the filter.
            n, c, h, w = y.shape
            spread = y.new_zeros(n, c, 2 * h, 2 * w)
            spread[:, :, ::2, ::2] = y
            kernel = of(f"{name}.resample_filter")
            k = kernel.shape[0]
            spread = F.conv2d(F.pad(spread, (2, 1, 2, 1)), weight.flip(2, 3))  # (1, O, 2h+1, 2w+1)
            spread = F.pad(spread, ((k + 1) // 2 - 1, (k - 2) // 2) * 2)
            y = F.conv2d(
                spread, (4.0 * kernel.flip(0, 1)).expand(weight.shape[0], 1, k, k), groups=weight.shape[0]
            )
        else:
            y = F.conv2d(y, weight, padding=1)
        y = (
            y
            + of(f"{name}.noise_strength") * of(f"{name}.noise_const")
            + of(f"{name}.bias")[None, :, None, None]
        )
        return clamped(F.leaky_relu(y, 0.2) * 2**0.5 * gain, gain)

    x, rgb, layer = of("b4.const")[None], None, 0
    for size in sizes:
        block = f"b{size}"
        half = 0.5**0.5 if kind == "resnet" and size > 4 else 1.0
        residual: Tensor | float = 0.0
        if size > 4:
            if kind == "resnet":
                weight = of(f"{block}.skip.weight")
                residual = half * F.conv2d(
                    plain_upsampled(x, of(f"{block}.resample_filter")), weight / weight.shape[1] ** 0.5
                )
            x = conv(f"{block}.conv0", x, layer, up=True)
            layer += 1
        x = conv(f"{block}.conv1", x, layer, up=False, gain=half) + residual
        layer += 1
        if kind == "skip" or size == sizes[-1]:
            weight = (
                of(f"{block}.torgb.weight")
                * style(f"{block}.torgb", layer)[None, :, None, None]
                / x.shape[1] ** 0.5
            )
            y = clamped(F.conv2d(x, weight) + of(f"{block}.torgb.bias")[None, :, None, None])
            rgb = y if rgb is None else plain_upsampled(rgb, of(f"{block}.resample_filter")) + y
    assert rgb is not None
    return rgb.float()
