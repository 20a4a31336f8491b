"""Compute StyleGAN (Karras et al. 2019): convolution, noise, leaky ReLU, instance norm, style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = 2.0**0.5


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    layers = 2 * len(architecture["widths"])
    names = [f"synthesis.layers.{i}" for i in range(layers)]
    weights = [
        t[f"{name}.weight"] * (ROOT / t[f"{name}.weight"][0].numel() ** 0.5)
        if f"{name}.weight" in t
        else None
        for name in names
    ]
    affines = [
        (t[f"{name}.affine.weight"] / t[f"{name}.affine.weight"].shape[1] ** 0.5, t[f"{name}.affine.bias"])
        for name in names
    ]
    noises = [t[f"{name}.noise_const"] * t[f"{name}.noise_strength"][:, None, None] for name in names]
    output = t["synthesis.output.weight"] / t["synthesis.output.weight"].shape[1] ** 0.5
    row = torch.tensor([0.25, 0.5, 0.25], device=output.device)
    blur = torch.outer(row, row)

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = t["synthesis.const"].expand(len(codes), -1, -1, -1).contiguous(memory_format=layout)
        for i, weight in enumerate(weights):
            if i and i % 2 == 0:
                x = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
                x = F.conv2d(x, blur.expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])
            elif weight is not None:
                x = F.conv2d(x, weight, padding=1)
            x = F.leaky_relu(x + noises[i] + t[f"{names[i]}.bias"][:, None, None], 0.2)
            scale, shift = F.linear(codes[:, i], *affines[i])[:, :, None, None].chunk(2, dim=1)
            x = F.instance_norm(x, eps=1e-8) * (scale + 1.0) + shift
        return (F.conv2d(x, output, t["synthesis.output.bias"]).float() + 1.0) / 2.0

    return forward
