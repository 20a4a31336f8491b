"""Represent walks through codes that imitate an edit: straight, or made of equal steps of a small network.

An amount a is in [-1, 1]. Codes are counted from the mean of w, in spreads of w.

Shapes: n samples, D code size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

START = 0.01  # standard deviation of the entries of a walk before the training
HIDDEN = 64  # units of the network


class Straight(nn.Module):
    """Move every code by a v.

    Args:
        first: v before the training, (D,).
    """

    steps = 0

    def __init__(self, first: Tensor) -> None:
        super().__init__()
        self.vector = nn.Parameter(first)

    def displacement(self, codes: Tensor, amounts: Tensor) -> Tensor:
        """Return by how much codes (n, D) are moved for amounts (n,), (n, D)."""
        return amounts[:, None] * self.vector


class Recurrent(nn.Module):
    """Move codes by repeated steps of a network, each of which stands for an amount of 1 / steps.

        x_0 = x,    x_{i+1} = x_i + g(x_i, sign of a)      |a| steps times

    g has one hidden layer. Amounts are rounded to whole steps.

    Args:
        first: what each step adds at first, wherever it is, times `steps`; (D,).
        steps: number of steps for an amount of 1.
        source: random numbers of the first weights, on the CPU.
    """

    def __init__(self, first: Tensor, steps: int, source: torch.Generator) -> None:
        super().__init__()
        self.steps, width = steps, len(first)
        device = first.device

        def weights(rows: int, columns: int, scale: float) -> nn.Parameter:
            drawn = scale * torch.randn(rows, columns, generator=source)
            return nn.Parameter(drawn.to(device))

        self.into, self.out = weights(HIDDEN, width, width**-0.5), weights(width, HIDDEN, START)
        self.vector = nn.Parameter(first / steps)

    def step(self, codes: Tensor, signs: Tensor) -> Tensor:
        """Return codes (n, D) after one step forwards (1) or backwards (-1), signs (n,)."""
        # The mean over units, so that a step of Adam changes it by no more than it changes the vector.
        bent = torch.tanh(codes @ self.into.T) @ self.out.T / HIDDEN
        return codes + signs[:, None] * (self.vector + bent)

    def displacement(self, codes: Tensor, amounts: Tensor) -> Tensor:
        """Return by how much codes (n, D) are moved for amounts (n,), (n, D)."""
        counts = (amounts.abs() * self.steps).round()
        moved = codes
        for i in range(self.steps):
            moved = torch.where((counts > i)[:, None], self.step(moved, amounts.sign()), moved)
        return moved - codes


Walk = Straight | Recurrent


def rounded(amounts: Tensor, steps: int) -> Tensor:
    """Return amounts (n,) that are whole numbers of steps, at least one; as they are for straight walks.

    >>> rounded(torch.tensor([0.1, -0.6, 1.0]), 2).tolist()
    [0.5, -0.5, 1.0]
    """
    if not steps:
        return amounts
    counts = (amounts.abs() * steps).round().clamp(min=1.0)
    return torch.where(amounts < 0.0, -counts, counts) / steps


def bend(displacements: Tensor) -> float:
    """Return the mean cosine of displacements (n, D) with their mean: 1 for a straight walk."""
    mean = displacements.mean(dim=0)
    return float(nn.functional.cosine_similarity(displacements, mean[None], dim=1).mean())


def parameters(walks: Sequence[Walk]) -> list[Tensor]:
    """Return all that is trained."""
    return [parameter for walk in walks for parameter in walk.parameters()]
