"""Compute ProgressiveGAN (Karras et al. 2018): upsample, convolve, leaky ReLU, pixel norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_norm(x: Tensor, epsilon: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + epsilon)


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    epsilon, levels = architecture["epsilon"], len(architecture["widths"])
    weights = {}
    for name, weight in t.items():
        if name.endswith(".weight"):
            gain = 1.0 if name.startswith("outputs") else 2.0**0.5
            weights[name.removesuffix(".weight")] = (
                weight * (gain / weight[0].numel() ** 0.5),
                t[name.replace("weight", "bias")],
            )

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = pixel_norm(codes[:, 0], epsilon)[:, :, None, None].contiguous(memory_format=layout)
        for i in range(2 * levels):
            if i and i % 2 == 0:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            weight, bias = weights[f"layers.{i}"]
            x = F.conv2d(x, weight, bias, padding=1 if i else 3)
            x = pixel_norm(F.leaky_relu(x, 0.2), epsilon)
        return (F.conv2d(x, *weights[f"outputs.{levels - 1}"]).float() + 1.0) / 2.0

    return forward
