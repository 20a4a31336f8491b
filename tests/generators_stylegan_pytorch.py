"""Small StyleGANs as rosinality and PyTorch GAN Zoo store them, with their forward passes.

Written from what is known of the two libraries, independently of the package: every layer is computed
with the library's own scales and order, and in double precision.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

WIDTHS = (6, 5, 4)
W = 7
FUSED_FROM = 2  # level; rosinality fuses from 128 pixels up


def _draw(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}


def _binomial(channels: int) -> Tensor:
    row = torch.tensor([1.0, 2.0, 1.0]) / 4.0
    return torch.outer(row, row).expand(channels, 1, 3, 3).clone()


def rosinality(seed: int = 0, *, widths: tuple[int, ...] = WIDTHS, mapping: int = 3) -> dict[str, Tensor]:
    """The state dict of rosinality's StyledGenerator."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(mapping):
        shapes[f"style.{2 * k + 1}.linear.weight_orig"] = (W, W)
        shapes[f"style.{2 * k + 1}.linear.bias"] = (W,)
    filters = {}
    for k, width in enumerate(widths):
        block = f"generator.progression.{k}"
        if k == 0:
            shapes[f"{block}.conv1.input"] = (1, width, 4, 4)
        elif k < FUSED_FROM:
            shapes[f"{block}.conv1.1.conv.weight_orig"] = (width, widths[k - 1], 3, 3)
            shapes[f"{block}.conv1.1.conv.bias"] = (width,)
        else:
            shapes[f"{block}.conv1.0.weight"] = (widths[k - 1], width, 3, 3)
            shapes[f"{block}.conv1.0.bias"] = (width,)
        if k:
            blur = f"{block}.conv1.{2 if k < FUSED_FROM else 1}."
            filters |= {blur + "weight": _binomial(width), blur + "weight_flip": _binomial(width)}
        shapes[f"{block}.conv2.conv.weight_orig"] = (width, width, 3, 3)
        shapes[f"{block}.conv2.conv.bias"] = (width,)
        for j in (1, 2):
            shapes[f"{block}.noise{j}.weight_orig"] = (1, width, 1, 1)
            shapes[f"{block}.adain{j}.style.linear.weight_orig"] = (2 * width, W)
            shapes[f"{block}.adain{j}.style.linear.bias"] = (2 * width,)
        shapes[f"generator.to_rgb.{k}.conv.weight_orig"] = (3, width, 1, 1)
        shapes[f"generator.to_rgb.{k}.conv.bias"] = (3,)
    return _draw(shapes, seed) | filters


def _scaled(weight: Tensor) -> Tensor:
    return weight.double() * math.sqrt(2.0 / weight[0].numel())


