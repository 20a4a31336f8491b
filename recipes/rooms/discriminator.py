"""Define the discriminator: a residual network with minibatch deviation, for each size it grows through."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2
GAIN = math.sqrt(2.0)  # keeps the variance through a leaky ReLU


class Convolution(nn.Module):
    """Convolve with equalised learning rate and, except in shortcuts, bias and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, *, linear: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if not linear else None
        # The activation's gain sits in the weights: g lrelu(a) = lrelu(g a).
        self.gain = (1.0 if linear else GAIN) / math.sqrt(inputs * size * size)
        self.padding = size // 2

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to (N, O, H, W)."""
        weight = (self.weight * self.gain).to(x.dtype)
        if self.bias is None:
            return F.conv2d(x, weight, padding=self.padding)
        return F.leaky_relu(F.conv2d(x, weight, (self.bias * GAIN).to(x.dtype), padding=self.padding), LEAK)


class Dense(nn.Module):
    """Apply a linear layer with equalised learning rate."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I) to (N, O)."""
        return F.linear(x, self.weight / math.sqrt(self.weight.shape[1]), self.bias)


class DownBlock(nn.Module):
    """Apply two convolutions with a shortcut, and halve the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = Convolution(inputs, inputs, 3)
        self.second = Convolution(inputs, outputs, 3)
        self.shortcut = Convolution(inputs, outputs, 1, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to (N, O, H/2, W/2)."""
        y = self.second(F.avg_pool2d(self.first(x), 2))
        return (y + self.shortcut(F.avg_pool2d(x, 2))) * math.sqrt(0.5)


class Discriminator(nn.Module):
    """Judge pictures of any of its sizes; a picture of size r enters at the block of size r."""

    def __init__(self, channels: dict[int, int], *, group: int = 8) -> None:
        super().__init__()
        self.sizes = sorted(channels, reverse=True)
        self.group = group
        self.entries = nn.ModuleDict({str(r): Convolution(3, channels[r], 1) for r in self.sizes[:-1]})
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        self.blocks = nn.ModuleDict({str(a): DownBlock(channels[a], channels[b]) for a, b in pairs})
        width = channels[self.sizes[-1]]
        self.last = Convolution(width + 1, width, 3)
        self.hidden = Dense(width * self.sizes[-1] ** 2, width)
        self.verdict = Dense(width, 1)

    def forward(self, pictures: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Map (N, 3, r, r) in [-1, 1] to logits (N, 1): high for rendered, low for generated."""
        size = pictures.shape[-1]
        x = self.entries[str(size)](pictures.to(dtype))
        for r in self.sizes[:-1]:
            if r <= size:
                x = self.blocks[str(r)](x)
        x = x.float()
        # Minibatch deviation: one more channel says how much the pictures of a group differ.
        group = math.gcd(self.group, x.shape[0])
        deviation = (x.reshape(group, -1, *x.shape[1:]).var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        deviation = deviation.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        x = self.last(torch.cat([x, deviation], dim=1))
        return self.verdict(F.leaky_relu(self.hidden(x.flatten(1)), LEAK) * GAIN)
