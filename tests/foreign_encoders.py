"""Small random encoders by others, in the layout of their files, and what they compute, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


def _noise(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


class _Names:
    """Give every tensor its own random numbers."""

    def __init__(self) -> None:
        self.state: State = {}

    def add(self, name: str, *shape: int, scale: float = 1.0, shift: float = 0.0) -> None:
        self.state[name] = shift + scale * _noise(len(self.state) + 1, *shape)

    def conv(self, name: str, outputs: int, inputs: int, size: int) -> None:
        self.add(name, outputs, inputs, size, size, scale=(inputs * size * size) ** -0.5)

    def bn(self, name: str, channels: int) -> None:
        self.add(f"{name}.weight", channels, scale=0.2, shift=1.0)
        self.add(f"{name}.bias", channels, scale=0.2)
        self.add(f"{name}.running_mean", channels, scale=0.2)
        self.state[f"{name}.running_var"] = 0.5 + _noise(len(self.state) + 1, channels).abs()
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)


def _bn(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    y = (x - mean[:, None, None]) / (var + 1e-5).sqrt()[:, None, None]
    return y * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]


# --- pSp and e4e -------------------------------------------------------------------------------------

UNITS = (2, 1, 2, 1)  # residual units of each stage; 3, 4, 14 and 3 in IR-SE50
WIDTHS = (6, 8, 10, 12)


def pyramid_state(steps: Sequence[int], code_size: int, colours: int = 3) -> State:
    """State dict of the encoder alone; `steps` are the convolutions of each layer's style."""
    names = _Names()
    names.conv("input_layer.0.weight", WIDTHS[0], colours, 3)
    names.bn("input_layer.1", WIDTHS[0])
    names.add("input_layer.2.weight", WIDTHS[0], scale=0.1, shift=0.25)
    before, i = WIDTHS[0], 0
    for count, width in zip(UNITS, WIDTHS, strict=True):
        for _ in range(count):
            here = f"body.{i}"
            if before != width:
                names.conv(f"{here}.shortcut_layer.0.weight", width, before, 1)
                names.bn(f"{here}.shortcut_layer.1", width)
            names.bn(f"{here}.res_layer.0", before)
            names.conv(f"{here}.res_layer.1.weight", width, before, 3)
            names.add(f"{here}.res_layer.2.weight", width, scale=0.1, shift=0.25)
            names.conv(f"{here}.res_layer.3.weight", width, width, 3)
            names.bn(f"{here}.res_layer.4", width)
            names.conv(f"{here}.res_layer.5.fc1.weight", 2, width, 1)
            names.conv(f"{here}.res_layer.5.fc2.weight", width, 2, 1)
            before, i = width, i + 1
    for layer, count in enumerate(steps):
        for k in range(count):
            name = f"styles.{layer}.convs.{2 * k}"
            names.conv(f"{name}.weight", code_size, code_size if k else WIDTHS[-1], 3)
            names.add(f"{name}.bias", code_size, scale=0.1)
        names.add(f"styles.{layer}.linear.weight", code_size, code_size)
        names.add(f"styles.{layer}.linear.bias", code_size, scale=0.1)
    for name, width in (("latlayer1", WIDTHS[2]), ("latlayer2", WIDTHS[1])):
        names.conv(f"{name}.weight", WIDTHS[-1], width, 1)
        names.add(f"{name}.bias", WIDTHS[-1], scale=0.1)
    return names.state


