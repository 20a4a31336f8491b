"""Compute StyleGAN2 with skip RGB (Karras et al. 2020): modulation and demodulation act on feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Layer:
    """Hold one modulated convolution; `grouped` modulates each sample's weights, as the reference does."""

    def __init__(self, t: Mapping[str, Tensor], name: str, *, grouped: bool) -> None:
        self.weight, self.bias, self.grouped = t[f"{name}.weight"], t[f"{name}.bias"][:, None, None], grouped
        affine = t[f"{name}.affine.weight"]
        self.affine = affine / affine.shape[1] ** 0.5, t[f"{name}.affine.bias"]
        if f"{name}.noise_const" in t:
            self.noise = t[f"{name}.noise_const"] * t[f"{name}.noise_strength"]
            self.energy = self.weight.square().sum(dim=(2, 3))
            self.kernel = t[f"{name}.resample_filter"]

    def style(self, code: Tensor) -> Tensor:
        """Return the scales of the input channels (N, I) for codes (N, D)."""
        return F.linear(code, *self.affine)

    def __call__(self, x: Tensor, code: Tensor, *, up: bool) -> Tensor:
        """Convolve (N, I, H, W) to (N, O, H, W), or to twice the size."""
        style = self.style(code)
        demodulation = torch.rsqrt(style.square() @ self.energy.t() + 1e-8)
        if self.grouped:
            x = self._grouped(x, style, demodulation, up=up)
        else:
            x = x * style[:, :, None, None]
            x = (
                F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
                if up
                else F.conv2d(x, self.weight, padding=1)
            )
            x = x * demodulation[:, :, None, None]
        if up:
            x = F.conv2d(x, (4.0 * self.kernel).expand(x.shape[1], 1, 4, 4), padding=1, groups=x.shape[1])
        return F.leaky_relu(x + self.noise + self.bias, 0.2) * 2.0**0.5

    def _grouped(self, x: Tensor, style: Tensor, demodulation: Tensor, *, up: bool) -> Tensor:
        n, inputs = style.shape
        weight = (
            self.weight * style[:, None, :, None, None] * demodulation[:, :, None, None, None]
        )  # (N, O, I, 3, 3)
        x = x.reshape(1, n * inputs, *x.shape[2:])
        if up:
            x = F.conv_transpose2d(
                x, weight.transpose(1, 2).reshape(n * inputs, -1, 3, 3), stride=2, groups=n
            )
        else:
            x = F.conv2d(x, weight.reshape(-1, inputs, 3, 3), padding=1, groups=n)
        return x.reshape(n, -1, *x.shape[2:])


def prepare(
    t: Mapping[str, Tensor],
    architecture: Mapping[str, Any],
    layout: torch.memory_format,
    *,
    grouped: bool = False,
) -> Any:
    sizes = sorted(int(size) for size in architecture["channels"])
    names = [
        f"synthesis.b{size}.{name}"
        for size in sizes
        for name in ("conv0", "conv1", "torgb")
        if size > 4 or name != "conv0"
    ]
    layers = {name: Layer(t, name, grouped=grouped) for name in names}

    def forward(codes: Tensor, _: Tensor | None = None) -> Tensor:
        x = t["synthesis.b4.const"].expand(len(codes), -1, -1, -1).contiguous(memory_format=layout)
        rgb, layer = None, 0
        for size in sizes:
            block = f"synthesis.b{size}"
            for name in ("conv1",) if size == 4 else ("conv0", "conv1"):
                x = layers[f"{block}.{name}"](x, codes[:, layer], up=name == "conv0")
                layer += 1
            colours = layers[f"{block}.torgb"]
            style = colours.style(codes[:, layer]) / colours.weight.shape[1] ** 0.5
            y = F.conv2d(x * style[:, :, None, None], colours.weight) + colours.bias
            if rgb is not None:
                kernel = (4.0 * t[f"{block}.resample_filter"]).expand(3, 1, 4, 4)
                y = y + F.conv_transpose2d(rgb, kernel, stride=2, padding=1, groups=3)
            rgb = y
        return (rgb.float() + 1.0) / 2.0

    return forward
