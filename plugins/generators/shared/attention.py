"""Build the attention of lucidrains' generators: channel norm and linear attention over pixels.

Source: Shen et al. 2021, "Efficient Attention: Attention with Linear Complexities", section 3.2. Queries are
normalised over channels and keys over pixels, so that keys and values are summed up before queries read them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 8
EPSILON = 1e-5


class ChannelNorm(nn.Module):
    """Normalise the channels of each pixel: y = (x - mean) / sqrt(variance + epsilon) * gain + bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to the same shape, computed in float32."""
        variance, mean = torch.var_mean(x.float(), dim=1, correction=0, keepdim=True)
        return ((x.float() - mean) * torch.rsqrt(variance + EPSILON) * self.gain + self.bias).to(x.dtype)


class Pointwise(nn.Module):
    """Apply a 1x1 convolution with weights (O, I, 1, 1), and a bias (O,) if it has one."""

    bias: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.normal(0.0, max(inputs, 1) ** -0.5, (outputs, inputs, 1, 1)))
        self.register_parameter("bias", nn.Parameter(torch.zeros(outputs)) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to (N, O, H, W)."""
        return F.conv2d(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


class KeysAndValues(nn.Module):
    """Apply a depthwise 3x3 convolution (C, 1, 3, 3) and a 1x1 convolution to keys and values."""

    def __init__(self, channels: int, inside: int) -> None:
        super().__init__()
        self.depthwise = nn.Parameter(torch.normal(0.0, 1.0 / 3.0, (channels, 1, 3, 3)))
        self.pointwise = Pointwise(channels, 2 * inside)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, C, H, W) to keys and values, each (N, E, H, W)."""
        x = F.conv2d(x, self.depthwise.to(x.dtype), padding=1, groups=x.shape[1])
        keys, values = self.pointwise(x).chunk(2, dim=1)
        return keys, values


def split_heads(x: Tensor) -> Tensor:
    """Return x (N, E, H, W) as HEADS heads of pixels in float32, (N, HEADS, H W, E / HEADS)."""
    n, channels, height, width = x.shape
    return x.float().reshape(n, HEADS, channels // HEADS, height * width).transpose(2, 3)


def join_heads(x: Tensor, height: int) -> Tensor:
    """Return heads (N, HEADS, H W, E / HEADS) as a feature map (N, E, H, W); the reverse of split_heads."""
    n, heads, pixels, channels = x.shape
    return x.transpose(2, 3).reshape(n, heads * channels, height, pixels // height)


def linear_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return GELU(softmax_channels(Q) / sqrt(E / HEADS) (softmax_pixels(K)^T V)), per head.

    Args:
        queries: Q, (N, E, H, W), where HEADS divides E.
        keys: K, of the same shape.
        values: V, of the same shape.

    Returns:
        A feature map (N, E, H, W) in float32.
    """
    q, k, v = (split_heads(x) for x in (queries, keys, values))
    context = k.softmax(dim=2).transpose(2, 3) @ v  # (N, HEADS, E / HEADS, E / HEADS)
    out = (q.softmax(dim=3) * q.shape[3] ** -0.5) @ context  # (N, HEADS, H W, E / HEADS)
    return F.gelu(join_heads(out, queries.shape[2]))