def plain_pyramid(state: State, x: Tensor, *, deltas: bool) -> Tensor:
    """Codes (N, L, D) of pictures (N, 3, S, S) in [-1, 1]."""
    x = F.conv2d(x, state["input_layer.0.weight"], padding=1)
    x = F.prelu(_bn(state, "input_layer.1", x), state["input_layer.2.weight"])
    ends = {sum(UNITS[: k + 1]) - 1: k for k in range(4)}
    begins = [0, *(end + 1 for end in ends)]
    maps: dict[int, Tensor] = {}
    for i in range(sum(UNITS)):
        here, stride = f"body.{i}", 2 if i in begins else 1
        y = _bn(state, f"{here}.res_layer.0", x)
        y = F.prelu(
            F.conv2d(y, state[f"{here}.res_layer.1.weight"], padding=1), state[f"{here}.res_layer.2.weight"]
        )
        y = F.conv2d(y, state[f"{here}.res_layer.3.weight"], stride=stride, padding=1)
        y = _bn(state, f"{here}.res_layer.4", y)
        s = F.adaptive_avg_pool2d(y, 1)
        s = F.conv2d(
            F.conv2d(s, state[f"{here}.res_layer.5.fc1.weight"]).relu(),
            state[f"{here}.res_layer.5.fc2.weight"],
        )
        if f"{here}.shortcut_layer.0.weight" in state:
            short = F.conv2d(x, state[f"{here}.shortcut_layer.0.weight"], stride=stride)
            short = _bn(state, f"{here}.shortcut_layer.1", short)
        else:
            short = F.max_pool2d(x, 1, stride)
        x = y * s.sigmoid() + short
        if i in ends:
            maps[ends[i]] = x

    def above(coarse: Tensor, fine: Tensor, name: str) -> Tensor:
        lateral = F.conv2d(fine, state[f"{name}.weight"], state[f"{name}.bias"])
        return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=True) + lateral

    middle = above(maps[3], maps[2], "latlayer1")
    levels = [maps[3], middle, above(middle, maps[1], "latlayer2")]
    codes: list[Tensor] = []
    least = sum(name.startswith("styles.0.convs") and name.endswith("weight") for name in state)
    while f"styles.{len(codes)}.linear.weight" in state:
        name = f"styles.{len(codes)}"
        count = sum(key.startswith(f"{name}.convs") and key.endswith("weight") for key in state)
        y = levels[count - least]
        for k in range(count):
            y = F.conv2d(y, state[f"{name}.convs.{2 * k}.weight"], state[f"{name}.convs.{2 * k}.bias"], 2, 1)
            y = torch.where(y > 0, y, 0.01 * y)
        weight = state[f"{name}.linear.weight"]
        code = y[:, :, 0, 0] @ (weight / weight.shape[1] ** 0.5).T + state[f"{name}.linear.bias"]
        codes.append(codes[0] + code if deltas and codes else code)
    return torch.stack(codes, dim=1)


# --- in-domain inversion -----------------------------------------------------------------------------


def in_domain_state(widths: Sequence[int], outputs: int, *, normalised: bool) -> State:
    """State dict of an encoder; one more block than widths, the last of which is dense."""
    names = _Names()
    names.conv("block0.conv.weight", widths[0], 3, 3)
    if normalised:
        names.bn("block0.bn.bn", widths[0])
    for i, (inputs, width) in enumerate(pairwise(widths), start=1):
        hidden = min(inputs, width)
        if inputs != width:
            names.conv(f"block{i}.conv.weight", width, inputs, 1)
        names.conv(f"block{i}.conv1.weight", hidden, inputs, 3)
        names.add(f"block{i}.wscale1.bias", hidden, scale=0.1)
        names.conv(f"block{i}.conv2.weight", width, hidden, 3)
        names.add(f"block{i}.wscale2.bias", width, scale=0.1)
        if normalised:
            if inputs != width:
                names.bn(f"block{i}.bn.bn", width)
            names.bn(f"block{i}.bn1.bn", hidden)
            names.bn(f"block{i}.bn2.bn", width)
    names.add(f"block{len(widths)}.fc.weight", outputs, widths[-1] * 16)
    if normalised:
        names.bn(f"block{len(widths)}.bn.bn", outputs)
    return names.state


def plain_in_domain(state: State, x: Tensor) -> Tensor:
    """Codes (N, L D) of pictures (N, 3, S, S) in [-1, 1]."""

    def act(y: Tensor, bn: str) -> Tensor:
        y = _bn(state, bn, y) if f"{bn}.weight" in state else y
        return torch.where(y > 0, y, 0.2 * y)

    x = act(F.conv2d(x, state["block0.conv.weight"], padding=1), "block0.bn.bn")
    i = 1
    while f"block{i}.conv1.weight" in state:
        here = f"block{i}"
        x = F.avg_pool2d(x, 2)
        short = x
        if f"{here}.conv.weight" in state:
            short = act(F.conv2d(x, state[f"{here}.conv.weight"]), f"{here}.bn.bn")
        for k in (1, 2):
            x = F.conv2d(x, state[f"{here}.conv{k}.weight"], state[f"{here}.wscale{k}.bias"], padding=1)
            x = act(x, f"{here}.bn{k}.bn")
        x, i = x + short, i + 1
    weight = state[f"block{i}.fc.weight"]
    codes = x.flatten(1) @ weight.T / weight.shape[1] ** 0.5
    bn = f"block{i}.bn.bn"
    return _bn(state, bn, codes[:, :, None, None])[:, :, 0, 0] if f"{bn}.weight" in state else codes
