"""Build the attention of lightweight-gan: linear over all pixels, and since 0.21.6 also over neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.attention import HEADS, ChannelNorm, KeysAndValues, Pointwise, linear_attention


def local_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Let each pixel attend to the 3 x 3 pixels around it, per head: softmax(q k / sqrt(E / HEADS)) v.

    Pixels beyond the border are zero, and take part in the softmax.

    Args:
        queries: Q, (N, E, H, W), where HEADS divides E.
        keys: K, of the same shape.
        values: V, of the same shape.

    Returns:
        A feature map (N, E, H, W) in float32.
    """
    n, channels, height, width = queries.shape
    q = queries.float().reshape(n, HEADS, -1, 1, height * width)  # (N, HEADS, E / HEADS, 1, H W)
    k, v = (
        F.unfold(x.float(), 3, padding=1).reshape(n, HEADS, channels // HEADS, 9, height * width)
        for x in (keys, values)
    )
    weights = ((q * (channels // HEADS) ** -0.5) * k).sum(dim=2, keepdim=True).softmax(dim=3)
    attended: Tensor = (weights * v).sum(dim=3)  # (N, HEADS, E / HEADS, H W)
    return attended.reshape(n, channels, height, width)


class Attention(nn.Module):
    """Add attention with channel norm to a feature map.

    Args:
        channels: channels C.
        inside: channels E of the queries of linear attention.
        local: channels of the queries of local attention; 0 without it.
    """

    def __init__(self, channels: int, inside: int, local: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.queries = Pointwise(channels, inside)
        self.keys_and_values = KeysAndValues(channels, inside)
        if local:
            self.local_queries = Pointwise(channels, local)
            self.local_keys_and_values = Pointwise(channels, 2 * local)
        self.out = Pointwise(inside + local, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        y = self.norm(x)
        out = linear_attention(self.queries(y), *self.keys_and_values(y))
        if hasattr(self, "local_queries"):
            keys, values = self.local_keys_and_values(y).chunk(2, dim=1)
            out = torch.cat([out, local_attention(self.local_queries(y), keys, values)], dim=1)
        added: Tensor = self.out(out.to(x.dtype))
        return x + added
