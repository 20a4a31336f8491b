"""Build the attention layer of lucidrains' stylegan2-pytorch (1.6 and later)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.attention import ChannelNorm, KeysAndValues, Pointwise, linear_attention

LEAK = 0.2


class Attend(nn.Module):
    """Apply channel norm and linear attention of 8 heads with E channels in all."""

    def __init__(self, channels: int, inside: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.queries = Pointwise(channels, inside)
        self.keys_and_values = KeysAndValues(channels, inside)
        self.out = Pointwise(inside, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        y = self.norm(x)
        attended = linear_attention(self.queries(y), *self.keys_and_values(y))
        out: Tensor = self.out(attended.to(x.dtype))
        return out


class FeedForward(nn.Module):
    """Apply channel norm, a 1x1 convolution to 2 C channels, leaky ReLU, and a 1x1 convolution back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.wide = Pointwise(channels, 2 * channels, bias=True)
        self.narrow = Pointwise(2 * channels, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        y: Tensor = self.narrow(F.leaky_relu(self.wide(self.norm(x)), LEAK))
        return y


class Attention(nn.Module):
    """Add attention, then a layer of its own for each pixel, to a feature map."""

    def __init__(self, channels: int, inside: int) -> None:
        super().__init__()
        self.attend = Attend(channels, inside)
        self.feed = FeedForward(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        x = x + self.attend(x)
        y: Tensor = x + self.feed(x)
        return y
