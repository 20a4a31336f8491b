"""Small ProgressiveGANs as PyTorch GAN Zoo and pro_gan_pytorch store them, with their forward passes.

Written from what is known of the two libraries, independently of the package: every layer is computed
with the library's own scales, and in double precision.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

WIDTHS = (6, 5, 4)
Z = 7


def _draw(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}


def zoo(seed: int = 0, *, widths: tuple[int, ...] = WIDTHS, module: str = "module.") -> dict[str, Tensor]:
    """The generator of the zoo; older files have no `module`."""
    shapes: dict[str, tuple[int, ...]] = {
        f"formatLayer.{module}weight": (16 * widths[0], Z),
        f"formatLayer.{module}bias": (16 * widths[0],),
        f"groupScale0.0.{module}weight": (widths[0], widths[0], 3, 3),
        f"groupScale0.0.{module}bias": (widths[0],),
    }
    for k, width in enumerate(widths[1:]):
        for j, inputs in enumerate((widths[k], width)):
            shapes[f"scaleLayers.{k}.{j}.{module}weight"] = (width, inputs, 3, 3)
            shapes[f"scaleLayers.{k}.{j}.{module}bias"] = (width,)
    for k, width in enumerate(widths):
        shapes[f"toRGBLayers.{k}.{module}weight"] = (3, width, 1, 1)
        shapes[f"toRGBLayers.{k}.{module}bias"] = (3,)
    return _draw(shapes, seed)


def zoo_pictures(
    state: dict[str, Tensor],
    z: Tensor,
    *,
    alpha: float = 0.0,
    equalised: bool = True,
    leak: float = 0.2,
    tanh: bool = False,
) -> Tensor:
    """Pictures (N, 3, H, W) of the zoo's network. The constant of a layer multiplies its bias too."""
    state = {name.replace(".module", ""): tensor.double() for name, tensor in state.items()}

    def layer(name: str, x: Tensor) -> Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        y = (
            F.linear(x, weight, bias)
            if x.ndim == 2
            else F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        )
        return y * math.sqrt(2.0 / weight[0].numel()) if equalised else y

    x = _norm(z.double())
    x = _norm(F.leaky_relu(layer("formatLayer", x), leak).view(len(z), -1, 4, 4))
    features = [_norm(F.leaky_relu(layer("groupScale0.0", x), leak))]
    for k in range(sum(name.endswith(".0.weight") and name.startswith("scaleLayers") for name in state)):
        x = _double(features[-1])
        for j in (0, 1):
            x = _norm(F.leaky_relu(layer(f"scaleLayers.{k}.{j}", x), leak))
        features.append(x)
    picture = layer(f"toRGBLayers.{len(features) - 1}", features[-1])
    if alpha > 0:
        below = _double(layer(f"toRGBLayers.{len(features) - 2}", features[-2]))
        picture = alpha * below + (1 - alpha) * picture
    return torch.tanh(picture) if tanh else picture


def pro_gan(seed: int = 0, *, widths: tuple[int, ...] = WIDTHS, old: bool = False) -> dict[str, Tensor]:
    """The generator of pro_gan_pytorch; before version 3 the first block was apart from the others."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k, width in enumerate(widths):
        block = "initial_block" if old and not k else f"layers.{k - old}"
        shapes[f"{block}.conv_1.weight"] = (width, widths[k - 1], 3, 3) if k else (Z, width, 4, 4)
        shapes[f"{block}.conv_2.weight"] = (width, width, 3, 3)
        shapes[f"{block}.conv_1.bias"] = shapes[f"{block}.conv_2.bias"] = (width,)
        shapes[f"rgb_converters.{k}.weight"] = (3, width, 1, 1)
        shapes[f"rgb_converters.{k}.bias"] = (3,)
    return _draw(shapes, seed)


def pro_gan_pictures(
    state: dict[str, Tensor],
    z: Tensor,
    *,
    levels: int = len(WIDTHS),
    old: bool = False,
    equalised: bool = True,
) -> Tensor:
    """Pictures (N, 3, H, W) of pro_gan_pytorch's network at one of its depths."""

    def layer(name: str, x: Tensor, operation: str = "same") -> Tensor:
        weight, bias = state[f"{name}.weight"].double(), state[f"{name}.bias"].double()
        if operation == "first":
            scale = math.sqrt(2.0 / weight.shape[0]) if equalised else 1.0
            return F.conv_transpose2d(x, weight * scale, bias)
        scale = math.sqrt(2.0 / weight[0].numel()) if equalised else 1.0
        return F.conv2d(x, weight * scale, bias, padding=weight.shape[2] // 2)

    x = (z.double() if old else _norm(z.double()))[:, :, None, None]
    first = "initial_block" if old else "layers.0"
    x = F.leaky_relu(layer(f"{first}.conv_1", x, "first"), 0.2)
    x = _norm(F.leaky_relu(layer(f"{first}.conv_2", x), 0.2))
    for k in range(1, levels):
        x = _double(x)
        for j in (1, 2):
            x = _norm(F.leaky_relu(layer(f"layers.{k - old}.conv_{j}", x), 0.2))
    return layer(f"rgb_converters.{levels - 1}", x)


def _norm(x: Tensor) -> Tensor:
    return x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()


def _double(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
