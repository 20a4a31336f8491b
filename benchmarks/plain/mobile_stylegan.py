"""Compute the student of MobileStyleGAN (Belousov 2021) without noise: separable convolutions, wavelets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def inverse_haar(x: Tensor) -> Tensor:
    """Return (N, C, 2h, 2w) for the means of C channels and the three differences of each, (N, 4 C, h, w)."""
    channels = x.shape[1] // 4
    a, (v, h, d) = x[:, :channels], (x[:, channels + k :: 3] for k in range(3))
    y = x.new_empty(len(x), channels, 2 * x.shape[2], 2 * x.shape[3])
    y[:, :, 0::2, 0::2] = (a + v + h + d) / 2.0
    y[:, :, 0::2, 1::2] = (a + v - h - d) / 2.0
    y[:, :, 1::2, 0::2] = (a - v + h - d) / 2.0
    y[:, :, 1::2, 1::2] = (a - v - h + d) / 2.0
    return y


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    blocks = len(architecture["widths"]) - 1
    factors = {}
    for name in ("first", *(f"blocks.{b}.conv{i}" for b in range(blocks) for i in (1, 2))):
        weight = t.get(f"{name}.weight")
        if weight is None:
            weight = t[f"{name}.pointwise"] * t[f"{name}.depthwise"].transpose(0, 1)  # (O, I, 3, 3)
        scale = weight[0].numel() ** -0.5
        energy = weight.square().sum(dim=(2, 3)) @ (scale * t[f"{name}.fixed_style"]).square()
        factors[name] = scale, torch.rsqrt(energy + 1e-8)[:, None, None]

    def styled(x: Tensor, code: Tensor, name: str) -> Tensor:
        style = F.linear(code, t[f"{name}.affine.weight"], t[f"{name}.affine.bias"])
        return x * style[:, :, None, None]

    def convolved(x: Tensor, code: Tensor, name: str) -> Tensor:
        scale, demodulation = factors[name]
        x = styled(x, code, name) * scale
        if f"{name}.weight" in t:
            x = F.conv2d(x, t[f"{name}.weight"], padding=1)
        else:
            x = F.conv2d(x, t[f"{name}.depthwise"], padding=1, groups=x.shape[1])
            x = F.conv2d(x, t[f"{name}.pointwise"])
        return F.leaky_relu(x * demodulation + t[f"{name}.bias"][:, None, None], 0.2)

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = t["const"].expand(len(codes), -1, -1, -1).contiguous(memory_format=layout)
        x = convolved(x, codes[:, 0], "first")
        for b in range(blocks):
            name = f"blocks.{b}"
            x = inverse_haar(styled(x, codes[:, 2 * b + 1], f"{name}.up"))
            x = convolved(x, codes[:, 2 * b + 1], f"{name}.conv1")
            x = convolved(x, codes[:, 2 * b + 2], f"{name}.conv2")
        name = f"outputs.{blocks - 1}"
        weight = t[f"{name}.weight"] / t[f"{name}.weight"].shape[1] ** 0.5
        y = F.conv2d(styled(x, codes[:, -1], name), weight, t[f"{name}.bias"])
        return (inverse_haar(y.float()) + 1.0) / 2.0

    return forward
