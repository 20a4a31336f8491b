"""Hold the parameters of BigGAN as checkpoints store them.

Beside the weights these are the singular vectors of spectral normalisation and the statistics of batch
normalisation. `network` folds them into fewer constants and computes with those. The modules here keep
every published value, so that a converted checkpoint loses nothing.
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
"""Sources of the spectral norm: stored u and v; stored u and one step of power iteration; none."""


class Weight(nn.Module):
    """Hold weights (O, I) or (O, I, k, k) and their first singular vectors u (O,) and v (I k k,).

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
        """Return the weights divided by their spectral norm, sigma = u W v with W (O, I k k)."""
        matrix, u, v = self.weight.flatten(1), self.u, self.v
        if u is None:
            return self.weight
        if v is not None:
            return self.weight / (u @ (matrix @ v))
        # BigGAN-PyTorch takes one step of power iteration per call, always from the stored u:
        # v = W^T u / |W^T u|, u' = W v / |W v|, and sigma = u' W v = |W v|.
        sigma = (matrix @ F.normalize(u @ matrix, dim=0, eps=1e-12)).square().sum().sqrt()
        return self.weight / sigma


class Statistics(nn.Module):
    """Hold the means and variances of channels (R, C) at R evenly spaced truncations from 0 to 1.

    R = 1 stands for all truncations.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, rows: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.empty(rows, channels))
        self.register_buffer("var", torch.empty(rows, channels))

    def at(self, truncation: float, eps: float) -> tuple[Tensor, Tensor]:
        """Return the mean (C,) and 1 / sqrt(variance + eps) (C,) of every channel at a truncation."""
        return interpolate(self.mean, truncation), torch.rsqrt(interpolate(self.var, truncation) + eps)


def interpolate(table: Tensor, truncation: float) -> Tensor:
    """Return the row (C,) of a table (R, C) for a truncation in (0, 1].

    Between two rows the published code swaps their weights. This function does the same, because every
    published image of BigGAN-deep depends on it.

    >>> interpolate(torch.tensor([[0.0], [1.0], [2.0]]), 0.625).item()
    1.75
    """
    if len(table) == 1:
        return table[0]
    share, start = math.modf(truncation / (1.0 / (len(table) - 1)))
    row = int(start)
    return table[row] if share == 0.0 else table[row] * share + table[row + 1] * (1.0 - share)


class ConditionalNorm(Statistics):
    """Hold a batch normalisation whose gain and bias (C,) are linear in the condition (E + chunk,)."""

    def __init__(self, rows: int, channels: int, condition: int, sigma: str) -> None:
        super().__init__(rows, channels)
        self.gain = Weight((channels, condition), sigma)
        self.bias = Weight((channels, condition), sigma)


class Norm(Statistics):
    """Hold a batch normalisation with a gain and a bias (C,)."""

    def __init__(self, rows: int, channels: int) -> None:
        super().__init__(rows, channels)
        self.gain = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))


class Attention(nn.Module):
    """Hold the 1x1 convolutions of SAGAN's self-attention (Zhang et al. 2019) and its weight gamma."""

    def __init__(self, channels: int, keys: int, values: int, sigma: str) -> None:
        super().__init__()
        self.query = Weight((keys, channels, 1, 1), sigma)
        self.key = Weight((keys, channels, 1, 1), sigma)
        self.value = Weight((values, channels, 1, 1), sigma)
        self.out = Weight((channels, values, 1, 1), sigma)
        self.gamma = nn.Parameter(torch.empty(()))


class Network(nn.Module):
    """Hold all parameters of a checkpoint.

    Block i has norm1, conv1, norm2, conv2 ..., and in the original BigGAN also `shortcut`,
    as in one BigGAN-deep of StudioGAN.
    """

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        if a.shared:
            self.embedding = nn.Parameter(torch.empty(a.classes, a.embedding))
        outputs = a.blocks[0].inputs * a.bottom**2
        self.linear = Weight((outputs, a.first + (a.embedding if a.deep else 0)), a.sigma, bias=True)
        self.blocks = nn.ModuleList()
        for b in a.blocks:
            block = nn.Module()
            for j, (inputs, outputs, kernel) in enumerate(b.convolutions(deep=a.deep), start=1):
                # Embeddings of normalisations that share none have no spectral norm.
                sigma = a.sigma if a.shared or not a.classes else PLAIN
                norm = ConditionalNorm(a.statistics, inputs, a.embedding + a.chunk, sigma)
                block.add_module(f"norm{j}", norm)
                block.add_module(f"conv{j}", Weight((outputs, inputs, kernel, kernel), a.sigma, bias=True))
            if not a.deep or a.skip:
                block.add_module("shortcut", Weight((b.outputs, b.inputs, 1, 1), a.sigma, bias=True))
            self.blocks.append(block)
        self.attention = nn.ModuleDict(
            {str(i): Attention(a.blocks[i].outputs, *widths, a.sigma) for i, widths in a.attention.items()}
        )
        self.output_norm = Norm(a.statistics, a.blocks[-1].outputs)
        self.output = Weight((a.colours, a.blocks[-1].outputs, 3, 3), a.sigma, bias=True)
