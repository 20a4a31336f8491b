"""Compute lucidrains' lightweight-gan without noise: as FastGAN, with pixels from channels and attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from plain.attention import attended


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    count = len(architecture["widths"]) - 1
    size = architecture["size"]
    padding = (size // 2, size - 1 - size // 2) * 2

    def gated(x: Tensor, name: str) -> Tensor:
        statistics = (t[f"{name}.mean"], t[f"{name}.variance"], t[f"{name}.scale"], t[f"{name}.shift"])
        return F.glu(F.batch_norm(x, *statistics), dim=1)

    def conv(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, t[f"{name}.weight"], t[f"{name}.bias"])

    def factors(x: Tensor, name: str) -> Tensor:
        weights = conv(x, f"{name}.keys").flatten(2).softmax(dim=2)  # (N, 1, H W)
        x = (x.flatten(2) @ weights.transpose(1, 2))[..., None]  # (N, I, 1, 1)
        return torch.sigmoid(conv(F.leaky_relu(conv(x, f"{name}.squeeze"), 0.1), f"{name}.excite"))

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = F.conv_transpose2d(codes[:, 0, :, None, None], t["initial.weight"], t["initial.bias"])
        x = F.normalize(gated(x, "initial.norm"), dim=1).contiguous(memory_format=layout)
        maps: list[Tensor] = []
        for i in range(count):
            name = f"layers.{i}"
            if f"{name}.attention.norm.gain" in t:
                x = attended(x, t, f"{name}.attention")
            x = F.pixel_shuffle(F.silu(conv(x, f"{name}.expand")), 2)
            x = gated(conv(F.pad(x, padding), f"{name}.conv"), f"{name}.norm")
            maps.append(x)
            if i >= 3 and f"layers.{i - 3}.excitation.squeeze.weight" in t:
                x = x * factors(maps[i - 3], f"layers.{i - 3}.excitation")
        return F.conv2d(x, t["output.weight"], t["output.bias"], padding=1).float()

    return forward
