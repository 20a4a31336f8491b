"""Build the layers of R3GAN2: weights of unit magnitude, residual blocks, attention, low-pass filters.

Source: Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models" (normalised
weights, cosine attention), and the repository IFeelBloated/R3GAN2, which centres weights too.

Modules hold the weights as stored. fold() replaces them by those that compute: normalised, and multiplied by
the gains of the residual group. Every layer computes in the precision of its input.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.depthwise import interpolate

EPSILON = 1e-4
LEAK = 0.2
# 1 / root mean square of the leaky ReLU of a standard normal variable, so that magnitudes are preserved.
GAIN = 1.0 / math.sqrt((1.0 + LEAK**2 - (1.0 - LEAK) ** 2 / math.pi) / 2.0)
SHARPNESS = 8.0  # of attention


def unit(x: Tensor, dim: int | None = None) -> Tensor:
    """Return x / (epsilon + root mean square of x) along a dimension, or along all but the first.

    >>> unit(torch.tensor([[3.0, 3.0], [0.5, -0.5]])).round(decimals=2).tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    """
    dims = tuple(range(1, x.ndim)) if dim is None else (dim,)
    rms = x.float().square().mean(dim=dims, keepdim=True).sqrt()
    return x / (EPSILON + rms).to(x.dtype)


def centred(weight: Tensor) -> Tensor:
    """Return rows of weights (O, ...) with mean 0 and, up to epsilon, a root mean square of 1."""
    return unit(weight - weight.mean(dim=tuple(range(1, weight.ndim)), keepdim=True))


def per_input(weight: Tensor) -> Tensor:
    """Return normalised weights (O, ...) divided by the root of the number of inputs of a row."""
    return centred(weight) / math.sqrt(weight[0].numel())


def activation(x: Tensor) -> Tensor:
    """Apply a leaky ReLU that preserves the magnitude."""
    return F.leaky_relu(x, LEAK) * GAIN


class Head(nn.Module):
    """Make the first feature map: z to 2C channels, each a mixture of 4x4 patterns, to C channels, doubled.

    Args:
        inputs: width of z, the embedding of the class and a 1 for the bias.
        inside: channels of the patterns.
        group: channels that are mixed with each other.
        side: of the patterns, in pixels.
        width: channels C.
        kernel: size of the low-pass filter.
    """

    kernel: Tensor

    def __init__(self, inputs: int, inside: int, group: int, side: int, width: int, kernel: int) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.randn(inside, inputs))
        self.basis = nn.Parameter(torch.randn(inside, group, side, side))
        self.conv = nn.Parameter(torch.randn(width, inside, 1, 1))
        self.register_buffer("kernel", torch.full((kernel, kernel), 1.0 / kernel**2))

    def fold(self) -> None:
        """Normalise the weights."""
        self.linear.data = per_input(self.linear.data)
        self.basis.data = centred(self.basis.data) / self.basis.shape[1] ** 0.5
        self.conv.data = per_input(self.conv.data)

    def forward(self, style: Tensor) -> Tensor:
        """Map what `linear` gives, (N, 2C), to a feature map (N, C, 8, 8)."""
        group = self.basis.shape[1]
        mixed = activation(style).reshape(len(style), -1, group)  # (N, G, g)
        patterns = self.basis.reshape(-1, group, *self.basis.shape[1:])  # (G, g, g, 4, 4)
        x = torch.einsum("ngi,goihw->ngohw", mixed, patterns).flatten(1, 2)  # (N, 2C, 4, 4)
        return enlarged(F.conv2d(activation(x), self.conv), self.kernel)


class FeedForward(nn.Module):
    """Apply a residual block: 1x1 to `inside` channels, with bias and noise, a grouped convolution, 1x1 back.

    The last two inputs of the first convolution are the strength of the noise and the bias.
    """

    bias: Tensor
    strength: Tensor

    def __init__(self, width: int, inside: int, groups: int, size: int) -> None:
        super().__init__()
        self.conv1 = nn.Parameter(torch.randn(inside, width + 2, 1, 1))
        self.conv2 = nn.Parameter(torch.randn(inside, inside // groups, size, size))
        self.conv3 = nn.Parameter(torch.randn(width, inside, 1, 1))
        self.alpha = nn.Parameter(torch.zeros(width))
        self.groups = groups

    def fold(self, gain: Tensor) -> None:
        """Normalise the weights, and multiply them by the gain (C,) of the inputs and by alpha."""
        rows = per_input(self.conv1.data)
        self.conv1.data = rows[:, :-2] * gain[:, None, None]
        self.strength, self.bias = rows[:, -2], rows[:, -1, 0, 0]  # (inside, 1, 1), (inside,)
        self.conv2.data = per_input(self.conv2.data)
        self.conv3.data = per_input(self.conv3.data) * torch.tanh(self.alpha)[:, None, None, None]

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Map (N, C, H, W) to the same shape, with noise (N or 1, 1, H, W) or without."""
        y = F.conv2d(x, self.conv1.to(x.dtype), self.bias.to(x.dtype))  # (N, inside, H, W)
        if noise is not None:
            y = y + (noise * self.strength).to(x.dtype)
        y = F.conv2d(
            activation(y), self.conv2.to(x.dtype), padding=self.conv2.shape[2] // 2, groups=self.groups
        )
        return x + F.conv2d(activation(y), self.conv3.to(x.dtype))


