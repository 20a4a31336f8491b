"""BigGAN as a checkpoint holds it: weights beside what their spectral norm needs, and tables of statistics.

Nothing is computed with these modules but the constants that `network` keeps: every published value
has a place here, so that a converted checkpoint loses nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from .architecture import Architecture

STORED, ITERATED, PLAIN = "stored", "iterated", "plain"
"""Source of the largest singular value: stored u and v, u and a step of power iteration, or none."""


class Weight(nn.Module):
    """Weights (O, I) or (O, I, k, k) with the singular vectors u (O,) and v (I k k,) that belong to them.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks".
    """

    bias: nn.Parameter | None
    u: Tensor | None
    v: Tensor | None

    def __init__(self, shape: tuple[int, ...], sigma: str, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        self.register_parameter("bias", nn.Parameter(torch.empty(shape[0])) if bias else None)
        self.register_buffer("u", torch.empty(shape[0]) if sigma != PLAIN else None)
        self.register_buffer("v", torch.empty(math.prod(shape[1:])) if sigma == STORED else None)

    def effective(self) -> Tensor:
        """The weights that are applied: divided by an estimate of their largest singular value."""
        matrix, u, v = self.weight.flatten(1), self.u, self.v
        if u is None:
            return self.weight
        if v is not None:
            return self.weight / (u @ (matrix @ v))
        # The reference takes this step on every call, from the same u. With unit vectors, u' W v is |W v|.
        sigma = (matrix @ F.normalize(u @ matrix, dim=0, eps=1e-12)).square().sum().sqrt()
        return self.weight / sigma


class Statistics(nn.Module):
    """Hold means and variances of channels (R, C), for R truncations evenly from 0 to 1, or for one."""

    mean: Tensor
    var: Tensor

    def __init__(self, rows: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.empty(rows, channels))
        self.register_buffer("var", torch.empty(rows, channels))

    def at(self, truncation: float, eps: float) -> tuple[Tensor, Tensor]:
        """The mean, and 1 / standard deviation, of every channel (C,)."""
        return interpolate(self.mean, truncation), torch.rsqrt(interpolate(self.var, truncation) + eps)


def interpolate(table: Tensor, truncation: float) -> Tensor:
    """The row of a table (R, C) for a truncation in (0, 1].

    Between two rows the published code gives each the weight of the other, and every published image
    of BigGAN-deep was made so: it is kept.

    >>> interpolate(torch.tensor([[0.0], [1.0], [2.0]]), 0.625).item()
    1.75
    """
    if len(table) == 1:
        return table[0]
    share, start = math.modf(truncation / (1.0 / (len(table) - 1)))
    row = int(start)
    return table[row] if share == 0.0 else table[row] * share + table[row + 1] * (1.0 - share)


class ConditionalNorm(Statistics):
    """Batch normalisation whose gain and bias are linear in the condition."""

    def __init__(self, rows: int, channels: int, condition: int, sigma: str) -> None:
        super().__init__(rows, channels)
        self.gain = Weight((channels, condition), sigma)
        self.bias = Weight((channels, condition), sigma)


class Norm(Statistics):
    """Batch normalisation with a gain and a bias per channel."""

    def __init__(self, rows: int, channels: int) -> None:
        super().__init__(rows, channels)
        self.gain = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))


class Attention(nn.Module):
    """Self-attention of SAGAN (Zhang et al. 2019), added with the weight gamma."""

    def __init__(self, channels: int, keys: int, values: int, sigma: str) -> None:
        super().__init__()
        self.query = Weight((keys, channels, 1, 1), sigma)
        self.key = Weight((keys, channels, 1, 1), sigma)
        self.value = Weight((values, channels, 1, 1), sigma)
        self.out = Weight((channels, values, 1, 1), sigma)
        self.gamma = nn.Parameter(torch.empty(()))


class Network(nn.Module):
    """Hold all weights; block i has norm1, conv1, norm2, conv2 ..., and `shortcut` in the original."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        if a.shared:
            self.embedding = nn.Parameter(torch.empty(a.classes, a.embedding))
        widths = a.blocks[0].inputs * a.bottom**2
        self.linear = Weight((widths, a.first + (a.embedding if a.deep else 0)), a.sigma, bias=True)
        self.blocks = nn.ModuleList()
        for b in a.blocks:
            block = nn.Module()
            for j, (inputs, outputs, kernel) in enumerate(b.convolutions(deep=a.deep), start=1):
                norm = ConditionalNorm(
                    a.statistics, inputs, a.embedding + a.chunk, a.sigma if a.shared else PLAIN
                )
                block.add_module(f"norm{j}", norm)
                block.add_module(f"conv{j}", Weight((outputs, inputs, kernel, kernel), a.sigma, bias=True))
            if not a.deep:
                block.add_module("shortcut", Weight((b.outputs, b.inputs, 1, 1), a.sigma, bias=True))
            self.blocks.append(block)
        self.attention = nn.ModuleDict(
            {str(i): Attention(a.blocks[i].outputs, *widths, a.sigma) for i, widths in a.attention.items()}
        )
        self.output_norm = Norm(a.statistics, a.blocks[-1].outputs)
        self.output = Weight((a.colours, a.blocks[-1].outputs, 3, 3), a.sigma, bias=True)
