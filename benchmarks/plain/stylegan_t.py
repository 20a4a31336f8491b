"""Compute StyleGAN-T (Sauer et al. 2023): StyleGAN2's layers in residual blocks, other styles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from plain.stylegan3 import Fourier

CLAMP = 256.0
BANDWIDTH = 2.0


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    sizes = sorted(int(size) for size in architecture["channels"])
    first = f"synthesis.b{sizes[0]}.input"
    fourier = Fourier(
        {f"synthesis.input{name.removeprefix(first)}": tensor for name, tensor in t.items() if first in name},
        sizes[0],
        sizes[0],
        BANDWIDTH,
    )
    energies = {
        name.removesuffix(".weight"): weight.square().sum(dim=(2, 3))
        for name, weight in t.items()
        if name.endswith(".weight") and weight.ndim == 4
    }

    def style(code: Tensor, name: str) -> Tensor:
        weight = t[f"{name}.affine.proj.weight"]
        parts = F.linear(code, weight / weight.shape[1] ** 0.5, t[f"{name}.affine.proj.bias"]).chunk(3, dim=1)
        return parts[0] * parts[1] + parts[2]

    def convolved(x: Tensor, code: Tensor, name: str, gain: float, *, up: bool = False) -> Tensor:
        s, weight = style(code, name), t[f"{name}.weight"]
        demodulation = torch.rsqrt(s.square() @ energies[name].t() + 1e-8)
        x = x * s[:, :, None, None]
        if up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            kernel = (4.0 * t[f"{name}.resample_filter"]).expand(x.shape[1], 1, 4, 4)
            x = F.conv2d(x, kernel, padding=1, groups=x.shape[1])
        else:
            x = F.conv2d(x, weight, padding=1)
        x = x * demodulation[:, :, None, None] + t[f"{name}.noise_const"] * t[f"{name}.noise_strength"]
        x = F.leaky_relu(x + t[f"{name}.bias"][:, None, None], 0.2) * 2.0**0.5
        return x.clamp(-CLAMP, CLAMP) * gain

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        rgb, layer = None, 0
        x = fourier(codes[:, 0]).contiguous(memory_format=layout)
        for size in sizes:
            block = f"synthesis.b{size}"
            if size > sizes[0]:
                x = convolved(x, codes[:, layer], f"{block}.conv0", 1.0, up=True)
            layer += 1
            for pair in range(architecture["pairs"]):
                x = convolved(x, codes[:, layer], f"{block}.convs1.{2 * pair}", 0.5**0.5)
                name = f"{block}.convs1.{2 * pair + 1}"
                x = F.group_norm(x, 32, t[f"{name}.norm.weight"], t[f"{name}.norm.bias"])
                y = convolved(x, codes[:, layer + 1], name, 0.5**0.5)
                x = (x + t[f"{name}.gamma"] * y) * 2.0**0.5
                layer += 2
            if f"{block}.torgb.weight" not in t:
                continue
            s = style(codes[:, layer], f"{block}.torgb") / x.shape[1] ** 0.5
            y = F.conv2d(x * s[:, :, None, None], t[f"{block}.torgb.weight"], t[f"{block}.torgb.bias"])
            y = y.float().clamp(-CLAMP, CLAMP)
            if rgb is not None:
                kernel = (4.0 * t[f"{block}.resample_filter"]).expand(y.shape[1], 1, 4, 4)
                y = y + F.conv_transpose2d(rgb, kernel, stride=2, padding=1, groups=y.shape[1])
            rgb = y
        assert rgb is not None
        return (rgb + 1.0) / 2.0

    return forward
