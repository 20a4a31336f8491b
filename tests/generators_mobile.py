"""Small random networks of MobileStyleGAN.pytorch, and the forward pass of the student written plainly."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

HAAR = {"0": torch.tensor([0.5**0.5, 0.5**0.5]), "1": torch.tensor([0.5**0.5, -(0.5**0.5)])}


def small_state(
    widths: tuple[int, ...] = (8, 12, 4),
    size: int = 6,
    depth: int = 2,
    student: bool = True,
    training: bool = True,
    averaged: bool = True,
    seed: int = 0,
) -> dict[str, Tensor]:
    """The state_dict of a file of training.

    Args:
        widths: channels of the feature maps, from 4 pixels up.
        size: numbers in z and w.
        student: whether the student is in it.
        training: whether the teacher and other networks of the training are in it.
        averaged: whether the mean w is.
    """
    random = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        return scale * torch.randn(shape, generator=random)

    def styled(name: str, inputs: int) -> None:
        state[f"{name}.modulation.weight"] = draw(inputs, size, scale=0.3)
        state[f"{name}.modulation.bias"] = 1.0 + draw(inputs, scale=0.2)

    def filters(name: str) -> None:
        for kind, taps in HAAR.items():
            state[f"{name}.g{kind}_col"] = taps[None, None, :, None].clone()
            state[f"{name}.g{kind}_row"] = taps[None, None, None, :].clone()

    def convolution(name: str, inputs: int, outputs: int, *, separable: bool) -> None:
        styled(f"{name}.conv", inputs)
        if separable:
            state[f"{name}.conv.weight_dw"] = draw(inputs, 1, 3, 3)
            state[f"{name}.conv.weight_permute"] = draw(outputs, inputs, 1, 1)
        else:
            state[f"{name}.conv.weight"] = draw(outputs, inputs, 3, 3)
        state[f"{name}.conv.style_inv"] = draw(1, 1, inputs, 1, 1)
        state[f"{name}.noise.weight"] = draw(1, scale=0.3)
        state[f"{name}.bias"] = draw(1, outputs, 1, 1, scale=0.3)

    def output(name: str, inputs: int) -> None:
        styled(f"{name}.conv", inputs)
        state[f"{name}.conv.weight"] = draw(12, inputs, 1, 1)
        state[f"{name}.bias"] = draw(1, 12, 1, 1, scale=0.3)

    for i in range(1, depth + 1):  # the learning rate of 0.01 is undone, so that w varies
        state[f"mapping_net.layers.{i}.weight"] = draw(size, size, scale=100.0)
        state[f"mapping_net.layers.{i}.bias"] = draw(size, scale=20.0)
    if averaged:
        state["style_mean"] = draw(size).expand(1, 3 * len(widths) - 1, size).clone()
    if training or not student:
        state |= _teacher(widths, size, draw)
    if training:
        state |= {"loss.gan_loss.m.convs.0.0.weight": draw(2, 2), "inception.fc.bias": draw(3)}
        state["device_info"] = torch.tensor(1)
    if student:
        state["student.device_info"] = torch.zeros(1)
        state["student.input.input"] = draw(1, widths[0], 4, 4)
        convolution("student.conv1", widths[0], widths[0], separable=False)
        output("student.to_img1", widths[0])
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            block = f"student.layers.{i}"
            filters(f"{block}.up.idwt")
            styled(f"{block}.up", inputs)
            convolution(f"{block}.conv1", inputs // 4, outputs, separable=True)
            convolution(f"{block}.conv2", outputs, outputs, separable=True)
            output(f"{block}.to_img", outputs)
        filters("student.idwt")
    return state


def _teacher(widths: tuple[int, ...], size: int, draw: Callable[..., Tensor]) -> dict[str, Tensor]:
    """The teacher, a StyleGAN2 with one size more."""
    state = {"synthesis_net.input.input": draw(1, widths[0], 4, 4)}
    kernel = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0])] * 2) / 16.0

    def modulated(name: str, inputs: int, outputs: int, width: int) -> None:
        state[f"{name}.conv.weight"] = draw(1, outputs, inputs, width, width)
        state[f"{name}.conv.modulation.weight"] = draw(inputs, size)
        state[f"{name}.conv.modulation.bias"] = 1.0 + draw(inputs, scale=0.2)

    def layer(name: str, inputs: int, outputs: int) -> None:
        modulated(name, inputs, outputs, 3)
        state[f"{name}.noise.weight"] = draw(1, scale=0.3)
        state[f"{name}.activate.bias"] = draw(outputs, scale=0.3)

    def to_rgb(name: str, inputs: int) -> None:
        modulated(name, inputs, 3, 1)
        state[f"{name}.bias"] = draw(1, 3, 1, 1, scale=0.3)

    layer("synthesis_net.conv1", widths[0], widths[0])
    to_rgb("synthesis_net.to_rgb1", widths[0])
    for i, (inputs, outputs) in enumerate(pairwise((*widths, 3))):
        block = f"synthesis_net.layers.{i}"
        layer(f"{block}.conv1", inputs, outputs)
        state[f"{block}.conv1.conv.blur.kernel"] = kernel.clone()
        layer(f"{block}.conv2", outputs, outputs)
        to_rgb(f"{block}.to_rgb", outputs)
        state[f"{block}.to_rgb.upsample.kernel"] = kernel.clone()
    state["synthesis_net.upsample.kernel"] = kernel.clone()
    return state


def plain(state: dict[str, Tensor], codes: Tensor, noise: list[Tensor] | None = None) -> Tensor:
    """Pictures (N, 3, H, W) in [-1, 1] of codes (N, L, D), in double precision.

    Args:
        noise: (1 or N, 1, r, r) of each convolution, in their order.
    """
    own = {k.removeprefix("student."): t.double() for k, t in state.items() if k.startswith("student.")}
    codes = codes.double()
    left = [] if noise is None else [n.double() for n in noise]

    def style(name: str, layer: int) -> Tensor:
        w, b = own[f"{name}.modulation.weight"], own[f"{name}.modulation.bias"]
        return (codes[:, layer] @ w.t() + b)[:, :, None, None]

    def convolved(x: Tensor, name: str, layer: int) -> Tensor:
        conv = f"{name}.conv"
        if f"{conv}.weight" in own:
            kernel = own[f"{conv}.weight"]
        else:  # one dense kernel (O, I, 3, 3)
            kernel = own[f"{conv}.weight_permute"] * own[f"{conv}.weight_dw"].transpose(0, 1)
        scale = 1.0 / (kernel[0].numel()) ** 0.5
        fixed = scale * kernel * own[f"{conv}.style_inv"][0]
        kernel = scale * kernel / (fixed.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        x = F.conv2d(x * style(conv, layer), kernel, padding=1)
        x = x + own[f"{name}.noise.weight"] * left.pop(0) if left else x
        x = x + own[f"{name}.bias"]
        return torch.where(x > 0.0, x, 0.2 * x)

    x = own["input.input"].expand(len(codes), -1, -1, -1)
    x = convolved(x, "conv1", 0)
    count = 1 + max(int(name.split(".")[1]) for name in own if name.startswith("layers."))
    for i in range(count):
        x = _upsampled(x * style(f"layers.{i}.up", 2 * i + 1))
        x = convolved(x, f"layers.{i}.conv1", 2 * i + 1)
        x = convolved(x, f"layers.{i}.conv2", 2 * i + 2)
    last = f"layers.{count - 1}.to_img"
    kernel = own[f"{last}.conv.weight"] / x.shape[1] ** 0.5
    return _upsampled(F.conv2d(x * style(f"{last}.conv", 2 * count + 1), kernel) + own[f"{last}.bias"])


def _upsampled(x: Tensor) -> Tensor:
    """The inverse wavelet transform, as a sum of transposed convolutions, channel by channel."""
    channels = x.shape[1] // 4
    low, high = (HAAR[kind].double() for kind in "01")
    kernels = [torch.outer(high, low), torch.outer(low, high), torch.outer(high, high)]  # rows x columns
    pictures = []
    for c in range(channels):
        bands = [(c, torch.outer(low, low)), *((channels + 3 * c + k, kernels[k]) for k in range(3))]
        parts = [F.conv_transpose2d(x[:, i : i + 1], k[None, None], stride=2) for i, k in bands]
        pictures.append(torch.stack(parts).sum(dim=0))
    return torch.cat(pictures, dim=1)
