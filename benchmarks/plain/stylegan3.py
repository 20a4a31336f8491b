"""Compute StyleGAN3 (Karras et al. 2021): its filtered nonlinearity, filter by filter on whole maps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def affine(t: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    weight = t[f"{name}.affine.weight"]
    return weight / weight.shape[1] ** 0.5, t[f"{name}.affine.bias"]


def kernels(kernel: Tensor, channels: int) -> list[Tensor]:
    """Return a filter (T,) along both axes, or (T, T), for every channel."""
    parts = [kernel[None, :], kernel[:, None]] if kernel.ndim == 1 else [kernel]
    return [part.expand(channels, 1, *part.shape) for part in parts]


def upsampled(x: Tensor, kernel: Tensor, up: int, start: int, end: int) -> Tensor:
    """Insert zeros between the samples, pad both ends, and filter."""
    c, reach = x.shape[1], kernel.shape[0]
    for weight in kernels(kernel, c):
        x = F.conv_transpose2d(
            x, weight, stride=[up if size > 1 else 1 for size in weight.shape[2:]], groups=c
        )
    return F.pad(x, (start - reach + 1, end + up - reach) * 2)


def downsampled(x: Tensor, kernel: Tensor, down: int) -> Tensor:
    """Filter, and keep every n-th sample."""
    c = x.shape[1]
    for weight in kernels(kernel.flip(*range(kernel.ndim)), c):
        x = F.conv2d(x, weight, stride=[down if size > 1 else 1 for size in weight.shape[2:]], groups=c)
    return x


class Fourier:
    """Compute sine waves that w moves and turns."""

    def __init__(self, t: Mapping[str, Tensor], size: int, rate: int, bandwidth: float) -> None:
        name = "synthesis.input"
        self.affine, self.size, self.rate, self.bandwidth = affine(t, name), size, rate, bandwidth
        self.freqs, self.phases, self.transform = (
            t[f"{name}.freqs"],
            t[f"{name}.phases"],
            t[f"{name}.transform"],
        )
        self.weight = t[f"{name}.weight"] / t[f"{name}.weight"].shape[1] ** 0.5

    def __call__(self, code: Tensor) -> Tensor:
        """Return the features (N, C, size, size) for codes (N, D)."""
        moved = F.linear(code, *self.affine)
        c, s, right, down = (moved / moved[:, :2].norm(dim=1, keepdim=True)).unbind(dim=1)
        zero, one = torch.zeros_like(c), torch.ones_like(c)
        turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -right, zero, one, -down, zero, zero, one], dim=1).view(-1, 3, 3)
        transform = turn @ shift @ self.transform
        phases = self.phases + (self.freqs @ transform[:, :2, 2:]).squeeze(2)  # (N, C)
        freqs = self.freqs @ transform[:, :2, :2]  # (N, C, 2)
        amplitudes = (1.0 - (freqs.norm(dim=2) - self.bandwidth) / (self.rate / 2.0 - self.bandwidth)).clamp(
            0.0, 1.0
        )
        at = (torch.arange(self.size, device=code.device) - (self.size - 1) / 2.0) / self.rate
        grid = torch.stack(
            [at.expand(self.size, -1), at[:, None].expand(-1, self.size)], dim=2
        )  # (H, W, 2): x, y
        waves = torch.einsum("hwk,nck->nhwc", grid, freqs) + phases[:, None, None]
        return F.linear(torch.sin(2.0 * math.pi * waves) * amplitudes[:, None, None], self.weight).permute(
            0, 3, 1, 2
        )


class Layer:
    """Compute a modulated convolution and its filtered nonlinearity."""

    def __init__(
        self, t: Mapping[str, Tensor], name: str, sizes: Mapping[str, Any], clamp: float | None
    ) -> None:
        self.affine, self.weight, self.bias = (
            affine(t, name),
            t[f"{name}.weight"],
            t[f"{name}.bias"][:, None, None],
        )
        self.gain = t[f"{name}.magnitude_ema"].rsqrt()
        self.energy = self.weight.square().sum(dim=(2, 3))
        self.up, self.down, self.clamp = sizes["up"], sizes["down"], clamp
        self.up_filter, self.down_filter = t.get(f"{name}.up_filter"), t.get(f"{name}.down_filter")
        padding = (sizes["after"] - 1) * self.down + 1 - (sizes["before"] + sizes["kernel"] - 1) * self.up
        padding += max(sizes["up_taps"], 1) + max(sizes["down_taps"], 1) - 2
        start = (padding + self.up) // 2
        self.padding = start, padding - start

    def __call__(self, x: Tensor, code: Tensor) -> Tensor:
        """Map (N, I, before, before) to (N, O, after, after)."""
        style = F.linear(code, *self.affine)
        style = style * style.square().mean(dim=1, keepdim=True).rsqrt() / self.weight[0].numel() ** 0.5
        demodulation = torch.rsqrt(style.square() @ self.energy.t() + 1e-8)
        x = F.conv2d(x * style[:, :, None, None], self.weight, padding=self.weight.shape[2] - 1)
        x = x * (demodulation * self.gain)[:, :, None, None] + self.bias
        x = (
            F.pad(x, self.padding * 2)
            if self.up_filter is None
            else upsampled(x, self.up * self.up_filter, self.up, *self.padding)
        )
        x = F.leaky_relu(x, 0.2) * 2.0**0.5
        x = x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
        return x if self.down_filter is None else downsampled(x, self.down_filter, self.down)

    def to_rgb(self, x: Tensor, code: Tensor) -> Tensor:
        """Apply the last layer, which is neither demodulated nor filtered."""
        style = F.linear(code, *self.affine) * self.gain / self.weight[0].numel() ** 0.5
        x = F.conv2d(x * style[:, :, None, None], self.weight, padding=self.weight.shape[2] - 1) + self.bias
        x = F.pad(x, self.padding * 2)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


def prepare(t: Mapping[str, Tensor], architecture: Mapping[str, Any], layout: torch.memory_format) -> Any:
    a = architecture
    fourier = Fourier(t, a["layers"][0]["before"], a["rates"][0], a["bandwidth"])
    names = [f"synthesis.L{i}_{sizes['after']}_{sizes['outputs']}" for i, sizes in enumerate(a["layers"])]
    layers = [Layer(t, name, sizes, a["clamp"]) for name, sizes in zip(names, a["layers"], strict=True)]

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = fourier(codes[:, 0]).contiguous(memory_format=layout)
        for i, layer in enumerate(layers[:-1], start=1):
            x = layer(x, codes[:, i])
        rgb = layers[-1].to_rgb(x, codes[:, len(layers)]).float() * a["output_scale"]
        return (rgb + 1.0) / 2.0

    return forward
