"""Compute the StyleGAN2 of lucidrains' stylegan2-pytorch with the mean of its noise, 0.5, at all pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    count, colours = len(architecture["widths"]), architecture["colours"]
    energies = {
        name: weight.square().sum(dim=(2, 3))
        for name, weight in t.items()
        if name.endswith(".weight") and weight.ndim == 4
    }
    blur = torch.tensor([1.0, 2.0, 1.0], device=t["initial.weight"].device)
    blur = (torch.outer(blur, blur) / 16.0).expand(colours, 1, 3, 3)

    def up(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    def modulated(x: Tensor, code: Tensor, name: str) -> tuple[Tensor, Tensor]:
        style = 1.0 + F.linear(code, t[f"{name}.style.weight"], t[f"{name}.style.bias"])
        weight = t[f"{name}.weight"]
        return style, F.conv2d(x * style[:, :, None, None], weight, padding=weight.shape[2] // 2)

    def convolved(x: Tensor, code: Tensor, name: str) -> Tensor:
        style, x = modulated(x, code, name)
        demodulation = torch.rsqrt(style.square() @ energies[f"{name}.weight"].t() + 1e-8)
        noise = torch.full((len(x), 1, *x.shape[2:]), 0.5, device=x.device)
        noise = F.conv2d(noise, t[f"{name}.noise.weight"][:, :, None, None], t[f"{name}.noise.bias"])
        return F.leaky_relu(x * demodulation[:, :, None, None] + noise, 0.2)

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = torch.einsum("nz,zcyx->ncyx", codes.mean(dim=1), t["initial.from_code"])
        x = x.contiguous(memory_format=layout)
        x = F.conv2d(x, t["initial.weight"], t["initial.bias"], padding=1)
        rgb: Tensor | None = None
        for i in range(count):
            code, name = codes[:, i], f"blocks.{i}"
            x = convolved(up(x) if i else x, code, f"{name}.conv1")
            x = convolved(x, code, f"{name}.conv2")
            y = modulated(x, code, f"{name}.rgb")[1].float()
            if rgb is not None:
                rgb = up(rgb)
                y = y + F.conv2d(F.pad(rgb, (1, 1, 1, 1), mode="reflect"), blur, groups=colours)
            rgb = y
        assert rgb is not None
        return rgb

    return forward
