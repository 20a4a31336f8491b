"""Compute R3GAN2 (2026) without noise: weights of unit magnitude, residual blocks, cosine attention."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

GAIN = 1.0 / math.sqrt((1.0 + 0.04 - 0.64 / math.pi) / 2.0)  # of the leaky ReLU of a normal variable
SHARPNESS = 8.0


def unit(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    return x / (1e-4 + x.float().square().mean(dim=dims, keepdim=True).sqrt()).to(x.dtype)


def rows(weight: Tensor, inputs: int = 0) -> Tensor:
    """Return weights (O, ...) with mean 0 and unit magnitude, divided by the root of the inputs of a row."""
    dims = tuple(range(1, weight.ndim))
    weight = unit(weight - weight.mean(dim=dims, keepdim=True), dims)
    return weight / (inputs or weight[0].numel()) ** 0.5


def active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * GAIN


def filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Double the size by zeros between the pixels, and filter."""
    channels, size = x.shape[1], kernel.shape[0]
    weight = (4.0 * kernel).expand(channels, 1, size, size)
    return F.conv_transpose2d(x, weight, stride=2, padding=size // 2 - 1, groups=channels)


class Attention:
    """Compute attention between pixels, with a sink and rotary positions."""

    def __init__(self, t: Mapping[str, Tensor], name: str) -> None:
        qkv = rows(t[f"{name}.qkv"])
        self.qkv, self.bias = qkv[:, :-1], qkv[:, -1, 0, 0]
        self.projection, self.sinks = rows(t[f"{name}.projection"]), t[f"{name}.sinks"]
        self.periods = t[f"{name}.periods"]

    def __call__(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape, without the residual connection."""
        n, _, height, width = x.shape
        y = F.conv2d(x, self.qkv, self.bias).reshape(n, len(self.sinks), -1, 3, height * width)
        q, k, v = unit(y, (2,)).transpose(2, 4).unbind(3)  # (N, heads, H W, c)
        at = [(torch.arange(s, device=x.device) + 0.5) * (2.0 / s) - 1.0 for s in (height, width)]
        grid = torch.stack(torch.meshgrid(*at, indexing="ij"), dim=-1).flatten(0, 1)  # (H W, 2)
        angles = (2.0 * math.pi * grid[..., None] / self.periods).flatten(1)  # (H W, c / 2)
        turn = torch.polar(torch.ones_like(angles), angles)
        q, k = (self._turned(part, turn) for part in (q, k))
        logits = SHARPNESS / q.shape[3] * (q @ k.transpose(2, 3))
        sinks = (SHARPNESS * self.sinks)[None, :, None, None].expand(*logits.shape[:3], 1)
        weights = torch.cat([logits, sinks], dim=3).softmax(dim=3)[..., :-1].to(v.dtype)
        return F.conv2d((weights @ v).transpose(2, 3).reshape(n, -1, height, width), self.projection)

    def _turned(self, x: Tensor, turn: Tensor) -> Tensor:
        """Multiply x (N, heads, P, c), taken for c / 2 complex numbers, by `turn` (P, c / 2)."""
        y = torch.view_as_real(torch.complex(*x.float().chunk(2, dim=-1)) * turn)
        return torch.cat(y.unbind(-1), dim=-1)


class FeedForward:
    """Compute 1x1, grouped and 1x1 convolutions."""

    def __init__(self, t: Mapping[str, Tensor], name: str, groups: int) -> None:
        first = rows(t[f"{name}.conv1"])
        self.first, self.bias, self.groups = first[:, :-2], first[:, -1, 0, 0], groups
        self.middle, self.last = rows(t[f"{name}.conv2"]), rows(t[f"{name}.conv3"])

    def __call__(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape, without the residual connection."""
        y = active(F.conv2d(x, self.first, self.bias))
        y = F.conv2d(y, self.middle, padding=self.middle.shape[2] // 2, groups=self.groups)
        return F.conv2d(active(y), self.last)


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    linear, conv = rows(t["head.linear"]), rows(t["head.conv"])
    group = t["head.basis"].shape[1]
    basis = rows(t["head.basis"], group)
    basis = basis.reshape(-1, group, *basis.shape[1:])  # (G, g, g, 4, 4)
    output = unit(t["output"], (1, 2, 3)) / t["output"].shape[1] ** 0.5 * t["gain"]
    blocks: list[list[tuple[Any, Tensor]]] = []
    for s, stage in enumerate(architecture["blocks"]):
        blocks.append([])
        for j, sizes in enumerate(stage):
            name = f"stages.{s}.blocks.{j}"
            block = FeedForward(t, name, sizes["parts"]) if sizes["size"] else Attention(t, name)
            blocks[s].append((block, torch.tanh(t[f"{name}.alpha"])[:, None, None]))

    def enlarged(x: Tensor, s: int) -> Tensor:
        kernel, outputs = t[f"stages.{s}.up.kernel"], architecture["widths"][s]
        if x.shape[1] == outputs:
            return filtered(x, kernel)
        x = F.pixel_shuffle(x.repeat_interleave(4 * outputs // x.shape[1], dim=1), 2)
        size = kernel.shape[0]
        return F.conv2d(
            x, kernel.flip(0, 1).expand(outputs, 1, size, size), padding=size // 2, groups=outputs
        )

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        style = F.linear(codes[:, 0], linear[:, :-1], linear[:, -1])
        mixed = active(style).unflatten(1, (-1, group))
        x = active(torch.einsum("ngi,goihw->ngohw", mixed, basis).flatten(1, 2))
        x = filtered(F.conv2d(x, conv), t["head.kernel"]).contiguous(memory_format=layout)
        for s, stage in enumerate(blocks):
            x = enlarged(x, s) if s else x
            variance = torch.ones((), device=x.device)
            for block, alpha in stage:
                x = x + alpha * block(x * variance.rsqrt())
                variance = variance + alpha.square()
            x = x * variance.rsqrt()
        return (F.conv2d(x, output).float() + 1.0) / 2.0

    return forward
