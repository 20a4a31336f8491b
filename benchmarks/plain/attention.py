"""Compute the attention of lucidrains' generators (Shen et al. 2021, and attention to 3x3 neighbours)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

HEADS = 8


def heads(x: Tensor) -> Tensor:
    """Return (N, E, H, W) as heads of pixels (N, HEADS, E / HEADS, H W)."""
    return x.float().unflatten(1, (HEADS, -1)).flatten(3)


def attended(x: Tensor, t: Mapping[str, Tensor], name: str) -> Tensor:
    """Add linear attention over all pixels, and attention to neighbours if it has weights."""

    def conv(x: Tensor, part: str) -> Tensor:
        return F.conv2d(x, t[f"{name}.{part}.weight"], t.get(f"{name}.{part}.bias"))

    variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
    y = (x - mean) * (variance + 1e-5).rsqrt() * t[f"{name}.norm.gain"] + t[f"{name}.norm.bias"]
    spread = F.conv2d(y, t[f"{name}.keys_and_values.depthwise"], padding=1, groups=y.shape[1])
    k, v = (heads(part) for part in conv(spread, "keys_and_values.pointwise").chunk(2, dim=1))
    q = heads(conv(y, "queries"))
    context = v @ k.softmax(dim=3).transpose(2, 3)  # (N, HEADS, e, e)
    out = F.gelu(context @ (q.softmax(dim=2) * q.shape[2] ** -0.5)).flatten(1, 2).unflatten(2, x.shape[2:])
    if f"{name}.local_queries.weight" in t:
        q = heads(conv(y, "local_queries"))[:, :, :, None]  # (N, HEADS, e, 1, H W)
        k, v = (
            F.unfold(part, 3, padding=1).unflatten(1, (HEADS, -1, 9))
            for part in conv(y, "local_keys_and_values").chunk(2, dim=1)
        )
        weights = (q * q.shape[2] ** -0.5 * k).sum(dim=2, keepdim=True).softmax(dim=3)
        near = (weights * v).sum(dim=3).flatten(1, 2).unflatten(2, x.shape[2:])
        out = torch.cat([out, near], dim=1)
    return x + conv(out.to(x.dtype), "out")
