"""Compute BigGAN and BigGAN-deep (Brock et al. 2019).

Batch norm has running statistics, then a gain and a bias of class and z.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def weights(t: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divide every weight by its largest singular value, after one power iteration from the stored vector."""
    tensors = dict(t)
    for name in t:
        if name.endswith(".u"):
            weight, u = t[f"{name[:-1]}weight"], t[name]
            v = F.normalize(u @ weight.flatten(1), dim=0)
            tensors[f"{name[:-1]}weight"] = weight / (
                F.normalize(weight.flatten(1) @ v, dim=0) @ weight.flatten(1) @ v
            )
    return tensors


def prepare(
    stored: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format
) -> Any:
    a, t = architecture, weights(stored)
    attention = {int(i) for i in a["attention"]}

    def norm(x: Tensor, name: str, condition: Tensor) -> Tensor:
        gain, bias = (
            F.linear(condition, t[f"{name}.{what}.weight"])[:, :, None, None] for what in ("gain", "bias")
        )
        return F.relu(
            F.batch_norm(x, t[f"{name}.mean"][0], t[f"{name}.var"][0], eps=a["eps"]) * (1.0 + gain) + bias
        )

    def convolve(x: Tensor, name: str) -> Tensor:
        weight = t[f"{name}.weight"]
        return F.conv2d(x, weight, t.get(f"{name}.bias"), padding=weight.shape[2] // 2)

    def double(x: Tensor, up: bool) -> Tensor:
        return F.interpolate(x, scale_factor=2) if up else x

    def original(x: Tensor, i: int, condition: Tensor, up: bool) -> Tensor:
        h = convolve(double(norm(x, f"blocks.{i}.norm1", condition), up), f"blocks.{i}.conv1")
        h = convolve(norm(h, f"blocks.{i}.norm2", condition), f"blocks.{i}.conv2")
        return h + convolve(double(x, up), f"blocks.{i}.shortcut")

    def deep(x: Tensor, i: int, condition: Tensor, up: bool) -> Tensor:
        h = convolve(norm(x, f"blocks.{i}.norm1", condition), f"blocks.{i}.conv1")
        h = convolve(double(norm(h, f"blocks.{i}.norm2", condition), up), f"blocks.{i}.conv2")
        h = convolve(norm(h, f"blocks.{i}.norm3", condition), f"blocks.{i}.conv3")
        h = convolve(norm(h, f"blocks.{i}.norm4", condition), f"blocks.{i}.conv4")
        return h + double(x[:, : h.shape[1]], up)

    def attend(x: Tensor, i: str) -> Tensor:
        n, _, height, width = x.shape
        query = convolve(x, f"attention.{i}.query").flatten(2)  # (N, C, H W)
        key, value = (
            F.max_pool2d(convolve(x, f"attention.{i}.{name}"), 2).flatten(2) for name in ("key", "value")
        )
        seen = F.softmax(torch.bmm(query.transpose(1, 2), key), dim=-1)
        out = torch.bmm(value, seen.transpose(1, 2)).view(n, -1, height, width)
        return x + t[f"attention.{i}.gamma"] * convolve(out, f"attention.{i}.out")

    def forward(codes: Tensor, classes: Tensor | None = None) -> Tensor:
        assert classes is not None
        e, z = classes @ t["embedding"], codes[:, 0]
        first = torch.cat([e, z], dim=1) if a["deep"] else z[:, : a["first"]]
        x = (
            F.linear(first, t["linear.weight"], t["linear.bias"])
            .view(len(z), -1, a["bottom"], a["bottom"])
            .contiguous(memory_format=layout)
        )
        for i, block in enumerate(a["blocks"]):
            if a["deep"]:
                x = deep(x, i, torch.cat([e, codes[:, i]], dim=1), block["up"])
            else:
                x = original(
                    x,
                    i,
                    torch.cat([e, z[:, a["chunk"] * (i + 1) : a["chunk"] * (i + 2)]], dim=1),
                    block["up"],
                )
            if i in attention:
                x = attend(x, str(i))
        x = F.batch_norm(
            x,
            t["output_norm.mean"][0],
            t["output_norm.var"][0],
            t["output_norm.gain"],
            t["output_norm.bias"],
            eps=a["eps"],
        )
        return (torch.tanh(convolve(F.relu(x), "output").float()) + 1.0) / 2.0

    return forward
