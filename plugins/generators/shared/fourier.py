"""Compute the Fourier features with which StyleGAN3 and its relatives begin.

Source: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", section 3.2 and appendix F.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .mapping import FullyConnected


class FourierInput(nn.Module):
    """Compute Fourier features, which w shifts and rotates, in place of a learned constant (section 3.2).

    Args:
        w_dim: width D of w.
        channels: number of waves C.
        size: width of the feature map, margins included.
        rate: samples per image width.
        bandwidth: in cycles per image width.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, w_dim: int, channels: int, size: int, rate: float, bandwidth: float) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        self.affine = FullyConnected(w_dim, 4)
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.register_buffer("freqs", torch.randn(channels, 2))
        self.register_buffer("phases", torch.empty(channels).uniform_(-0.5, 0.5))
        self.register_buffer("transform", torch.eye(3))

    def forward(self, style: Tensor, transform: Tensor) -> Tensor:
        """Map styles (N, 4) and the transform of the image (3, 3) to features (N, C, size, size).

        Wave c at point p is a_c sin(2 pi (f_c.(M p + t) + phase_c)), with M and t from lookup_transform().
        """
        matrix, shift = self.lookup_transform(style, transform)
        phases = self.phases + torch.einsum("ck,nk->nc", self.freqs, shift)  # (N, C)
        freqs = self.freqs @ matrix  # (N, C, 2)
        # A transform that scales may move a wave above the bandwidth, where it would alias. Such waves fade
        # out towards the Nyquist frequency.
        fade_width = self.rate / 2.0 - self.bandwidth
        amplitudes = (1.0 - (freqs.norm(dim=2) - self.bandwidth) / fade_width).clamp(0.0, 1.0)  # (N, C)
        position = (
            torch.arange(self.size, device=style.device, dtype=torch.float32) - (self.size - 1) / 2.0
        ) / self.rate  # (size,)
        # sin(a + b) = sin a cos b + cos a sin b: sines along each axis are enough, instead of at every pixel.
        across = 2.0 * math.pi * (position[:, None] * freqs[:, None, :, 0] + phases[:, None])  # (N, W, C)
        along = 2.0 * math.pi * position[:, None] * freqs[:, None, :, 1]  # (N, H, C)
        waves = along.cos()[:, :, None] * (amplitudes[:, None] * across.sin())[:, None]  # (N, H, W, C)
        waves = waves + along.sin()[:, :, None] * (amplitudes[:, None] * across.cos())[:, None]
        return F.linear(waves, self.weight / math.sqrt(self.weight.shape[1])).permute(0, 3, 1, 2)

    def lookup_transform(self, style: Tensor, transform: Tensor) -> tuple[Tensor, Tensor]:
        """Return M (N, 2, 2) and t (N, 2), which map points of the image to those of the features."""
        cosine, sine, right, down = (style / style[:, :2].norm(dim=1, keepdim=True)).unbind(dim=1)
        rotation = torch.stack(
            [torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1
        )  # (N, 2, 2)
        offset = transform[:2, 2] - torch.stack([right, down], dim=1)  # (N, 2)
        return rotation @ transform[:2, :2], (rotation @ offset[:, :, None]).squeeze(2)