class Attention(nn.Module):
    """Apply a residual block of cosine attention between pixels, with a sink and rotary positions.

    Queries, keys and values have unit magnitude. Each head has a sink: a logit that takes part in the softmax
    and has no value. Queries and keys are rotated by angles of the row and the column (Su et al. 2021,
    "RoFormer"). The last input of the first convolution is the bias.
    """

    bias: Tensor
    periods: Tensor

    def __init__(self, width: int, inside: int, heads: int) -> None:
        super().__init__()
        self.qkv = nn.Parameter(torch.randn(3 * inside, width + 1, 1, 1))
        self.projection = nn.Parameter(torch.randn(width, inside, 1, 1))
        self.sinks = nn.Parameter(torch.zeros(heads))
        self.alpha = nn.Parameter(torch.zeros(width))
        self.register_buffer("periods", torch.ones(inside // heads // 4))

    def fold(self, gain: Tensor) -> None:
        """Normalise the weights, and multiply them by the gain (C,) of the inputs and by alpha."""
        rows = per_input(self.qkv.data)
        self.qkv.data = rows[:, :-1] * gain[:, None, None]
        self.bias = rows[:, -1, 0, 0]
        self.projection.data = per_input(self.projection.data) * torch.tanh(self.alpha)[:, None, None, None]

    def forward(self, x: Tensor, noise: None = None) -> Tensor:
        """Map (N, C, H, W) to the same shape; it has no noise."""
        heads, (height, width) = len(self.sinks), x.shape[2:]
        y = F.conv2d(x, self.qkv.to(x.dtype), self.bias.to(x.dtype))
        y = y.reshape(len(x), heads, -1, 3, height * width)  # (N, heads, c, 3, H W)
        q, k, v = unit(y, dim=2).transpose(2, 4).unbind(3)  # (N, heads, H W, c)
        angles = self._angles(height, width)  # (H W, c / 2)
        q, k = (rotated(part, angles) for part in (q, k))
        logits = SHARPNESS / q.shape[3] * (q @ k.transpose(2, 3))  # (N, heads, H W, H W)
        sinks = (SHARPNESS * self.sinks).to(x.dtype)[None, :, None, None].expand(*logits.shape[:3], 1)
        weights = torch.cat([logits, sinks], dim=3).softmax(dim=3)[..., :-1]
        y = (weights @ v).transpose(2, 3).reshape(len(x), -1, height, width)  # (N, inside, H, W)
        return x + F.conv2d(y, self.projection.to(x.dtype))

    def _angles(self, height: int, width: int) -> Tensor:
        """Return the angles (H W, c / 2) of each pixel: those of its row, then of its column in [-1, 1]."""
        rows, columns = (
            torch.arange(0.5, n, device=self.periods.device) * (2.0 / n) - 1.0 for n in (height, width)
        )
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)  # (H, W, 2)
        return (2.0 * math.pi * grid[..., None] / self.periods).flatten(2).flatten(0, 1)


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate pairs of channels of x (..., P, c), i and i + c / 2, by angles (P, c / 2), in float32."""
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def enlarged(x: Tensor, kernel: Tensor) -> Tensor:
    """Double the size of x (N, C, h, w) by inserting zeros and applying a filter (k, k), k even."""
    return interpolate(x, 4.0 * kernel, 2, kernel.shape[0] // 2 - 1)


class Up(nn.Module):
    """Double the size of a feature map, (N, I, h, w) to (N, O, 2h, 2w).

    With equal widths, zeros are inserted and a low-pass filter (k, k) with k even is applied. Otherwise every
    channel is repeated 4 O / I times, four channels give the pixels of 2x2, and k is odd.
    """

    kernel: Tensor
    gain: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.repeats = 0 if inputs == outputs else 4 * outputs // inputs
        self.register_buffer("kernel", torch.full((kernel, kernel), 1.0 / kernel**2))

    def fold(self, gain: Tensor) -> None:
        """Take the gain (I,) of the input."""
        self.gain = gain[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, h, w) to (N, O, 2h, 2w)."""
        x = x * self.gain.to(x.dtype)
        if not self.repeats:
            return enlarged(x, self.kernel)
        x = F.pixel_shuffle(x.repeat_interleave(self.repeats, dim=1), 2)
        return interpolate(x, self.kernel, 1, self.kernel.shape[0] // 2)