def rosinality_mapping(state: dict[str, Tensor], z: Tensor) -> Tensor:
    """Codes w (N, W) of z (N, W)."""
    x = z.double() / (z.double().square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for k in range(sum(name.startswith("style.") for name in state) // 2):
        name = f"style.{2 * k + 1}.linear."
        x = F.leaky_relu(
            F.linear(x, _scaled(state[name + "weight_orig"]), state[name + "bias"].double()), 0.2
        )
    return x


def rosinality_pictures(
    state: dict[str, Tensor],
    w: Tensor,
    noise: dict[tuple[int, int], Tensor] | None = None,
    *,
    levels: int = 3,
) -> Tensor:
    """Pictures (N, 3, H, W) at one of the network's steps, with the noise (H, W) of each level and layer."""
    x = torch.empty(0)
    for k in range(levels):
        block = f"generator.progression.{k}"
        if k == 0:
            x = state[f"{block}.conv1.input"].double().repeat(len(w), 1, 1, 1)
        else:
            fused = f"{block}.conv1.0.weight" in state
            if fused:
                weight = state[f"{block}.conv1.0.weight"].double()
                weight = F.pad(weight * math.sqrt(2.0 / (weight.shape[0] * 9)), [1, 1, 1, 1])
                weight = (
                    weight[:, :, 1:, 1:]
                    + weight[:, :, :-1, 1:]
                    + weight[:, :, 1:, :-1]
                    + weight[:, :, :-1, :-1]
                ) / 4.0
                bias = state[f"{block}.conv1.0.bias"].double()
                x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1)
            else:
                x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
                x = F.conv2d(
                    x,
                    _scaled(state[f"{block}.conv1.1.conv.weight_orig"]),
                    state[f"{block}.conv1.1.conv.bias"].double(),
                    padding=1,
                )
            kernel = state[f"{block}.conv1.{1 if fused else 2}.weight"].double()
            x = F.conv2d(x, kernel, padding=1, groups=x.shape[1])
        x = _rosinality_rest(state, block, 1, x, w, noise and noise[k, 1])
        x = F.conv2d(
            x,
            _scaled(state[f"{block}.conv2.conv.weight_orig"]),
            state[f"{block}.conv2.conv.bias"].double(),
            padding=1,
        )
        x = _rosinality_rest(state, block, 2, x, w, noise and noise[k, 2])
    output = f"generator.to_rgb.{levels - 1}.conv."
    return F.conv2d(x, _scaled(state[output + "weight_orig"]), state[output + "bias"].double())


def _rosinality_rest(
    state: dict[str, Tensor], block: str, j: int, x: Tensor, w: Tensor, noise: Tensor | None
) -> Tensor:
    if noise is not None:
        strength = state[f"{block}.noise{j}.weight_orig"].double()
        x = x + strength * math.sqrt(2.0 / strength.shape[1]) * noise.double()
    x = F.instance_norm(F.leaky_relu(x, 0.2), eps=1e-5)
    name = f"{block}.adain{j}.style.linear."
    style = F.linear(w.double(), _scaled(state[name + "weight_orig"]), state[name + "bias"].double())
    scale, shift = style[:, :, None, None].chunk(2, dim=1)
    return scale * x + shift


def zoo(seed: int = 0, *, widths: tuple[int, ...] = (W, 5, 4), mapping: int = 3) -> dict[str, Tensor]:
    """The state dict of the zoo's StyleGAN, whose first level has the width of w."""
    shapes: dict[str, tuple[int, ...]] = {
        "baseScale0": (1, W, 4, 4),
        "mean_w": (1, W),
        "conv0.module.weight": (W, W, 3, 3),
        "conv0.module.bias": (W,),
    }
    for k in range(mapping):
        shapes[f"mapping.FC.{k}.module.weight"], shapes[f"mapping.FC.{k}.module.bias"] = (W, W), (W,)
    affine: list[tuple[str, int]] = [("adain00", W), ("adain01", W)]
    noises = ["noiseMod00", "noiseMod01"]
    for k, width in enumerate(widths[1:]):
        for j, inputs in ((0, widths[k]), (2, width)):
            shapes[f"scaleLayers.{k}.{j}.module.weight"] = (width, inputs, 3, 3)
            shapes[f"scaleLayers.{k}.{j}.module.bias"] = (width,)
            affine.append((f"scaleLayers.{k}.{j + 1}", width))
            noises.append(f"noiseModulators.{k}.{j // 2}")
        shapes[f"toRGBLayers.{k}.module.weight"] = (3, width, 1, 1)
        shapes[f"toRGBLayers.{k}.module.bias"] = (3,)
    for name, width in affine:
        shapes[f"{name}.styleModulator.module.weight"] = (2 * width, W)
        shapes[f"{name}.styleModulator.module.bias"] = (2 * width,)
    shapes |= {f"{name}.module.weight": (1, 1, 1, 1) for name in noises}
    state = _draw(shapes, seed)
    for name in state:
        if name.startswith("mapping"):
            state[name] = state[name] * 100.0  # drawn from N(0, 1) / 0.01
    return state


def _zoo_layer(state: dict[str, Tensor], name: str, x: Tensor, multiplier: float = 1.0) -> Tensor:
    """The constant multiplies the sum of the weighted inputs and the bias."""
    weight, bias = state[f"{name}.module.weight"].double(), state[f"{name}.module.bias"].double()
    y = F.linear(x, weight, bias) if x.ndim == 2 else F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
    return y * math.sqrt(2.0 / weight[0].numel()) * multiplier


def zoo_mapping(state: dict[str, Tensor], z: Tensor) -> Tensor:
    """Codes w (N, W) of z (N, W)."""
    x = z.double() / (z.double().square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for k in range(sum(name.startswith("mapping.FC") for name in state) // 2):
        x = F.leaky_relu(_zoo_layer(state, f"mapping.FC.{k}", x, 0.01), 0.2)
    return x


def zoo_pictures(state: dict[str, Tensor], w: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) without noise."""
    w = w.double()

    def normalised(name: str, x: Tensor) -> Tensor:
        x = F.instance_norm(F.leaky_relu(x, 0.2), eps=1e-8)
        scale, shift = _zoo_layer(state, f"{name}.styleModulator", w)[:, :, None, None].chunk(2, dim=1)
        return scale * x + shift

    x = normalised("adain00", state["baseScale0"].double().repeat(len(w), 1, 1, 1))
    x = normalised("adain01", _zoo_layer(state, "conv0", x))
    count = sum(name.startswith("toRGBLayers") for name in state) // 2
    for k in range(count):
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        for j in (0, 2):
            x = normalised(f"scaleLayers.{k}.{j + 1}", _zoo_layer(state, f"scaleLayers.{k}.{j}", x))
    return _zoo_layer(state, f"toRGBLayers.{count - 1}", x)
