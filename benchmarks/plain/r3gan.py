"""Compute R3GAN (Huang et al. 2024).

Residual blocks of 1x1, grouped 3x3 and 1x1 convolutions, with interpolation between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    groups = architecture["groups"]

    def up(x: Tensor, name: str) -> Tensor:
        if f"{name}.conv.weight" in t:
            x = F.conv2d(x, t[f"{name}.conv.weight"])
        channels = x.shape[1]
        return F.conv_transpose2d(
            x, (4.0 * t[f"{name}.kernel"]).expand(channels, 1, 4, 4), stride=2, padding=1, groups=channels
        )

    def block(x: Tensor, name: str, group: int) -> Tensor:
        y = F.leaky_relu(F.conv2d(x, t[f"{name}.conv1.weight"], t[f"{name}.bias1"]), 0.2)
        y = F.leaky_relu(
            F.conv2d(y, t[f"{name}.conv2.weight"], t[f"{name}.bias2"], padding=1, groups=group), 0.2
        )
        return x + F.conv2d(y, t[f"{name}.conv3.weight"])

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = t["basis.pattern"] * F.linear(codes[:, 0], t["basis.linear.weight"])[:, :, None, None]
        x = x.contiguous(memory_format=layout)
        for stage, row in enumerate(groups):
            if stage:
                x = up(x, f"stages.{stage}.up")
            for i, group in enumerate(row):
                x = block(x, f"stages.{stage}.blocks.{i}", group)
        return (F.conv2d(x, t["rgb.weight"]).float() + 1.0) / 2.0

    return forward
