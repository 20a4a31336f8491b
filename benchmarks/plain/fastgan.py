"""Compute FastGAN (Liu et al. 2021) without noise: gated convolutions, and excitation by smaller levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    sizes = [8 * 2**i for i in range(len(architecture["doubled"]))]

    def gated(x: Tensor, name: str) -> Tensor:
        statistics = (t[f"{name}.mean"], t[f"{name}.variance"], t[f"{name}.scale"], t[f"{name}.shift"])
        return F.glu(F.batch_norm(x, *statistics), dim=1)

    def factors(x: Tensor, name: str) -> Tensor:
        x = F.silu(F.conv2d(F.adaptive_avg_pool2d(x, 4), t[f"{name}.squeeze.weight"]))
        return torch.sigmoid(F.conv2d(x, t[f"{name}.excite.weight"]))

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = F.conv_transpose2d(codes[:, 0, :, None, None], t["init.conv.weight"])
        x = gated(x, "init.norm").contiguous(memory_format=layout)
        maps = {4: x}
        for size, doubled in zip(sizes, architecture["doubled"], strict=True):
            x = F.interpolate(x, scale_factor=2.0)
            for layer in ("first", "second")[: 1 + doubled]:
                name = f"blocks.{size}.{layer}"
                x = gated(F.conv2d(x, t[f"{name}.conv.weight"], padding=1), f"{name}.norm")
            maps[size] = x
            if size in architecture["excited"]:
                x = x * factors(maps[size // 16], f"excitations.{size}")
        x = F.conv2d(x, t["output.weight"], padding=1).float()
        return ((x.tanh() if architecture["tanh"] else x) + 1.0) / 2.0

    return forward
